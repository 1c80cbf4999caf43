package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestTheMaximumRecordSizeIsSetOnTheStream(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{MaxRecordSize: awscdk.Size_Mebibytes(jsii.Number(10))})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{"MaxRecordSizeInKiB": 10_240})
}

func TestRecordsThatDoNotFitLambdaFailTheSynthOfWhatReadsThem(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{MaxRecordSize: awscdk.Size_Kibibytes(jsii.Number(1_025))})
	window := constructs.NewConstruct(stack, jsii.String("Window"))
	stream.RecordsFitLambda(window, core.Stream, "the window")

	assert.Contains(t, cdktest.Panics(t, func() { cdktest.Template(stack) }), "[Test/Window] max record size of Test/Core/Stream "+
		"must be at most 1024 KiB while the window reads it through a Lambda function, whose payload has 6 MB, got 1025 KiB")
}

func TestRecordsThatFitLambdaOrAreNotKnownAreNoError(t *testing.T) {
	for name, source := range map[string]func(awscdk.Stack) awskinesis.IStream{
		"none":       func(awscdk.Stack) awskinesis.IStream { return nil },
		"by default": func(s awscdk.Stack) awskinesis.IStream { return stream.NewStreamingCore(s, "Core", nil).Stream },
		"of 1 MiB": func(s awscdk.Stack) awskinesis.IStream {
			return stream.NewStreamingCore(s, "Core", &stream.StreamingCoreProps{MaxRecordSize: awscdk.Size_Mebibytes(jsii.Number(1))}).Stream
		},
		"known at deploy": func(s awscdk.Stack) awskinesis.IStream {
			return stream.NewStreamingCore(s, "Core", &stream.StreamingCoreProps{MaxRecordSize: awscdk.Size_Kibibytes(awscdk.Lazy_Number(&producer{2_048}))}).Stream
		},
		"imported": func(s awscdk.Stack) awskinesis.IStream {
			return awskinesis.Stream_FromStreamArn(s, jsii.String("Theirs"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/theirs"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			stack := cdktest.NewStack()
			stream.RecordsFitLambda(constructs.NewConstruct(stack, jsii.String("Loader")), source(stack), "the loader")
			assert.NotEmpty(t, *cdktest.Template(stack).ToJSON())
		})
	}
}
