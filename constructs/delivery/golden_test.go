package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestGolden(t *testing.T) {
	for name, build := range map[string]func(awscdk.Stack){
		"minimal": func(stack awscdk.Stack) {
			delivery.NewFirehoseToS3(stack, "Delivery", nil)
		},
		"everything-on": func(stack awscdk.Stack) {
			delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
				Source:         source(stack),
				Key:            awskms.NewKey(stack, jsii.String("Key"), nil),
				Prefix:         "raw/!{timestamp:yyyy-MM-dd}/",
				ErrorPrefix:    "failed/!{firehose:error-output-type}/",
				BufferInterval: awscdk.Duration_Seconds(jsii.Number(30)),
				BufferSize:     awscdk.Size_Mebibytes(jsii.Number(8)),
				Architecture:   awslambda.Architecture_X86_64(),
				LogRetention:   awslogs.RetentionDays_ONE_WEEK,
				RemovalPolicy:  awscdk.RemovalPolicy_DESTROY,
			})
		},
		"bring-your-own": func(stack awscdk.Stack) {
			key := awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
			delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
				Source: awskinesis.Stream_FromStreamAttributes(stack, jsii.String("Stream"), &awskinesis.StreamAttributes{
					StreamArn:     jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/events"),
					EncryptionKey: key,
				}),
				Bucket: awss3.Bucket_FromBucketName(stack, jsii.String("Bucket"), jsii.String("their-lake")),
				Key:    key,
				Transformer: awslambda.Function_FromFunctionAttributes(stack, jsii.String("Transformer"), &awslambda.FunctionAttributes{
					FunctionArn:     jsii.String("arn:aws:lambda:eu-west-1:111122223333:function:mine"),
					SameEnvironment: jsii.Bool(true),
				}),
			})
		},
		"lake-bucket": func(stack awscdk.Stack) {
			delivery.NewLakeBucket(stack, "Lake", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			stack := cdktest.NewStack()
			build(stack)
			cdktest.Golden(t, stack, name)
		})
	}
}
