package eventsource

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/internal/shards"
)

func configuration(edit func(*types.EventSourceMappingConfiguration)) types.EventSourceMappingConfiguration {
	m := types.EventSourceMappingConfiguration{
		UUID:             aws.String("uuid"),
		FunctionArn:      aws.String("arn:aws:lambda:eu-west-1:000000000000:function:f:live"),
		EventSourceArn:   aws.String(streamARN),
		StartingPosition: types.EventSourcePositionTrimHorizon,
	}
	if edit != nil {
		edit(&m)
	}
	return m
}

var source = arn.ARN{Service: "kinesis", Region: "eu-west-1"}

// services-kinesis-parameters
func TestDefaultsAreThoseOfLambdasParametersForKinesis(t *testing.T) {
	s, err := newSettings(configuration(nil), source)
	require.NoError(t, err)
	assert.Equal(t, settings{
		uuid: "uuid", function: "arn:aws:lambda:eu-west-1:000000000000:function:f:live",
		source: streamARN, stream: streamARN, region: "eu-west-1",
		start:     shards.Start{Type: kinesistypes.ShardIteratorTypeTrimHorizon},
		batchSize: 100, parallelization: 1, retries: -1, maxAge: -time.Second,
	}, s)
}

// services-kinesis-parameters
func TestZeroRetriesAreNone(t *testing.T) {
	s, err := newSettings(configuration(func(m *types.EventSourceMappingConfiguration) { m.MaximumRetryAttempts = aws.Int32(0) }), source)
	require.NoError(t, err)
	assert.Zero(t, s.retries)
}

// services-kinesis-parameters: "ARN of the data stream or a stream consumer"
func TestConsumerIsReadFromItsStream(t *testing.T) {
	consumer := streamARN + "/consumer/fraud:1540591608"
	s, err := newSettings(configuration(func(m *types.EventSourceMappingConfiguration) { m.EventSourceArn = &consumer }), source)
	require.NoError(t, err)
	assert.Equal(t, streamARN, s.stream)
	assert.Equal(t, consumer, s.source)
}

// services-kinesis-parameters: "Only valid if StartingPosition is set to AT_TIMESTAMP."
func TestAtTimestampStartsThere(t *testing.T) {
	at := time.Unix(1541139109, 0)
	s, err := newSettings(configuration(func(m *types.EventSourceMappingConfiguration) {
		m.StartingPosition, m.StartingPositionTimestamp = types.EventSourcePositionAtTimestamp, &at
	}), source)
	require.NoError(t, err)
	assert.Equal(t, shards.Start{Type: kinesistypes.ShardIteratorTypeAtTimestamp, Timestamp: at}, s.start)
}

// issues/619 of terraform-aws-modules/terraform-aws-lambda; the developer guide does not say it.
func TestTumblingWindowsHaveOneLaneAShard(t *testing.T) {
	s, err := newSettings(configuration(func(m *types.EventSourceMappingConfiguration) {
		m.TumblingWindowInSeconds, m.ParallelizationFactor = aws.Int32(30), aws.Int32(10)
	}), source)
	require.NoError(t, err)
	assert.Equal(t, 1, s.lanes())
}

func TestWhatIsNotSupportedIsNamedAllAtOnceAndLeftOut(t *testing.T) {
	s, err := newSettings(configuration(func(m *types.EventSourceMappingConfiguration) {
		m.StartingPosition = types.EventSourcePositionAtTimestamp
		m.FilterCriteria = &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"data":{"a":[{"wildcard":"*"}]}}`)}}}
		m.DestinationConfig = &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:sns:eu-west-1:000000000000:topic")}}
	}), source)
	for _, want := range []string{"AT_TIMESTAMP must have a timestamp", "wildcard: operator is not supported", `got "arn:aws:sns:`} {
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, kinesistypes.ShardIteratorTypeTrimHorizon, s.start.Type)
	assert.Empty(t, s.filters)
	assert.Empty(t, s.onFailure)
}
