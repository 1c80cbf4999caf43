// Package demo sends real events through a deployed environment and shows, by
// looking at what is at rest, that all of them arrived.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
	"github.com/millrace-cdk/millrace/cmd/millrace/quakes"
	"github.com/millrace-cdk/millrace/internal/wait"
)

// Config is what a demo needs.
type Config struct {
	// Root is the repository's root, with the data below node_modules.
	Root string
	// APIURL and APIKey are the front door.
	APIURL, APIKey string
	// StreamName, LakeBucket and DatabaseURL are where to look.
	StreamName, LakeBucket, DatabaseURL string
	// AWS reaches the environment's AWS APIs.
	AWS aws.Config
	// Fault breaks the line first. Default: [NoFault].
	Fault Fault
	// Patience is how long the demo waits without seeing anything arrive. Default: 20 s.
	Patience time.Duration
	// Out is where the demo prints.
	Out io.Writer
}

// ErrLost is what [Run] returns when the counts disagree.
var ErrLost = errors.New("not every event is at rest")

const (
	// singles is how many events are posted one by one; the rest go in batches.
	singles = 107
	// batchSize is how many events a batch carries; the API takes up to 500.
	batchSize = 100
	// clients is how many requests are under way at once.
	clients = 4
)

// event is one to post, as its client writes it.
type event struct {
	id   string
	body []byte
}

type demo struct {
	Config
	lake     *atrest.Lake
	db       *pgx.Conn
	accepted map[string]time.Time // when the API answered for each event
	taken    int                  // how many events the API took, of both postings
}

// Run posts every event, waits until all are at rest, prints what it found, and
// posts all of them once more. Its last line is always the summary. It returns
// [ErrLost] if the counts disagree.
func Run(ctx context.Context, config Config) (err error) {
	config.Patience = cmp.Or(config.Patience, 20*time.Second)
	config.Fault = cmp.Or(config.Fault, NoFault)
	db, err := pgx.Connect(ctx, config.DatabaseURL)
	if err != nil {
		return fmt.Errorf("connecting to the environment's Postgres: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	bucket := s3.NewFromConfig(config.AWS, func(o *s3.Options) { o.UsePathStyle = true })
	d := &demo{
		Config: config, db: db,
		lake:     atrest.NewLake(bucket, config.LakeBucket),
		accepted: map[string]time.Time{},
	}
	return d.run(ctx)
}

func (d *demo) run(ctx context.Context) error {
	events, err := d.load()
	if err != nil {
		return err
	}
	if err := d.inject(ctx); err != nil {
		return err
	}
	return errors.Join(d.send(ctx, events), d.summary(ctx, events))
}

// send posts the events twice, and shows after the first time where they came to rest.
func (d *demo) send(ctx context.Context, events []event) error {
	started := time.Now()
	if err := d.postAll(ctx, "posting", events, d.accepted); err != nil {
		return err
	}
	if err := d.await(ctx, len(d.accepted), len(d.accepted)); err != nil {
		return err
	}
	if err := d.report(ctx, len(events), time.Since(started)); err != nil {
		return err
	}
	if d.Fault == NoFault {
		return d.repeat(ctx, events)
	}
	return nil
}

func (d *demo) load() ([]event, error) {
	reports, err := quakes.Load(d.Root)
	if err != nil {
		return nil, err
	}
	events := make([]event, 0, len(reports))
	for _, report := range reports {
		body, err := report.JSON()
		if err != nil {
			return nil, err
		}
		events = append(events, event{id: report.ID, body: body})
	}
	return events, nil
}

// postAll posts events, some alone and most in batches, and notes in accepted when each was taken.
func (d *demo) postAll(ctx context.Context, what string, events []event, accepted map[string]time.Time) error {
	c := &client{http: &http.Client{Timeout: 30 * time.Second}, url: d.APIURL, key: d.APIKey}
	bar := d.bar(len(events), what)
	var mutex sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for _, request := range requests(events) {
		group.Go(func() error {
			taken, err := c.post(ctx, request)
			now := time.Now()
			mutex.Lock()
			defer mutex.Unlock()
			d.taken += len(taken)
			for _, e := range taken {
				accepted[e.id] = now
			}
			return errors.Join(err, bar.Add(len(taken)))
		})
	}
	return errors.Join(group.Wait(), bar.Finish())
}

// requests groups events into what each request carries.
func requests(events []event) [][]event {
	var all [][]event
	for len(events) > 0 {
		n := 1
		if len(all) >= singles {
			n = min(batchSize, len(events))
		}
		all, events = append(all, events[:n]), events[n:]
	}
	return all
}

// await waits until the lake holds so many lines and Postgres so many rows, or
// until nothing more has arrived for the demo's patience.
func (d *demo) await(ctx context.Context, lines, rows int) error {
	bar := d.bar(lines+rows, "arriving")
	seen, changed := -1, time.Now()
	for {
		if err := d.lake.Refresh(ctx); err != nil {
			return err
		}
		stored, err := d.rows(ctx)
		if err != nil {
			return err
		}
		if now := len(d.lake.Lines) + stored; now != seen {
			seen, changed = now, time.Now()
			if err := bar.Set(min(seen, lines+rows)); err != nil {
				return err
			}
		}
		done := len(d.lake.Lines) >= lines && stored >= rows
		if done || time.Since(changed) > d.Patience {
			return bar.Finish()
		}
		if err := wait.For(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// repeat posts the same events again: the lake gets them twice, the table keeps each once.
func (d *demo) repeat(ctx context.Context, events []event) error {
	again := map[string]time.Time{}
	if err := d.postAll(ctx, "posting again", events, again); err != nil {
		return err
	}
	if err := d.await(ctx, len(d.accepted)+len(again), len(d.accepted)); err != nil {
		return err
	}
	rows, err := d.rows(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.Out, "\nPosted all of them again: the lake holds %s lines of %s events, the table %s rows.\n",
		count(len(d.lake.Lines)), count(len(d.lake.IDs())), count(rows))
	return nil
}

func (d *demo) rows(ctx context.Context) (n int, err error) {
	if err := d.db.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil {
		return 0, fmt.Errorf("counting rows: %w", err)
	}
	return n, nil
}

// summary prints the last line, and judges.
func (d *demo) summary(ctx context.Context, events []event) error {
	lake := d.lake.IDs()
	ids, err := d.storedIDs(ctx)
	if err != nil {
		return err
	}
	failed := 0
	for _, e := range events {
		if lake[e.id] == 0 || !ids[e.id] {
			failed++
		}
	}
	fmt.Fprintf(d.Out, "demo: posted=%d accepted=%d lake=%d rows=%d failed=%d\n",
		len(events), len(d.accepted), len(lake), len(ids), failed)
	if len(d.lake.Lines) != d.taken {
		return fmt.Errorf("%w: the lake holds %d lines of %d accepted events", ErrLost, len(d.lake.Lines), d.taken)
	}
	if n := len(events); failed > 0 || len(d.accepted) != n || len(lake) != n || len(ids) != n {
		return ErrLost
	}
	return nil
}

func (d *demo) storedIDs(ctx context.Context) (map[string]bool, error) {
	rows, err := d.db.Query(ctx, "SELECT event_id FROM events")
	if err != nil {
		return nil, fmt.Errorf("reading the events' identities: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading the events' identities: %w", err)
	}
	ids := make(map[string]bool, len(list))
	for _, id := range list {
		ids[id] = true
	}
	return ids, nil
}

// bar is a progress bar on a terminal, and silent elsewhere.
func (d *demo) bar(total int, what string) *progressbar.ProgressBar {
	file, ok := d.Out.(*os.File)
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(d.Out),
		progressbar.OptionSetVisibility(ok && term.IsTerminal(int(file.Fd()))),
		progressbar.OptionSetDescription(fmt.Sprintf("%-14s", what)),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(40),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(d.Out) }),
	)
}

func (d *demo) streamRecords(ctx context.Context) (int, error) {
	return atrest.StreamRecords(ctx, kinesis.NewFromConfig(d.AWS), d.StreamName)
}
