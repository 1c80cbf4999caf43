package load

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/spec"
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

// minLag in seconds is a period of CloudWatch.
const minLag = 60

// What the loader's environment variables may have in all, and what of it is not for the tables:
// the host, the names, and what is around them.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	environmentBytes = 4_096
	addressBytes     = 512
)

// defaultRetentionHours is what a stream keeps that does not say.
// https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
const defaultRetentionHours = 24.0

// Validate reports every problem of the props in one error; what Timeout,
// MemoryMiB and Architecture may be is the function's to say (see package gofunc).
// It reads the files of Migrations, and changes nothing.
func (p *PostgresLoaderProps) Validate() error {
	if p == nil {
		p = new(PostgresLoaderProps)
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(p.Source == nil, "source is required: pass the stream to load from")
	problem(p.Database == nil, "database is required: pass the database to load into")
	errs = append(errs, p.validateTables(),
		between("batch size", p.BatchSize, maxBatchSize),
		whole("batch window", p.BatchWindow, awscdk.Duration.ToSeconds, 0, maxWindow, "seconds"),
		between("parallelization factor", p.ParallelizationFactor, maxParallelization),
	)
	problem(p.ReservedConcurrency < 0, "reserved concurrency must be at least 1, got %d", p.ReservedConcurrency)
	problem(p.ReservedConcurrency != 0 && p.SkipReservedConcurrency, "reserved concurrency is given and skipped: do one of the two")
	errs = append(errs, p.validateStart(),
		// Lambda takes -1 for attempts without an end: one batch could then hold up its shard until it expires.
		between("retry attempts", p.RetryAttempts, maxRetries),
		p.validateAge(),
	)
	problem(p.OnFailure != nil && p.FailureRetention != nil, "failure retention is of a new bucket, and a bucket is given: its lifecycle is its owner's")
	errs = append(errs,
		whole("failure retention", p.FailureRetention, awscdk.Duration.ToDays, 1, math.MaxInt32, "days"),
		whole("max lag", p.MaxLag, awscdk.Duration.ToSeconds, minLag, maxRecordAge, "seconds"),
	)
	problem(p.SkipAlarms && len(p.AlarmActions) > 0, "alarm actions are given and the alarms skipped: do one of the two")
	return errors.Join(append(errs, p.validateRollout())...)
}

// validateTables holds the declaration to the migrations, so that no loader meets a table without its columns.
func (p *PostgresLoaderProps) validateTables() error {
	files, err := p.migrations()
	if err != nil {
		return errors.Join(spec.ValidateTables(p.Tables), err)
	}
	if err := spec.CheckMigrations(files, p.Tables); err != nil {
		return err
	}
	text, err := json.Marshal(p.Tables)
	if err != nil {
		return fmt.Errorf("encoding tables: %w", err)
	}
	most := environmentBytes - addressBytes
	if p.Database != nil && !p.Database.Proxied() {
		most -= len(p.Database.CABundle())
	}
	if len(text) > most {
		return fmt.Errorf("tables must be at most %d bytes of JSON, which the function's environment has room for, got %d: take columns away, or out of payload in a view", most, len(text))
	}
	return nil
}

func (p *PostgresLoaderProps) validateStart() error {
	position := cmp.Or(p.StartingPosition, DefaultStartingPosition)
	at := position == awslambda.StartingPosition_AT_TIMESTAMP
	switch {
	case at && p.StartAt.IsZero():
		return errors.New("start at is required with the starting position AT_TIMESTAMP: pass the time to begin at")
	case !at && !p.StartAt.IsZero():
		return fmt.Errorf("start at is only for the starting position AT_TIMESTAMP, got %s", position)
	case at && p.StartAt.Before(time.Unix(0, 0)):
		return fmt.Errorf("start at must be later than 1970, got %s", p.StartAt.Format(time.RFC3339))
	case !at && position != awslambda.StartingPosition_TRIM_HORIZON && position != awslambda.StartingPosition_LATEST:
		return fmt.Errorf("starting position must be TRIM_HORIZON, LATEST or AT_TIMESTAMP, got %q", position)
	}
	return nil
}

// validateAge holds the age to the stream's retention too, as far as it is known.
func (p *PostgresLoaderProps) validateAge() error {
	const subject = "max record age"
	if err := whole(subject, p.MaxRecordAge, awscdk.Duration.ToSeconds, minRecordAge, maxRecordAge, "seconds"); err != nil {
		return err
	}
	if p.Source == nil || p.MaxRecordAge == nil || *p.MaxRecordAge.IsUnresolved() {
		return nil // the default is less than any retention
	}
	stream, made := p.Source.Node().DefaultChild().(awskinesis.CfnStream)
	if !made {
		return nil
	}
	retention := defaultRetentionHours
	if hours := stream.RetentionPeriodHours(); hours != nil {
		retention = *hours
	}
	if *awscdk.Token_IsUnresolved(retention) {
		return nil
	}
	if hours := *p.MaxRecordAge.ToHours(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)}); hours >= retention {
		return fmt.Errorf("%s must be less than the retention of source, %g hours, or records expire before they are kept on failure, got %g hours", subject, retention, hours)
	}
	return nil
}

// between checks a number whose zero stands for its default.
func between(subject string, got, highest int) error {
	if 0 <= got && got <= highest {
		return nil
	}
	return fmt.Errorf("%s must be 1 to %d, got %d", subject, highest, got)
}

// whole checks a duration whose nil stands for its default.
func whole(subject string, got awscdk.Duration, in func(awscdk.Duration, *awscdk.TimeConversionOptions) *float64, lowest, highest int, unit string) error {
	if got == nil || *got.IsUnresolved() {
		return nil
	}
	n := *in(got, &awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	if n >= float64(lowest) && n <= float64(highest) && n == float64(int(n)) {
		return nil
	}
	return fmt.Errorf("%s must be %d to %d whole %s, got %g", subject, lowest, highest, unit, n)
}
