package analytics

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/poll"
	"github.com/millrace-cdk/millrace/spec"
)

// Defaults of [WindowedAggregateProps].
const (
	DefaultWindowSeconds   = 60
	DefaultWindowEventType = "window"
	// DefaultWindowBatchSize is what a function of [DefaultWindowMemoryMiB] takes in in well under a second.
	DefaultWindowBatchSize          = 1_000
	DefaultWindowBatchWindowSeconds = 1
	// DefaultWindowRetryAttempts lets a batch outlast a stream of results that is full, or out of reach.
	DefaultWindowRetryAttempts = 500
	// DefaultWindowMaxRecordAgeHours is half of what every stream keeps at least: records
	// must not expire in the stream before Lambda has put them into the bucket.
	DefaultWindowMaxRecordAgeHours = 12
	DefaultWindowMaxLagMinutes     = 5
	DefaultWindowTimeoutSeconds    = 60
	DefaultWindowMemoryMiB         = 512
	DefaultWindowLogRetention      = awslogs.RetentionDays_ONE_MONTH
	DefaultWindowRemovalPolicy     = awscdk.RemovalPolicy_RETAIN
)

// What Lambda accepts for a tumbling window, in seconds.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
const maxWindowSeconds = 900

// minWindowLagSeconds is a period of CloudWatch.
const minWindowLagSeconds = 60

// maxDeclarationBytes leaves room in a function's environment of 4,096 bytes for the name of the stream of results.
const maxDeclarationBytes = 3_500

// WindowedAggregateProps says what is counted and summed, over which windows.
type WindowedAggregateProps struct {
	// Source is the stream whose events are aggregated. Required.
	Source awskinesis.IStream
	// Key is where in an event the key stands, as $.device.id, $.tags[0] or $['odd name'].
	// Its value is a text of up to 512 bytes, a number or a boolean.
	//
	// Default: none, so that all events of a window are one group.
	Key string
	// Values are the numbers of which there is a sum, a least and a greatest. They are
	// added as decimals, exactly: 20 digits before the point and 30 after it.
	//
	// Default: none; events are counted.
	Values []spec.WindowValue
	// EventTypes are the values of event_type that are aggregated.
	//
	// Default: every event.
	EventTypes []string
	// EventType is the event_type of the results; the events without a usable key are
	// counted in results whose event_type ends with .unusable.
	//
	// Default: [DefaultWindowEventType].
	EventType string
	// Window is how long a window is, 1 to 900 whole seconds. Windows begin at whole multiples of it since 1970.
	//
	// Default: [DefaultWindowSeconds] seconds.
	Window awscdk.Duration
	// Lateness is how long before its window's start an event may have occurred (occurred_at)
	// without counting as late, in whole seconds. A late event is in the sums of the window in which it came.
	//
	// Default: 0.
	Lateness awscdk.Duration
	// Results takes the results. It must not be Source.
	//
	// Default: a new stream as [stream.NewStreamingCore] makes it.
	Results awskinesis.IStream
	// StartingPosition is where in the stream a new mapping begins, TRIM_HORIZON or LATEST.
	// A change replaces the mapping, and the new one begins there anew.
	//
	// Default: TRIM_HORIZON, so that nothing is left out that the stream has.
	StartingPosition awslambda.StartingPosition
	// Disabled stops the aggregation, as long as it is set, and where it will go on: what comes meanwhile
	// waits in the stream for as long as its retention.
	//
	// Default: false.
	Disabled bool
	// BatchSize is the most records one invocation gets, 1 to 10,000.
	//
	// Default: [DefaultWindowBatchSize].
	BatchSize int
	// BatchWindow is how long Lambda gathers records for a batch that is not full, 0 to 300 whole seconds.
	//
	// Default: [DefaultWindowBatchWindowSeconds] second.
	BatchWindow awscdk.Duration
	// RetryAttempts is how often a batch is tried again, 1 to 10,000, before it goes to OnFailure.
	//
	// Default: [DefaultWindowRetryAttempts].
	RetryAttempts int
	// MaxRecordAge is how old a record may become before it goes to OnFailure, 60
	// seconds to 7 days. It must be less than Source's retention: else records
	// expire in the stream and are lost.
	//
	// Default: [DefaultWindowMaxRecordAgeHours] hours.
	MaxRecordAge awscdk.Duration
	// OnFailure keeps the batches that could not be aggregated, whole, under aws/lambda/.
	//
	// Default: a new private bucket, encrypted with Source's key if it has one.
	OnFailure awss3.IBucket
	// FailureRetention is how long the new bucket keeps failed batches, in whole days.
	//
	// Default: for ever.
	FailureRetention awscdk.Duration
	// MaxLag is how much later than its event a batch may be taken in before there is an alarm, at least a minute.
	//
	// Default: [DefaultWindowMaxLagMinutes] minutes more than BatchWindow.
	MaxLag awscdk.Duration
	// SkipAlarms leaves out the alarms that [WindowedAggregate.Alarms] lists, and those of a new stream of results.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
	// Architecture is the function's processor.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
	// Timeout is how long the function may take for a batch, 1 to 900 seconds.
	//
	// Default: [DefaultWindowTimeoutSeconds] seconds.
	Timeout awscdk.Duration
	// MemoryMiB is the function's memory in MiB, 128 to 10,240.
	//
	// Default: [DefaultWindowMemoryMiB].
	MemoryMiB int
	// LogRetention is how long the function's log is kept.
	//
	// Default: [DefaultWindowLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the new bucket, the new stream and the log
	// when the aggregate leaves the stack. CloudFormation deletes only an empty bucket.
	//
	// Default: [DefaultWindowRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// Configure edits the L2 props of the function last, after every default is set.
	//
	// Default: no change.
	Configure func(*awslambda.FunctionProps)
}

// Validate reports every problem of the props in one error; what Timeout,
// MemoryMiB and Architecture may be is the function's to say (see package gofunc).
func (p *WindowedAggregateProps) Validate() error {
	if p == nil {
		p = new(WindowedAggregateProps)
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(p.Source == nil, "source is required: pass the stream to aggregate")
	problem(p.Source != nil && p.Results != nil && *p.Source.Node().Path() == *p.Results.Node().Path(),
		"results must be another stream than source: the aggregator would count its own results")
	problem(p.StartingPosition != "" && p.StartingPosition != awslambda.StartingPosition_TRIM_HORIZON && p.StartingPosition != awslambda.StartingPosition_LATEST,
		"starting position must be TRIM_HORIZON or LATEST, got %q", p.StartingPosition)
	errs = append(errs,
		p.validateDeclaration(),
		poll.Whole("window", p.Window, awscdk.Duration.ToSeconds, 1, maxWindowSeconds, "seconds"),
		poll.Whole("lateness", p.Lateness, awscdk.Duration.ToSeconds, 0, math.MaxInt32, "seconds"),
		poll.Between("batch size", p.BatchSize, poll.MaxBatchSize),
		poll.Whole("batch window", p.BatchWindow, awscdk.Duration.ToSeconds, 0, poll.MaxBatchWindowSeconds, "seconds"),
		// Lambda takes -1 for attempts without an end: one batch could then hold up its shard until it expires.
		poll.Between("retry attempts", p.RetryAttempts, poll.MaxRetries),
		poll.ValidateAge(p.Source, p.MaxRecordAge),
		poll.Whole("failure retention", p.FailureRetention, awscdk.Duration.ToDays, 1, math.MaxInt32, "days"),
		poll.Whole("max lag", p.MaxLag, awscdk.Duration.ToSeconds, minWindowLagSeconds, poll.MaxRecordAgeSeconds, "seconds"),
	)
	problem(p.Lateness != nil && *p.Lateness.IsUnresolved(), "lateness must be known at synth: the function carries it")
	problem(p.OnFailure != nil && p.FailureRetention != nil, "failure retention is of a new bucket, and a bucket is given: its lifecycle is its owner's")
	problem(p.SkipAlarms && len(p.AlarmActions) > 0, "alarm actions are given and the alarms skipped: do one of the two")
	return errors.Join(errs...)
}

func (p *WindowedAggregateProps) validateDeclaration() error {
	w := p.declared("")
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encoding the declaration: %w", err)
	}
	if len(text) > maxDeclarationBytes {
		err = fmt.Errorf("key, values and event types must be at most %d bytes of JSON, which the function's environment has room for, got %d", maxDeclarationBytes, len(text))
	}
	return errors.Join(w.Validate(), err)
}

// declared is what the function is told; results is the stream's ARN.
func (p *WindowedAggregateProps) declared(results string) spec.Windows {
	w := spec.Windows{
		Results: results, EventType: cmp.Or(p.EventType, DefaultWindowEventType), EventTypes: p.EventTypes, Key: p.Key, Values: p.Values,
	}
	if p.Lateness != nil && !*p.Lateness.IsUnresolved() {
		w.LatenessSeconds = int(*p.Lateness.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)}))
	}
	return w
}

func (p *WindowedAggregateProps) withDefaults() *WindowedAggregateProps {
	q := *p
	seconds := func(d *awscdk.Duration, n float64) {
		if *d == nil {
			*d = awscdk.Duration_Seconds(&n)
		}
	}
	q.StartingPosition = cmp.Or(q.StartingPosition, awslambda.StartingPosition_TRIM_HORIZON)
	q.BatchSize = cmp.Or(q.BatchSize, DefaultWindowBatchSize)
	q.RetryAttempts = cmp.Or(q.RetryAttempts, DefaultWindowRetryAttempts)
	seconds(&q.Window, DefaultWindowSeconds)
	seconds(&q.BatchWindow, DefaultWindowBatchWindowSeconds)
	seconds(&q.MaxRecordAge, DefaultWindowMaxRecordAgeHours*3600)
	seconds(&q.Timeout, DefaultWindowTimeoutSeconds)
	if q.MaxLag == nil {
		q.MaxLag = awscdk.Duration_Minutes(jsii.Number(DefaultWindowMaxLagMinutes))
		if !*q.BatchWindow.IsUnresolved() {
			q.MaxLag = q.MaxLag.Plus(q.BatchWindow)
		}
	}
	q.MemoryMiB = cmp.Or(q.MemoryMiB, DefaultWindowMemoryMiB)
	q.LogRetention = cmp.Or(q.LogRetention, DefaultWindowLogRetention)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultWindowRemovalPolicy)
	return &q
}
