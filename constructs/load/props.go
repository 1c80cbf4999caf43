package load

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
)

// Defaults of [PostgresLoaderProps].
const (
	// DefaultBatchSize is large enough for one insert to be cheap by the row, and
	// small enough for a failed one to be cheap to repeat. Events of more than some
	// 9 KB fill Lambda's payload of 6 MB before that (4.5 MB once in base64).
	DefaultBatchSize             = 500
	DefaultBatchWindowSeconds    = 1
	DefaultParallelizationFactor = 1
	// DefaultRetryAttempts lets a batch outlast a failover or a restart of the
	// database, which refuses connections, and so costs attempts, at once. What no attempt
	// can store is quarantined by the loader and costs none.
	DefaultRetryAttempts = 500
	// DefaultMaxRecordAgeHours is half of what every stream keeps at least: records
	// must not expire in the stream before Lambda has put them into the bucket.
	DefaultMaxRecordAgeHours = 12
	DefaultTimeoutSeconds    = 60
	DefaultMemoryMiB         = 512
	DefaultLogRetention      = awslogs.RetentionDays_ONE_MONTH
	DefaultRemovalPolicy     = awscdk.RemovalPolicy_RETAIN
)

// What Lambda accepts: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
const (
	maxBatchSize       = 10_000
	maxWindow          = 300 // seconds
	maxParallelization = 10
	maxRetries         = 10_000
	minRecordAge       = 60      // seconds
	maxRecordAge       = 604_800 // seconds, a week
)

// PostgresLoaderProps says what is loaded, into which database and how.
type PostgresLoaderProps struct {
	// Source is the stream whose events become rows. Required.
	Source awskinesis.IStream
	// Database takes the rows. Required.
	Database database.Database
	// BatchSize is the most records one invocation gets, 1 to 10,000.
	//
	// Default: [DefaultBatchSize].
	BatchSize int
	// BatchWindow is how long Lambda gathers records for a batch that is not full, 0
	// to 300 whole seconds: the price of larger batches is that rows come later.
	//
	// Default: [DefaultBatchWindowSeconds] second.
	BatchWindow awscdk.Duration
	// ParallelizationFactor is the number of batches of one shard that are
	// loaded at the same time, 1 to 10; each holds a connection to the database.
	//
	// Default: [DefaultParallelizationFactor].
	ParallelizationFactor int
	// RetryAttempts is how often a batch is tried again, 1 to 10,000, before it
	// goes to OnFailure.
	//
	// Default: [DefaultRetryAttempts].
	RetryAttempts int
	// MaxRecordAge is how old a record may become before it goes to OnFailure, 60
	// seconds to 7 days. It must be less than Source's retention: else records
	// expire in the stream and are lost.
	//
	// Default: [DefaultMaxRecordAgeHours] hours.
	MaxRecordAge awscdk.Duration
	// OnFailure keeps the batches that could not be loaded, whole, under aws/lambda/.
	//
	// Default: a new private bucket that nothing expires in, encrypted with Source's key if it has one.
	OnFailure awss3.IBucket
	// Architecture is the functions' processor.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
	// Timeout is how long the loader may take for a batch, 1 to 900 seconds.
	//
	// Default: [DefaultTimeoutSeconds] seconds.
	Timeout awscdk.Duration
	// MemoryMiB is the loader's memory in MiB, 128 to 10,240.
	//
	// Default: [DefaultMemoryMiB].
	MemoryMiB int
	// LogRetention is how long the functions' logs are kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the new bucket and of the logs when the
	// loader leaves the stack. CloudFormation deletes only an empty bucket.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// Configure edits the L2 props of the loader's function last, after every default is set.
	//
	// Default: no change.
	Configure func(*awslambda.FunctionProps)
}

// Validate reports every problem of the props in one error; what Timeout,
// MemoryMiB and Architecture may be is the function's to say (see package gofunc).
func (p *PostgresLoaderProps) Validate() error {
	if p == nil {
		p = new(PostgresLoaderProps)
	}
	var errs []error
	if p.Source == nil {
		errs = append(errs, errors.New("source is required: pass the stream to load from"))
	}
	if p.Database == nil {
		errs = append(errs, errors.New("database is required: pass the database to load into"))
	}
	errs = append(errs,
		between("batch size", p.BatchSize, maxBatchSize),
		seconds("batch window", p.BatchWindow, 0, maxWindow),
		between("parallelization factor", p.ParallelizationFactor, maxParallelization),
		// Lambda takes -1 for attempts without an end: one batch could then hold up its shard until it expires.
		between("retry attempts", p.RetryAttempts, maxRetries),
		seconds("max record age", p.MaxRecordAge, minRecordAge, maxRecordAge),
	)
	return errors.Join(errs...)
}

// between checks a number whose zero stands for its default.
func between(subject string, got, highest int) error {
	if 0 <= got && got <= highest {
		return nil
	}
	return fmt.Errorf("%s must be 1 to %d, got %d", subject, highest, got)
}

// seconds checks a duration whose nil stands for its default.
func seconds(subject string, got awscdk.Duration, lowest, highest int) error {
	if got == nil || *got.IsUnresolved() {
		return nil
	}
	n := *got.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	if n >= float64(lowest) && n <= float64(highest) && n == float64(int(n)) {
		return nil
	}
	return fmt.Errorf("%s must be %d to %d whole seconds, got %g", subject, lowest, highest, n)
}

func (p *PostgresLoaderProps) withDefaults() *PostgresLoaderProps {
	q := *p
	q.BatchSize = cmp.Or(q.BatchSize, DefaultBatchSize)
	if q.BatchWindow == nil {
		q.BatchWindow = awscdk.Duration_Seconds(jsii.Number(DefaultBatchWindowSeconds))
	}
	q.ParallelizationFactor = cmp.Or(q.ParallelizationFactor, DefaultParallelizationFactor)
	q.RetryAttempts = cmp.Or(q.RetryAttempts, DefaultRetryAttempts)
	if q.MaxRecordAge == nil {
		q.MaxRecordAge = awscdk.Duration_Hours(jsii.Number(DefaultMaxRecordAgeHours))
	}
	if q.Timeout == nil {
		q.Timeout = awscdk.Duration_Seconds(jsii.Number(DefaultTimeoutSeconds))
	}
	q.MemoryMiB = cmp.Or(q.MemoryMiB, DefaultMemoryMiB)
	q.LogRetention = cmp.Or(q.LogRetention, DefaultLogRetention)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}
