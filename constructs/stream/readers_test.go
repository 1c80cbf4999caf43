package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func function(stack awscdk.Stack, id string) awslambda.Function {
	return awslambda.NewFunction(stack, &id, &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_NODEJS_LATEST(), Handler: jsii.String("index.handler"), Code: awslambda.Code_FromInline(jsii.String("-")),
	})
}

func polls(stack awscdk.Stack, id string, source awskinesis.IStream) {
	function(stack, id).AddEventSource(awslambdaeventsources.NewKinesisEventSource(source, &awslambdaeventsources.KinesisEventSourceProps{
		StartingPosition: awslambda.StartingPosition_LATEST,
	}))
}

func delivers(stack awscdk.Stack, id string, source awskinesis.IStream, backup *awskinesisfirehose.DestinationS3BackupProps) {
	awskinesisfirehose.NewDeliveryStream(stack, &id, &awskinesisfirehose.DeliveryStreamProps{
		Source:      awskinesisfirehose.NewKinesisStreamSource(source),
		Destination: awskinesisfirehose.NewS3Bucket(awss3.NewBucket(stack, jsii.String(id+"Bucket"), nil), &awskinesisfirehose.S3BucketProps{S3Backup: backup}),
	})
}

func TestTwoReadersOfAStreamAreNoWarning(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	polls(stack, "Loader", core.Stream)
	delivers(stack, "Lake", core.Stream, nil)
	_, warnings := notes(stack)
	assert.Empty(t, warnings)
}

func TestThreeReadersOfAStreamAreAWarningWithNumbersWhereverTheyAre(t *testing.T) {
	app := cdktest.NewApp()
	stack := awscdk.NewStack(app, jsii.String("Ground"), nil)
	pipeline := awscdk.NewStack(app, jsii.String("Pipeline"), nil)
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{SharedReaders: []string{"flink"}})
	polls(pipeline, "Loader", core.Stream)
	delivers(pipeline, "Lake", core.Stream, &awskinesisfirehose.DestinationS3BackupProps{Mode: awskinesisfirehose.BackupMode_ALL})

	_, warnings := notes(stack)
	assert.Equal(t, []string{"3 readers poll this stream (flink, Pipeline/Loader/KinesisEventSource:GroundCoreStreamBA336A43, Pipeline/Lake): " +
		"of each shard they share 2 MB/s, 0.67 MB/s each while it takes up to 1 MB/s, and 5 calls of GetRecords a second, of which they make at least 4. " +
		"Above that they throttle each other and fall behind: give some a consumer of their own (AddConsumer) [ack: millrace:stream-readers]"}, warnings)
}

// What a delivery stream of direct PUT, or to another destination than S3, does not have cannot be resolved.
func TestDeliveriesOfEveryKindStandBesideAStream(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{SharedReaders: []string{"one"}})
	awskinesisfirehose.NewCfnDeliveryStream(stack, jsii.String("Put"), &awskinesisfirehose.CfnDeliveryStreamProps{DeliveryStreamType: jsii.String("DirectPut")})
	awskinesisfirehose.NewCfnDeliveryStream(stack, jsii.String("Search"), &awskinesisfirehose.CfnDeliveryStreamProps{
		DeliveryStreamType: jsii.String("KinesisStreamAsSource"),
		KinesisStreamSourceConfiguration: &awskinesisfirehose.CfnDeliveryStream_KinesisStreamSourceConfigurationProperty{
			KinesisStreamArn: core.Stream.StreamArn(), RoleArn: jsii.String("arn:aws:iam::111122223333:role/firehose"),
		},
	})
	awslambda.NewCfnEventSourceMapping(stack, jsii.String("Broker"), &awslambda.CfnEventSourceMappingProps{FunctionName: jsii.String("theirs")})
	_, warnings := notes(stack)
	assert.Empty(t, warnings, "two readers: one, and Search")
}

func TestAConsumerWithEnhancedFanOutThrottlesNoOther(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{SharedReaders: []string{"one", "two"}})
	function(stack, "Fraud").AddEventSource(awslambdaeventsources.NewKinesisConsumerEventSource(core.AddConsumer("fraud"),
		&awslambdaeventsources.KinesisEventSourceProps{StartingPosition: awslambda.StartingPosition_LATEST}))
	_, warnings := notes(stack)
	assert.Empty(t, warnings)
}

func TestReadersOfAnotherStreamWithTheSameLogicalIdAreNotCounted(t *testing.T) {
	app := cdktest.NewApp()
	dev, prod := awscdk.NewStack(app, jsii.String("Dev"), nil), awscdk.NewStack(app, jsii.String("Prod"), nil)
	for _, stack := range []awscdk.Stack{dev, prod} {
		core := stream.NewStreamingCore(stack, "Core", nil)
		delivers(stack, "Lake", core.Stream, nil)
		polls(stack, "Loader", core.Stream)
	}
	_, warnings := notes(dev)
	assert.Empty(t, warnings)
}

func TestAReaderInAnotherAccountOfTheAppReadsItsOwnStream(t *testing.T) {
	app := cdktest.NewApp()
	var last awscdk.Stack
	for _, account := range []string{"111122223333", "444455556666"} {
		last = awscdk.NewStack(app, jsii.String("In"+account), &awscdk.StackProps{Env: &awscdk.Environment{Account: &account, Region: jsii.String("eu-west-1")}})
		core := stream.NewStreamingCore(last, "Core", nil)
		polls(last, "Reader", core.Stream)
		delivers(last, "Archive", core.Stream, nil)
	}
	_, warnings := notes(last)
	assert.Empty(t, warnings, "two readers each")
}
