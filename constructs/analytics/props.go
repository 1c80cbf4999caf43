package analytics

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisanalyticsv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/internal/flinkapp"
)

// Defaults of [StreamAnalyticsProps].
const (
	DefaultParallelism       = 1
	DefaultParallelismPerKPU = 1
	// DefaultCheckpointSeconds is what the service has: how much is computed again after a failure.
	DefaultCheckpointSeconds  = 60
	DefaultIdleTimeoutSeconds = 60
	DefaultMaxLagMinutes      = 5
	DefaultLogRetention       = awslogs.RetentionDays_ONE_MONTH
	DefaultRemovalPolicy      = awscdk.RemovalPolicy_RETAIN
)

// What the service takes.
const (
	maxParallelism       = 256 // of 64 KPUs, the default quota: https://docs.aws.amazon.com/managed-flink/latest/java/limits.html
	maxParallelismPerKPU = 8   // https://docs.aws.amazon.com/managed-flink/latest/java/how-scaling.html
	maxTables            = 48  // of 50 property groups, two of which are ours
)

// StreamAnalyticsProps says what is computed, on what, and with how much.
type StreamAnalyticsProps struct {
	// SQL are the paths of the .sql files, in the order in which they run, each relative to the working
	// directory, which under the CDK CLI is cdk.json's. They declare tables without a WITH clause, make views, and
	// INSERT; all INSERTs are one job. Required.
	SQL []string
	// Tables says where each table is that the files declare. Required.
	Tables []Table
	// Connector is the path of the JAR file of Flink's Kinesis SQL connector for [FlinkVersion] (docs/analytics.md says how to get it),
	// which goes into the archive.
	//
	// Default: none, with a warning at synth if a table is a stream: such an application cannot run.
	Connector string
	// ConnectorSHA256 is what Connector must have, in hexadecimal digits. Only with Connector.
	//
	// Default: any file is taken.
	ConnectorSHA256 string
	// Parallelism is how many subtasks an operator has at the start, 1 to 256.
	//
	// Default: [DefaultParallelism].
	Parallelism int
	// ParallelismPerKPU is how many of them share a Kinesis Processing Unit (1 vCPU, 4 GB), 1 to 8.
	//
	// Default: [DefaultParallelismPerKPU].
	ParallelismPerKPU int
	// SkipAutoScaling keeps the parallelism what it is. Otherwise the service changes it by the use of the processor.
	//
	// Default: false.
	SkipAutoScaling bool
	// CheckpointInterval is the time between two checkpoints, at least a second.
	//
	// Default: [DefaultCheckpointSeconds] seconds.
	CheckpointInterval awscdk.Duration
	// IdleTimeout is after how long without a record a shard no longer holds up the windows, at least a second.
	//
	// Default: [DefaultIdleTimeoutSeconds] seconds.
	IdleTimeout awscdk.Duration
	// Vpc connects the application to a VPC, in which it needs a way to Kinesis, S3 and CloudWatch Logs.
	//
	// Default: it runs outside any VPC of yours.
	Vpc awsec2.IVpc
	// VpcSubnets chooses subnets of Vpc.
	//
	// Default: CDK's choice, the private subnets.
	VpcSubnets *awsec2.SubnetSelection
	// SecurityGroups of the application's network interfaces in Vpc.
	//
	// Default: one new group that lets out HTTPS alone.
	SecurityGroups []awsec2.ISecurityGroup
	// MaxLag is how far behind the stream the application may be before there is an alarm, at least a minute.
	//
	// Default: [DefaultMaxLagMinutes] minutes.
	MaxLag awscdk.Duration
	// SkipAlarms leaves out the alarms that [StreamAnalytics.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
	// LogRetention is how long the application's log is kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the log group when the application goes.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// Configure edits the L1 props last, after every default is set.
	//
	// Default: no change.
	Configure func(*awskinesisanalyticsv2.CfnApplicationProps)
}

// Validate reports every problem of the props, and of the files that they name, in one error.
func (p *StreamAnalyticsProps) Validate() error {
	if p == nil {
		p = new(StreamAnalyticsProps)
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(len(p.SQL) == 0, "sql is required: name the .sql files to run")
	problem(len(p.Tables) == 0, "tables are required: say where each table of the .sql files is")
	problem(len(p.Tables) > maxTables, "tables must be at most %d, got %d", maxTables, len(p.Tables))
	for _, table := range p.Tables {
		errs = append(errs, table.validate())
	}
	errs = append(errs, p.validateFiles(), p.validateConnector())
	problem(p.Parallelism < 0 || p.Parallelism > maxParallelism, "parallelism must be 1 to %d, got %d", maxParallelism, p.Parallelism)
	problem(p.ParallelismPerKPU < 0 || p.ParallelismPerKPU > maxParallelismPerKPU, "parallelism per KPU must be 1 to %d, got %d", maxParallelismPerKPU, p.ParallelismPerKPU)
	atLeast := func(what string, least float64, got awscdk.Duration) {
		if got != nil && !*got.IsUnresolved() {
			seconds := *got.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
			problem(seconds < least, "%s must be at least %g seconds, got %g", what, least, seconds)
		}
	}
	atLeast("checkpoint interval", 1, p.CheckpointInterval)
	atLeast("idle timeout", 1, p.IdleTimeout)
	atLeast("max lag", 60, p.MaxLag)
	problem(p.Vpc == nil && (p.VpcSubnets != nil || len(p.SecurityGroups) > 0), "vpc subnets or security groups are given without a vpc: give the vpc too")
	problem(p.SkipAlarms && len(p.AlarmActions) > 0, "alarm actions are given and the alarms skipped: do one of the two")
	return errors.Join(errs...)
}

// validateFiles holds the tables that the files declare to those that Tables places.
func (p *StreamAnalyticsProps) validateFiles() error {
	var errs []error
	var declared []string
	for _, path := range p.SQL {
		text, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("sql: %w", err))
			continue
		}
		declared = append(declared, flinkapp.Tables(string(text))...)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	var placed []string
	for _, table := range p.Tables {
		if slices.Contains(placed, table.Name) {
			errs = append(errs, fmt.Errorf("table %s is given twice", table.Name))
		}
		placed = append(placed, table.Name)
		if !slices.Contains(declared, table.Name) {
			errs = append(errs, fmt.Errorf("table %s is declared in no .sql file: those declare %q", table.Name, declared))
		}
	}
	for _, name := range declared {
		if !slices.Contains(placed, name) {
			errs = append(errs, fmt.Errorf("table %s of the .sql files has no place: add it to the tables", name))
		}
	}
	return errors.Join(errs...)
}

func (p *StreamAnalyticsProps) validateConnector() error {
	if p.Connector == "" {
		if p.ConnectorSHA256 != "" {
			return errors.New("connector SHA-256 is given without a connector: give the connector too")
		}
		return nil
	}
	content, err := os.ReadFile(p.Connector)
	if err != nil {
		return fmt.Errorf("connector: %w", err)
	}
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); p.ConnectorSHA256 != "" && p.ConnectorSHA256 != got {
		return fmt.Errorf("connector %s must have the SHA-256 %s, got %s", filepath.Base(p.Connector), p.ConnectorSHA256, got)
	}
	return nil
}

func (p *StreamAnalyticsProps) withDefaults() *StreamAnalyticsProps {
	q := *p
	q.Parallelism = cmp.Or(q.Parallelism, DefaultParallelism)
	q.ParallelismPerKPU = cmp.Or(q.ParallelismPerKPU, DefaultParallelismPerKPU)
	if q.CheckpointInterval == nil {
		q.CheckpointInterval = awscdk.Duration_Seconds(jsii.Number(DefaultCheckpointSeconds))
	}
	if q.IdleTimeout == nil {
		q.IdleTimeout = awscdk.Duration_Seconds(jsii.Number(DefaultIdleTimeoutSeconds))
	}
	if q.MaxLag == nil {
		q.MaxLag = awscdk.Duration_Minutes(jsii.Number(DefaultMaxLagMinutes))
	}
	q.LogRetention = cmp.Or(q.LogRetention, DefaultLogRetention)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}
