package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/local/cloud"
)

type replayCmd struct {
	Source string   `arg:"" enum:"errors,backup,failures,quarantine,stream,lake" help:"What to read: ${enum}."`
	Env    string   `help:"The environment." default:"local"`
	From   []string `help:"Read these objects instead of those that the deployed app writes: s3://BUCKET/PREFIX." placeholder:"URL"`

	Since  time.Time `help:"Only what arrived then or later: 2026-01-02T03:04:05Z. The stream is read from there."`
	Until  time.Time `help:"Only what arrived up to then."`
	Reason []string  `help:"Only what lies there for a reason that begins so. Takes what was refused for itself too."`
	Type   []string  `help:"Only events of this event_type."`

	Rate     *int          `help:"Records a second. Default: 500; of the lake, 5000."`
	Parallel int           `help:"How many batches the loader stores at the same time. Of the lake only." default:"2"`
	Lookback time.Duration `help:"How far before its failure an event without event_id is looked for in the stream." default:"1h"`
	Loader   string        `help:"A part of the name of the function that loads the lake, where several load the stream."`
	DryRun   bool          `help:"Send nothing, count only."`
	AsIs     bool          `help:"Send what is no event too, byte for byte. It is likely to fail again."`
	AsNew    bool          `help:"Send events without event_id that the stream does not have any more too, with a new identity."`
	Restart  bool          `help:"Begin anew, though an earlier run has come further."`
	JSON     bool          `help:"Print the report as JSON." name:"json"`
}

// Validate is kong's: what it returns is a wrong usage.
func (c *replayCmd) Validate() error {
	var errs []error
	wrong := func(bad bool, message string) {
		if bad {
			errs = append(errs, errors.New(message))
		}
	}
	wrong(c.Source == "stream" && c.Since.IsZero(), "stream needs --since")
	wrong(!c.Until.IsZero() && c.Until.Before(c.Since), "--until must not be before --since")
	wrong(c.Until.After(time.Now()), "--until must not be in the future: the replay would read what it sends")
	wrong(c.Rate != nil && *c.Rate < 1, "--rate must be at least 1")
	wrong(c.Parallel < 1, "--parallel must be at least 1")
	wrong(c.Lookback < 0, "--lookback must not be negative")
	wrong(len(c.Reason) > 0 && (c.Source == "stream" || c.Source == "backup" || c.Source == "lake"), "--reason is for errors, failures and quarantine")
	wrong(len(c.From) > 0 && (c.Source == "stream" || c.Source == "quarantine" || c.Source == "lake"), "--from is for errors, backup and failures")
	for _, url := range c.From {
		_, err := location(url)
		wrong(err != nil, "--from must be s3://BUCKET/PREFIX, got "+url)
	}
	return errors.Join(errs...)
}

func location(url string) (replay.Location, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	if !strings.HasPrefix(url, "s3://") || bucket == "" {
		return replay.Location{}, fmt.Errorf("%q is not s3://BUCKET/PREFIX", url)
	}
	return replay.Location{Bucket: bucket, Prefix: prefix}, nil
}

// Run replays and prints the report, also of a replay that did not come to its end.
func (c *replayCmd) Run(ctx context.Context, cli *CLI) (err error) {
	e, err := reach(ctx, cli.Root, c.Env)
	if err != nil {
		return err
	}
	stream, err := replay.NewStream(ctx, kinesis.NewFromConfig(e.aws), e.stream)
	if err != nil {
		return err
	}
	source, closing, err := c.source(ctx, e, stream)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(context.WithoutCancel(ctx))) }()
	r := replay.Config{
		Source: source, Stream: stream, Rate: aws.ToInt(c.Rate), Lookback: c.Lookback, DryRun: c.DryRun, AsIs: c.AsIs, AsNew: c.AsNew,
		Filter: replay.Filter{Since: c.Since, Until: c.Until, Reasons: c.Reason, Types: c.Type},
	}
	began := time.Now()
	if c.Source == "lake" {
		r.Stream = nil
		if r.Loader, err = c.loader(ctx, e, stream); err != nil {
			return err
		}
	}
	name, err := replay.CheckpointName(r)
	if err != nil {
		return err
	}
	r.Checkpoint = filepath.Join(cli.Root, ".millrace", "replay", c.Env+"-"+c.Source+"-"+name)
	if c.Restart && !c.DryRun {
		if err := os.Remove(r.Checkpoint); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	bar := newBar("replaying")
	r.Progress = func(report replay.Report) {
		// The bar draws itself to standard error; that it cannot is no reason to stop.
		_ = bar.Set(report.Read)
	}
	result := replayResult{}
	result.Report, err = replay.Run(ctx, r)
	err = errors.Join(err, bar.Finish())
	if (err == nil || errors.Is(err, replay.ErrFailed)) && c.Source == "lake" && !c.DryRun {
		err = errors.Join(err, c.reconcile(ctx, e, stream.ARN, began, &result))
		// The next rebuild is one of another database, or of one that has lost rows again.
		err = errors.Join(err, os.Remove(r.Checkpoint))
	}
	return errors.Join(err, c.print(result))
}

// newBar counts on a terminal, and is silent elsewhere. How much a source has is not known before it is read.
func newBar(doing string) *progressbar.ProgressBar {
	return progressbar.NewOptions(-1,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))),
		progressbar.OptionSetDescription(doing),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

func (c *replayCmd) source(ctx context.Context, e *reached, stream *replay.Stream) (replay.Source, func(context.Context) error, error) {
	nothing := func(context.Context) error { return nil }
	switch c.Source {
	case "stream":
		to := c.Until
		if to.IsZero() {
			to = time.Now()
		}
		return &replay.Window{Stream: stream, From: c.Since, To: to}, nothing, nil
	case "quarantine":
		db, err := e.connect(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &replay.Quarantine{DB: db}, db.Close, nil
	case "lake":
		lake, err := e.lake(ctx, stream.ARN, c.Since, c.Until)
		if err != nil {
			return nil, nil, err
		}
		return lake, nothing, nil
	}
	objects := &replay.Objects{Since: c.Since, Client: e.s3()}
	var err error
	switch c.Source {
	case "errors":
		objects.Format = replay.DeliveryErrors()
		objects.Locations, err = replay.ErrorLocations(ctx, firehose.NewFromConfig(e.aws), stream.ARN)
	case "backup":
		objects.Format = replay.Backups()
		objects.Locations, err = replay.BackupLocations(ctx, firehose.NewFromConfig(e.aws), stream.ARN)
	case "failures":
		objects.Format = replay.Failures()
		objects.Locations, err = replay.FailureLocations(ctx, lambda.NewFromConfig(e.aws), stream.ARN)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(c.From) > 0 {
		objects.Locations = nil
		for _, url := range c.From {
			l, err := location(url)
			if err != nil {
				return nil, nil, err
			}
			objects.Locations = append(objects.Locations, l)
		}
	}
	if len(objects.Locations) == 0 {
		return nil, nil, fmt.Errorf("nothing that reads %s writes %s to S3: say where they are with --from", stream.Name, c.Source)
	}
	return objects, nothing, nil
}

// reached is how to reach what is deployed.
type reached struct {
	aws              aws.Config
	local            bool
	stream, database string
}

func (e *reached) s3() *s3.Client {
	return s3.NewFromConfig(e.aws, func(o *s3.Options) {
		o.UsePathStyle = e.local
		o.DisableLogOutputChecksumValidationSkipped = true // Firehose and Lambda choose what their objects have
	})
}

// putRetries is how often the SDK sends a whole request that was throttled or met trouble.
const putRetries = 8

func reach(ctx context.Context, root, env string) (*reached, error) {
	if env == "local" {
		e, err := cloud.ReadEnvironment(root)
		if err != nil {
			return nil, err
		}
		return &reached{aws: e.AWS(), local: true, stream: e.StreamName, database: e.DatabaseURL}, nil
	}
	loaded, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(putRetries))
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	outputs, err := line.Outputs(ctx, cloudformation.NewFromConfig(loaded), "Millrace-"+env+"-Foundation", "StreamName")
	if err != nil {
		return nil, err
	}
	return &reached{aws: loaded, database: os.Getenv("DATABASE_URL"), stream: outputs["StreamName"]}, nil
}
