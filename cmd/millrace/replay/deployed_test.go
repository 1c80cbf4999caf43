package replay_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
)

// fakeFirehose has delivery streams by their names, and lists one at a time.
type fakeFirehose []*firehosetypes.DeliveryStreamDescription

func (f fakeFirehose) ListDeliveryStreams(_ context.Context, in *firehose.ListDeliveryStreamsInput, _ ...func(*firehose.Options)) (*firehose.ListDeliveryStreamsOutput, error) {
	next := 0
	for i, d := range f {
		if in.ExclusiveStartDeliveryStreamName != nil && *d.DeliveryStreamName == *in.ExclusiveStartDeliveryStreamName {
			next = i + 1
		}
	}
	return &firehose.ListDeliveryStreamsOutput{DeliveryStreamNames: []string{*f[next].DeliveryStreamName}, HasMoreDeliveryStreams: aws.Bool(next < len(f)-1)}, nil
}

func (f fakeFirehose) DescribeDeliveryStream(_ context.Context, in *firehose.DescribeDeliveryStreamInput, _ ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error) {
	for _, d := range f {
		if *d.DeliveryStreamName == *in.DeliveryStreamName {
			return &firehose.DescribeDeliveryStreamOutput{DeliveryStreamDescription: d}, nil
		}
	}
	return nil, &firehosetypes.ResourceNotFoundException{}
}

func delivery(name, source string, to *firehosetypes.ExtendedS3DestinationDescription) *firehosetypes.DeliveryStreamDescription {
	d := &firehosetypes.DeliveryStreamDescription{DeliveryStreamName: &name, Destinations: []firehosetypes.DestinationDescription{{ExtendedS3DestinationDescription: to}}}
	if source != "" {
		d.Source = &firehosetypes.SourceDescription{KinesisStreamSourceDescription: &firehosetypes.KinesisStreamSourceDescription{KinesisStreamARN: &source}}
	}
	return d
}

func bucket(backup *firehosetypes.S3DestinationDescription) *firehosetypes.ExtendedS3DestinationDescription {
	d := &firehosetypes.ExtendedS3DestinationDescription{
		BucketARN: aws.String("arn:aws:s3:::lake"), ErrorOutputPrefix: aws.String("errors/!{firehose:error-output-type}/!{timestamp:yyyy}/"), S3BackupDescription: backup,
	}
	if backup != nil {
		d.S3BackupMode = firehosetypes.S3BackupModeEnabled
	}
	return d
}

func TestTheObjectsOfTheStreamsDeliveriesAreFoundByWhatIsDeployed(t *testing.T) {
	deployed := fakeFirehose{
		delivery("other", streamARN+"-2", bucket(nil)),
		delivery("direct", "", bucket(nil)),
		delivery("redshift", streamARN, nil),
		delivery("plain", streamARN, bucket(nil)),
		delivery("backed up", streamARN, bucket(&firehosetypes.S3DestinationDescription{BucketARN: aws.String("arn:aws:s3:::raw"), Prefix: aws.String("a/!{timestamp:yyyy}/")})),
		delivery("not told apart", streamARN, bucket(&firehosetypes.S3DestinationDescription{BucketARN: aws.String("arn:aws:s3:::lake")})),
	}
	found, err := replay.ErrorLocations(t.Context(), deployed, streamARN)
	require.NoError(t, err)
	require.Len(t, found, 3)
	for _, l := range found {
		assert.Equal(t, "s3://lake/errors/", l.String())
	}
	found, err = replay.BackupLocations(t.Context(), deployed, streamARN)
	require.NoError(t, err)
	assert.Equal(t, []replay.Location{{Bucket: "raw", Prefix: "a/"}}, found)
}

func TestOnlyErrorObjectsAreTakenForSuch(t *testing.T) {
	fake, stream := newStream(t)
	source := objects(replay.DeliveryErrors(), start, map[string][]byte{
		"processing-failed/a": errorObject("Lambda.FunctionError", `{"event_id":"a"}`), "events/b": errorObject("Lambda.FunctionError", `{"event_id":"b"}`),
	})
	found, err := replay.ErrorLocations(t.Context(), fakeFirehose{delivery("x", streamARN, &firehosetypes.ExtendedS3DestinationDescription{BucketARN: aws.String("arn:aws:s3:::lake")})}, streamARN)
	require.NoError(t, err)
	source.Locations = found
	_, err = replay.Run(t.Context(), replay.Config{Source: source, Stream: stream})
	require.NoError(t, err)
	assert.Len(t, fake.puts, 1, "a delivery without an error prefix writes them beside its events")
}

type fakeMappings []lambdatypes.EventSourceMappingConfiguration

func (f fakeMappings) ListEventSourceMappings(context.Context, *lambda.ListEventSourceMappingsInput, ...func(*lambda.Options)) (*lambda.ListEventSourceMappingsOutput, error) {
	return &lambda.ListEventSourceMappingsOutput{EventSourceMappings: f}, nil
}

func TestFailedBatchesAreWhereLambdaPutsThem(t *testing.T) {
	to := func(arn string) *lambdatypes.DestinationConfig {
		return &lambdatypes.DestinationConfig{OnFailure: &lambdatypes.OnFailure{Destination: &arn}}
	}
	found, err := replay.FailureLocations(t.Context(), fakeMappings{
		{UUID: aws.String("1")},
		{UUID: aws.String("2"), DestinationConfig: to("arn:aws:sqs:eu-west-1:000000000000:queue")},
		{UUID: aws.String("3"), DestinationConfig: to("arn:aws:s3:::failures")},
	}, streamARN)
	require.NoError(t, err)
	assert.Equal(t, []replay.Location{{Bucket: "failures", Prefix: "aws/lambda/3/"}}, found)
}
