package stream

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"
)

// Defaults of [StreamingCoreProps].
const (
	DefaultRetentionHours = 7 * 24
	DefaultRemovalPolicy  = awscdk.RemovalPolicy_RETAIN
)

// Kinesis keeps records for at least a day and at most a year.
// https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
const (
	minRetentionHours = 24
	maxRetentionHours = 8_760
)

// What a stream's maximum record size may be, in KiB; the least is what it is by itself.
// https://docs.aws.amazon.com/streams/latest/dev/large-records.html
const (
	minMaxRecordSize = 1_024
	maxMaxRecordSize = 10_240
)

// name is what Kinesis accepts as the name of a stream or of a consumer.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
var name = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

// StreamingCoreProps says how much the stream takes and how long it keeps it.
type StreamingCoreProps struct {
	// Shards is the number of shards of a provisioned stream. A shard takes
	// 1 MB/s or 1,000 records/s and gives 2 MB/s, whichever is reached first.
	//
	// Default: 0, an on-demand stream, which AWS scales by itself, unless Load is given.
	Shards int
	// Load makes a provisioned stream with as many shards as it needs ([Load.Shards]).
	//
	// Default: none. Not together with Shards.
	Load *Load
	// Retention is how long a record can be read again, whole hours from 24 to 8,760.
	// A deploy that shortens it makes what is older unreadable at once.
	//
	// Default: [DefaultRetentionHours], so that a consumer may stand still for a week.
	Retention awscdk.Duration
	// MaxRecordSize is the largest record, partition key included, that the stream takes:
	// 1 to 10 MiB in whole KiB. A stream with more than 1 MiB cannot be read by Lambda
	// functions, so by no transformer and no loader (see [RecordsFitLambda]).
	//
	// Default: 1 MiB, which is what Kinesis itself sets.
	MaxRecordSize awscdk.Size
	// ShardLevelMetrics are measured for each shard, at the price of custom metrics.
	// With INCOMING_BYTES, INCOMING_RECORDS or ALL there is an alarm for a hot shard.
	//
	// Default: none.
	ShardLevelMetrics []awskinesis.ShardLevelMetrics
	// SharedReaders names the applications that poll the stream (GetRecords) and are not
	// in this CDK app, such as those of the Kinesis Client Library or of another account, so that
	// they count for the warning about readers that throttle each other.
	//
	// Default: none; Lambda functions and delivery streams of this app are found.
	SharedReaders []string
	// Key encrypts the records at rest.
	//
	// Default: a new customer-managed key, rotated every year, with the stream's removal policy.
	Key awskms.IKey
	// StreamName is a fixed name, of 1 to 128 letters, digits, dots, hyphens and
	// underscores. A stream with a fixed name cannot be replaced by CloudFormation.
	//
	// Default: a name that CloudFormation makes.
	StreamName string
	// SkipAlarms leaves out the alarms that [StreamingCore.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
	// RemovalPolicy says what becomes of the stream, and of its key unless Key
	// is given, when they leave the stack.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *StreamingCoreProps) Validate() error {
	if p == nil {
		return nil
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(p.Shards < 0, "shards must be at least 1, or 0 for an on-demand stream, got %d", p.Shards)
	problem(p.Shards > 0 && p.Load != nil, "shards and load are both given: shards are counted from the load, give one of the two")
	errs = append(errs, p.Load.validate())
	if p.Retention != nil && !*p.Retention.IsUnresolved() {
		hours := *p.Retention.ToHours(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
		problem(!whole(hours, minRetentionHours, maxRetentionHours), "retention must be %d to %d whole hours, got %g", minRetentionHours, maxRetentionHours, hours)
	}
	if p.MaxRecordSize != nil && !*p.MaxRecordSize.IsUnresolved() {
		size := *p.MaxRecordSize.ToKibibytes(&awscdk.SizeConversionOptions{Rounding: awscdk.SizeRoundingBehavior_NONE})
		problem(!whole(size, minMaxRecordSize, maxMaxRecordSize), "max record size must be %d to %d whole KiB, got %g", minMaxRecordSize, maxMaxRecordSize, size)
	}
	problem(len(p.ShardLevelMetrics) > 1 && slices.Contains(p.ShardLevelMetrics, awskinesis.ShardLevelMetrics_ALL),
		"shard level metrics must be ALL alone, got %d", len(p.ShardLevelMetrics))
	for i, metric := range p.ShardLevelMetrics {
		problem(slices.Contains(p.ShardLevelMetrics[:i], metric), "shard level metrics must differ from each other, got %s twice", metric)
	}
	problem(slices.Contains(p.SharedReaders, ""), "shared readers must have names, got an empty one")
	problem(p.StreamName != "" && !*awscdk.Token_IsUnresolved(p.StreamName) && !name.MatchString(p.StreamName),
		"stream name must be 1 to 128 letters, digits, '.', '-' and '_', got %q", p.StreamName)
	problem(p.SkipAlarms && len(p.AlarmActions) > 0, "alarm actions are given and the alarms skipped: do one of the two")
	return errors.Join(errs...)
}

func whole(got, lowest, highest float64) bool {
	return got >= lowest && got <= highest && got == math.Trunc(got)
}

func (p *StreamingCoreProps) withDefaults() *StreamingCoreProps {
	q := StreamingCoreProps{}
	if p != nil {
		q = *p
	}
	if q.Retention == nil {
		q.Retention = awscdk.Duration_Hours(jsii.Number(DefaultRetentionHours))
	}
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}

// shards is how many shards the stream has, 0 if it is on-demand.
func (p *StreamingCoreProps) shards() int {
	if p.Load != nil {
		return p.Load.Shards()
	}
	return p.Shards
}
