package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/cmd/millrace/verify"
)

// loader is what the lake goes to, in place of the stream.
func (c *replayCmd) loader(ctx context.Context, e *reached, stream *replay.Stream) (*replay.Loader, error) {
	// Its reserved invocations are those that the stream's batches need too.
	patient := func(o *lambda.Options) { o.RetryMaxAttempts = putRetries }
	found, err := replay.FindLoader(ctx, lambda.NewFromConfig(e.aws, patient), stream, c.Loader)
	if err != nil {
		return nil, err
	}
	found.Parallel = c.Parallel
	return found, nil
}

// replayResult is what a replay prints.
type replayResult struct {
	replay.Report
	// Reconciliation compares the lake and the database after a rebuild.
	Reconciliation *verify.Report `json:"reconciliation,omitempty"`
}

// reconcile compares the lake with the database that was made of it. What the lake does not have is listed, and no
// failure of a rebuild: it may be under way to it.
func (c *replayCmd) reconcile(ctx context.Context, e *reached, streamARN string, began time.Time, result *replayResult) error {
	if len(c.Type) > 0 {
		return nil // it compares all types
	}
	before := began
	if !c.Until.IsZero() {
		before = c.Until.Add(1) // which is inclusive
	}
	report, err := e.verify(ctx, streamARN, c.Since, before)
	if errors.Is(err, errNoDatabase) {
		fmt.Fprintln(os.Stderr, "millrace: not compared with the lake: DATABASE_URL does not say how to reach the environment's Postgres (docs/replay.md)")
		return nil
	}
	if err != nil && !errors.Is(err, verify.ErrDifferent) {
		return err
	}
	result.Reconciliation = &report
	if report.NotInDatabase > 0 {
		return err
	}
	return nil
}

func (c *replayCmd) print(result replayResult) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(result)
	}
	if err := result.Print(os.Stdout); err != nil || result.Reconciliation == nil {
		return err
	}
	fmt.Println()
	return result.Reconciliation.Print(os.Stdout)
}
