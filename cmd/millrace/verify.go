package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/cmd/millrace/verify"
)

// settled is when what has arrived is at rest, if all goes well: Firehose buffers for 15 minutes at most.
const settled = 15 * time.Minute

type verifyCmd struct {
	Env    string     `help:"The environment." default:"local"`
	Since  time.Time  `help:"Only what arrived then or later: 2026-01-02T03:04:05Z."`
	Before *time.Time `help:"Only what arrived before. Default: 15 minutes ago, since what came later may be under way."`
	JSON   bool       `help:"Print the report as JSON, with every identity that is missing." name:"json"`
}

// Validate is kong's: what it returns is a wrong usage.
func (c *verifyCmd) Validate() error {
	if c.Before != nil && !c.Since.Before(*c.Before) {
		return errors.New("--since must be before --before")
	}
	return nil
}

// Run compares and prints the report. It fails if there is a difference.
func (c *verifyCmd) Run(ctx context.Context, cli *CLI) error {
	before := time.Now().Add(-settled)
	if c.Before != nil {
		before = *c.Before
	}
	e, err := reach(ctx, cli.Root, c.Env)
	if err != nil {
		return err
	}
	stream, err := replay.NewStream(ctx, kinesis.NewFromConfig(e.aws), e.stream)
	if err != nil {
		return err
	}
	report, err := e.verify(ctx, stream.ARN, c.Since, before)
	if err != nil && !errors.Is(err, verify.ErrDifferent) {
		return err
	}
	if c.JSON {
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(report))
	}
	return errors.Join(err, report.Print(os.Stdout))
}

// verify compares the lake of a stream with the database.
func (e *reached) verify(ctx context.Context, streamARN string, since, before time.Time) (report verify.Report, err error) {
	db, err := e.connect(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	bar := newBar("comparing")
	report, err = verify.Run(ctx, verify.Config{
		DB: db, Since: since, Before: before,
		Lake: func(ctx context.Context, from, to time.Time) (replay.Source, error) {
			return e.lake(ctx, streamARN, from, to)
		},
		// The bar draws itself to standard error; that it cannot is no reason to stop.
		Progress: func(read int) { _ = bar.Set(read) },
	})
	return report, errors.Join(err, bar.Finish())
}

// lake is where the deliveries of a stream write JSON lines.
func (e *reached) lake(ctx context.Context, streamARN string, from, to time.Time) (*replay.Objects, error) {
	found, err := replay.LakeLocations(ctx, firehose.NewFromConfig(e.aws), streamARN, from, to)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errors.New("no delivery of the stream writes JSON lines to S3")
	}
	// An object holds nothing that arrived after it was written.
	return &replay.Objects{Client: e.s3(), Format: replay.LakeLines(), Locations: found, Since: from}, nil
}

func (e *reached) connect(ctx context.Context) (*pgx.Conn, error) {
	if e.database == "" {
		return nil, errNoDatabase
	}
	db, err := pgx.Connect(ctx, e.database)
	if err != nil {
		return nil, fmt.Errorf("connecting to the environment's Postgres: %w", err)
	}
	return db, nil
}

var errNoDatabase = errors.New("DATABASE_URL must say how to reach the environment's Postgres")
