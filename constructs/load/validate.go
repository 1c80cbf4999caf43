package load

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"

	"github.com/millrace-cdk/millrace/constructs/internal/poll"
	"github.com/millrace-cdk/millrace/spec"
)

// maxParallelization is Lambda's: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
const maxParallelization = 10

// minLag in seconds is a period of CloudWatch.
const minLag = 60

// What the loader's environment variables may have in all, and what of it is not for the tables:
// the host, the names, and what is around them.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	environmentBytes = 4_096
	addressBytes     = 512
)

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
		poll.Between("batch size", p.BatchSize, poll.MaxBatchSize),
		poll.Whole("batch window", p.BatchWindow, awscdk.Duration.ToSeconds, 0, poll.MaxBatchWindowSeconds, "seconds"),
		poll.Between("parallelization factor", p.ParallelizationFactor, maxParallelization),
	)
	problem(p.ReservedConcurrency < 0, "reserved concurrency must be at least 1, got %d", p.ReservedConcurrency)
	problem(p.ReservedConcurrency != 0 && p.SkipReservedConcurrency, "reserved concurrency is given and skipped: do one of the two")
	errs = append(errs, p.validateStart(),
		// Lambda takes -1 for attempts without an end: one batch could then hold up its shard until it expires.
		poll.Between("retry attempts", p.RetryAttempts, poll.MaxRetries),
		poll.ValidateAge(p.Source, p.MaxRecordAge),
	)
	problem(p.OnFailure != nil && p.FailureRetention != nil, "failure retention is of a new bucket, and a bucket is given: its lifecycle is its owner's")
	errs = append(errs,
		poll.Whole("failure retention", p.FailureRetention, awscdk.Duration.ToDays, 1, math.MaxInt32, "days"),
		poll.Whole("max lag", p.MaxLag, awscdk.Duration.ToSeconds, minLag, poll.MaxRecordAgeSeconds, "seconds"),
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
