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
)

func configuration(edit func(*types.EventSourceMappingConfiguration)) types.EventSourceMappingConfiguration {
	m := types.EventSourceMappingConfiguration{
		UUID:             aws.String("uuid"),
		FunctionArn:      aws.String("arn:aws:lambda:eu-west-1:000000000000:function:f:live"),
		EventSourceArn:   aws.String("arn:aws:kinesis:eu-west-1:000000000000:stream/events"),
		StartingPosition: types.EventSourcePositionTrimHorizon,
	}
	if edit != nil {
		edit(&m)
	}
	return m
}

var source = arn.ARN{Service: "kinesis", Region: "eu-west-1"}

func TestDefaultsAreThoseOfLambdasParametersForKinesis(t *testing.T) {
	s, err := newSettings(configuration(nil), source)
	require.NoError(t, err)
	assert.Equal(t, settings{
		uuid: "uuid", function: "arn:aws:lambda:eu-west-1:000000000000:function:f:live",
		stream: "arn:aws:kinesis:eu-west-1:000000000000:stream/events", region: "eu-west-1",
		start: kinesistypes.ShardIteratorTypeTrimHorizon, batchSize: 100, parallelization: 1, retries: -1, maxAge: -time.Second,
	}, s)
}

func TestZeroRetriesAreNone(t *testing.T) {
	s, err := newSettings(configuration(func(m *types.EventSourceMappingConfiguration) { m.MaximumRetryAttempts = aws.Int32(0) }), source)
	require.NoError(t, err)
	assert.Zero(t, s.retries)
}

func TestWhatIsNotSupportedIsRefusedAllAtOnce(t *testing.T) {
	_, err := newSettings(configuration(func(m *types.EventSourceMappingConfiguration) {
		m.StartingPosition = types.EventSourcePositionAtTimestamp
		m.TumblingWindowInSeconds = aws.Int32(30)
		m.FilterCriteria = &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String("{}")}}}
		m.DestinationConfig = &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:sns:eu-west-1:000000000000:topic")}}
	}), source)
	for _, want := range []string{`got "AT_TIMESTAMP"`, "tumbling windows", "filter criteria", `got "arn:aws:sns:`} {
		assert.ErrorContains(t, err, want)
	}
}
