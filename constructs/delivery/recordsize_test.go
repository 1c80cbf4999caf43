package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func largeRecords(stack awscdk.Stack) awskinesis.IStream {
	return stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{MaxRecordSize: awscdk.Size_Mebibytes(jsii.Number(10))}).Stream
}

func TestAStreamWithRecordsTooLargeForTheTransformerFailsTheSynth(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Lake", &delivery.FirehoseToS3Props{Source: largeRecords(stack)})
	assert.Contains(t, cdktest.Panics(t, func() { cdktest.Template(stack) }),
		"[Test/Lake] max record size of Test/Core/Stream must be at most 1024 KiB while the transformer reads it")
}

func TestWithoutTheTransformerRecordsMayBeLarge(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Lake", &delivery.FirehoseToS3Props{Source: largeRecords(stack), SkipTransformer: true})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{"MaxRecordSizeInKiB": 10240})
}
