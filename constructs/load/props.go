package load

import (
	"cmp"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
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
	// DefaultStartingPosition leaves out nothing that the stream has.
	DefaultStartingPosition = awslambda.StartingPosition_TRIM_HORIZON
	// DefaultMaxLagMinutes is far above what loading takes, and less than a failover with its aftermath.
	DefaultMaxLagMinutes  = 5
	DefaultTimeoutSeconds = 60
	DefaultMemoryMiB      = 512
	DefaultLogRetention   = awslogs.RetentionDays_ONE_MONTH
	DefaultRemovalPolicy  = awscdk.RemovalPolicy_RETAIN
)

// PostgresLoaderProps says what is loaded, into which database and how.
type PostgresLoaderProps struct {
	// Source is the stream whose events become rows. Required.
	Source awskinesis.IStream
	// Database takes the rows. Required.
	Database database.Database
	// Tables are filled beside the table events (docs/loading.md). The loader carries their
	// declaration in its environment, which bounds them to some dozens of columns.
	//
	// Default: none.
	Tables []spec.Table
	// Migrations is the folder of the reviewed .sql files that make Tables, the newest of which
	// leads to them. They are applied during the deploy. A path that is not absolute is
	// relative to the working directory, which under the CDK CLI is cdk.json's. Required with Tables.
	//
	// Default: none.
	Migrations string
	// StartingPosition is where in the stream a new mapping begins, of each shard.
	// A change replaces the mapping, and the new one begins there anew.
	//
	// Default: [DefaultStartingPosition].
	StartingPosition awslambda.StartingPosition
	// StartAt is the time from which on records are loaded, in the past, to the second.
	// Only with AT_TIMESTAMP, which needs it.
	//
	// Default: none.
	StartAt time.Time
	// Disabled stops the loading, as long as it is set, and where it will go on: what comes meanwhile
	// waits in the stream for as long as its retention.
	//
	// Default: false.
	Disabled bool
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
	// ReservedConcurrency is how many invocations there may be at a time, and with it how many
	// connections to the database. It is taken out of what the account has for all its functions, of which
	// 100 must stay unreserved: a new account may have less
	// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
	//
	// Default: ParallelizationFactor for each shard of Source, of which a Source on demand, or of another
	// app, is taken to have [AssumedShards].
	ReservedConcurrency int
	// SkipReservedConcurrency lets the loader have as many invocations as it finds. On
	// demand, nothing then bounds its connections.
	//
	// Default: false.
	SkipReservedConcurrency bool
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
	// Default: a new private bucket, encrypted with Source's key if it has one.
	OnFailure awss3.IBucket
	// FailureRetention is how long the new bucket keeps failed batches, in whole days; then they
	// are lost, unless they were replayed. A deleted one can be had back for 30 days.
	//
	// Default: for ever.
	FailureRetention awscdk.Duration
	// MaxLag is how much later than its event a row may come before there is an alarm, at least a minute.
	//
	// Default: [DefaultMaxLagMinutes] minutes more than BatchWindow.
	MaxLag awscdk.Duration
	// Rollout has a change of the loader take over step by step, and go back by itself: the mapping
	// then invokes an alias that CodeDeploy moves (docs/rollout.md).
	//
	// Default: none; a change takes over at once, when it is deployed.
	Rollout *rollout.Options
	// SkipAlarms leaves out the alarms that [PostgresLoader.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
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

func (p *PostgresLoaderProps) withDefaults() *PostgresLoaderProps {
	q := *p
	q.BatchSize = cmp.Or(q.BatchSize, DefaultBatchSize)
	if q.BatchWindow == nil {
		q.BatchWindow = awscdk.Duration_Seconds(jsii.Number(DefaultBatchWindowSeconds))
	}
	q.ParallelizationFactor = cmp.Or(q.ParallelizationFactor, DefaultParallelizationFactor)
	q.StartingPosition = cmp.Or(q.StartingPosition, DefaultStartingPosition)
	if q.MaxLag == nil {
		q.MaxLag = awscdk.Duration_Minutes(jsii.Number(DefaultMaxLagMinutes))
		if !*q.BatchWindow.IsUnresolved() {
			q.MaxLag = q.MaxLag.Plus(q.BatchWindow)
		}
	}
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
