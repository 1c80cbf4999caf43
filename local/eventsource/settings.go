package eventsource

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// What Lambda takes where a mapping says nothing (developer guide: services-kinesis-parameters).
const (
	defaultBatchSize       = 100
	defaultParallelization = 1
	// forever is the default of MaximumRetryAttempts and MaximumRecordAgeInSeconds.
	forever = -1
)

// settings are what a mapping's description says, in our terms.
type settings struct {
	uuid            string
	function        string // ARN, with its qualifier
	role            string // ARN: whom the event names as invoking
	source          string // ARN: of the stream, or of a consumer of it
	stream          string // ARN
	region          string
	start           shards.Start
	batchSize       int
	window          time.Duration
	parallelization int
	filters         filters
	tumbling        time.Duration // 0: no tumbling windows
	reportsFailures bool
	bisect          bool
	retries         int           // forever: until it succeeds
	maxAge          time.Duration // negative: any age
	onFailure       arn.ARN       // of an S3 bucket or an SQS queue; empty: none
}

// lanes is how many batches of a shard may be processed at once. Tumbling
// windows keep one state a shard, in order.
func (s *settings) lanes() int {
	if s.tumbling > 0 {
		return 1
	}
	return s.parallelization
}

// newSettings reads a mapping. Its error names everything that is not
// supported, and that the settings are without.
func newSettings(m types.EventSourceMappingConfiguration, source arn.ARN) (settings, error) {
	s := settings{
		uuid:            aws.ToString(m.UUID),
		function:        aws.ToString(m.FunctionArn),
		source:          aws.ToString(m.EventSourceArn),
		region:          source.Region,
		batchSize:       number(m.BatchSize, defaultBatchSize),
		window:          seconds(m.MaximumBatchingWindowInSeconds, 0),
		parallelization: number(m.ParallelizationFactor, defaultParallelization),
		tumbling:        seconds(m.TumblingWindowInSeconds, 0),
		reportsFailures: slices.Contains(m.FunctionResponseTypes, types.FunctionResponseTypeReportBatchItemFailures),
		bisect:          aws.ToBool(m.BisectBatchOnFunctionError),
		retries:         number(m.MaximumRetryAttempts, forever),
		maxAge:          seconds(m.MaximumRecordAgeInSeconds, forever),
	}
	s.stream, _, _ = strings.Cut(s.source, "/consumer/")
	var errs []error
	switch s.start = (shards.Start{Type: kinesistypes.ShardIteratorTypeTrimHorizon}); m.StartingPosition {
	case types.EventSourcePositionTrimHorizon:
	case types.EventSourcePositionLatest:
		s.start.Type = kinesistypes.ShardIteratorTypeLatest
	case types.EventSourcePositionAtTimestamp:
		if m.StartingPositionTimestamp == nil {
			errs = append(errs, errors.New("starting position AT_TIMESTAMP must have a timestamp: it begins at TRIM_HORIZON"))
			break
		}
		s.start = shards.Start{Type: kinesistypes.ShardIteratorTypeAtTimestamp, Timestamp: *m.StartingPositionTimestamp}
	default:
		errs = append(errs, fmt.Errorf("starting position must be TRIM_HORIZON, LATEST or AT_TIMESTAMP, got %q: it begins at TRIM_HORIZON", m.StartingPosition))
	}
	var err error
	if s.filters, err = newFilters(m.FilterCriteria); err != nil {
		errs = append(errs, fmt.Errorf("%w: nothing is filtered", err))
	}
	if c := m.DestinationConfig; c != nil && c.OnFailure != nil && aws.ToString(c.OnFailure.Destination) != "" {
		destination, err := arn.Parse(*c.OnFailure.Destination)
		if err == nil && (destination.Service == "s3" || destination.Service == "sqs") {
			s.onFailure = destination
		} else {
			errs = append(errs, fmt.Errorf("on-failure destination must be an S3 bucket or an SQS queue, got %q: what is discarded is lost", *c.OnFailure.Destination))
		}
	}
	return s, errors.Join(errs...)
}

func seconds(value *int32, standard int) time.Duration {
	return time.Duration(number(value, standard)) * time.Second
}

func number(value *int32, standard int) int {
	if value == nil {
		return standard
	}
	return int(*value)
}
