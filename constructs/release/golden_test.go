package release_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/release"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack := pipelineStack()
		release.NewPipeline(stack, "Release", minimal(t, stack))
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		stack := pipelineStack()
		release.NewPipeline(stack, "Release", everything(t, stack))
		cdktest.Golden(t, stack, "everything-on")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := pipelineStack()
		props := minimal(t, stack)
		props.Key = awskms.Key_FromKeyArn(stack, jsii.String("Mine"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
		props.Topic = awssns.Topic_FromTopicArn(stack, jsii.String("Ours"), jsii.String("arn:aws:sns:eu-west-1:111122223333:releases"))
		props.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
		release.NewPipeline(stack, "Release", props)
		cdktest.Golden(t, stack, "bring-your-own")
	})
	t.Run("check role", func(t *testing.T) {
		stack := cdktest.NewStack()
		bucket := awss3.Bucket_FromBucketName(stack, jsii.String("Lake"), jsii.String("lake"))
		release.NewCheckRole(stack, "Check", checkRoleProps()).GrantReadObjects(bucket, "events/")
		cdktest.Golden(t, stack, "check-role")
	})
}
