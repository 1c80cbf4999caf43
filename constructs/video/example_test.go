package video_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/video"
)

func ExampleNewVideoIngest() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("House"), nil)
	video.NewVideoIngest(stack, "Video", nil)
}

// Two cameras, each with a role that AWS IoT gives to the camera's certificate, and somebody who watches one of them.
func ExampleVideoIngest_GrantProducer() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("House"), nil)
	cameras := video.NewVideoIngest(stack, "Video", &video.VideoIngestProps{Devices: []string{"porch", "garden"}})
	for _, device := range []string{"porch", "garden"} {
		role := awsiam.NewRole(stack, jsii.String(device), &awsiam.RoleProps{
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("credentials.iot.amazonaws.com"), nil),
		})
		cameras.GrantProducer(device, role)
	}
	guard := awsiam.Role_FromRoleName(stack, jsii.String("Guard"), jsii.String("guard"), nil)
	cameras.GrantViewer("porch", guard)
}
