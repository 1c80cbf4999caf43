package delivery_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

func ExampleNewFirehoseToS3() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	lake := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Source:         core.Stream,
		BufferInterval: awscdk.Duration_Minutes(jsii.Number(1)),
	})
	awscdk.NewCfnOutput(stack, jsii.String("Bucket"), &awscdk.CfnOutputProps{Value: lake.Bucket.BucketName()})
}

func ExampleNewLakeBucket() {
	app := awscdk.NewApp(nil)
	kept := awscdk.NewStack(app, jsii.String("Kept"), nil)
	changing := awscdk.NewStack(app, jsii.String("Changing"), nil)

	// The data in a stack that is never taken down, the delivery in one that may be.
	lake := delivery.NewLakeBucket(kept, "Lake", nil)
	delivery.NewFirehoseToS3(changing, "Delivery", &delivery.FirehoseToS3Props{Bucket: lake.Bucket})
}
