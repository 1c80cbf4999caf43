package eventsource

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
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
	stream          string // ARN
	region          string
	start           kinesistypes.ShardIteratorType
	batchSize       int
	window          time.Duration
	parallelization int
	reportsFailures bool
	bisect          bool
	retries         int           // forever: until it succeeds
	maxAge          time.Duration // negative: any age
	onFailure       arn.ARN       // of an S3 bucket or an SQS queue; empty: none
}

// newSettings reads a mapping. Its error names everything that is not supported.
func newSettings(m types.EventSourceMappingConfiguration, source arn.ARN) (settings, error) {
	s := settings{
		uuid:            aws.ToString(m.UUID),
		function:        aws.ToString(m.FunctionArn),
		stream:          aws.ToString(m.EventSourceArn),
		region:          source.Region,
		batchSize:       number(m.BatchSize, defaultBatchSize),
		window:          time.Duration(number(m.MaximumBatchingWindowInSeconds, 0)) * time.Second,
		parallelization: number(m.ParallelizationFactor, defaultParallelization),
		reportsFailures: slices.Contains(m.FunctionResponseTypes, types.FunctionResponseTypeReportBatchItemFailures),
		bisect:          aws.ToBool(m.BisectBatchOnFunctionError),
		retries:         number(m.MaximumRetryAttempts, forever),
		maxAge:          time.Duration(number(m.MaximumRecordAgeInSeconds, forever)) * time.Second,
	}
	var errs []error
	switch m.StartingPosition {
	case types.EventSourcePositionTrimHorizon:
		s.start = kinesistypes.ShardIteratorTypeTrimHorizon
	case types.EventSourcePositionLatest:
		s.start = kinesistypes.ShardIteratorTypeLatest
	default:
		errs = append(errs, fmt.Errorf("starting position must be TRIM_HORIZON or LATEST, got %q", m.StartingPosition))
	}
	if m.FilterCriteria != nil && len(m.FilterCriteria.Filters) > 0 {
		errs = append(errs, errors.New("filter criteria are not supported"))
	}
	if number(m.TumblingWindowInSeconds, 0) > 0 {
		errs = append(errs, errors.New("tumbling windows are not supported"))
	}
	if c := m.DestinationConfig; c != nil && c.OnFailure != nil && aws.ToString(c.OnFailure.Destination) != "" {
		destination, err := arn.Parse(*c.OnFailure.Destination)
		if err != nil || destination.Service != "s3" && destination.Service != "sqs" {
			errs = append(errs, fmt.Errorf("on-failure destination must be an S3 bucket or an SQS queue, got %q", *c.OnFailure.Destination))
		}
		s.onFailure = destination
	}
	return s, errors.Join(errs...)
}

func number(value *int32, standard int) int {
	if value == nil {
		return standard
	}
	return int(*value)
}
