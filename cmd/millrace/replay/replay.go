// Package replay sends records on to the stream once more: those that Firehose or
// Lambda gave up, those that the loader put into quarantine, those of a backup,
// and those that the stream still has. Each keeps its identity (docs/event.md),
// so that it is still one row however often it is sent.
package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// DefaultRate is half of what one shard takes
// (https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html), so that the clients keep the other half.
const DefaultRate = 500

// DefaultLookback is how long before its arrival at Firehose a record is looked for in the stream.
const DefaultLookback = time.Hour

// Config is one replay.
type Config struct {
	Source Source
	// Stream takes the records, and knows where each of its own arrived. Required without a Loader.
	Stream *Stream
	// Loader stores the records, which then do not go through the stream, and are not delivered
	// to the lake again. For a Source whose records say who they are. Default: they go to Stream.
	Loader *Loader
	Filter Filter
	// Rate bounds the records a second. Default: [DefaultRate], or with a Loader [DefaultLoadRate].
	Rate int
	// Lookback is how far back an origin is looked for. Default: [DefaultLookback].
	Lookback time.Duration
	// DryRun sends nothing and keeps no progress.
	DryRun bool
	// AsIs sends what is no event too, as it is. It has no identity then.
	AsIs bool
	// AsNew sends events without event_id whose origin is not to be found too. Their
	// identity is the place where they lie, and is another than that of their first row.
	AsNew bool
	// Checkpoint is the file that keeps how far the replay has come. Default: none.
	Checkpoint string
	// Progress is told the counts now and then. Default: nobody is.
	Progress func(Report)
}

// flushEvery and flushBytes bound what a crash makes a replay do again, and what it holds in memory.
const (
	flushEvery = 20_000
	flushBytes = 64 << 20
)

// ErrFailed says that some records could not be sent.
var ErrFailed = errors.New("not every record was sent")

// run is a replay under way. mu guards everything below it.
type run struct {
	Config
	checkpoint *checkpoint

	mu      sync.Mutex
	target  target
	missing []Record // events whose identity is their origin, which is still to be found
	held    int      // bytes of missing
	reached map[string]string
	taken   int // since the last flush
	report  Report
}

// Run replays a source. The report is valid with an error too, which wraps
// [ErrFailed] if all was read and some could not be sent.
func Run(ctx context.Context, c Config) (Report, error) {
	c = c.withDefaults()
	r := &run{Config: c, reached: map[string]string{}, report: newReport(c)}
	var err error
	if r.checkpoint, err = openCheckpoint(c); err != nil {
		return r.report, err
	}
	r.target = newTarget(c, &r.report)
	started := time.Now()
	err = c.Source.Read(ctx, maps.Clone(r.checkpoint.positions), r)
	if err == nil {
		r.mu.Lock()
		err = r.flush(ctx)
		r.mu.Unlock()
	}
	err = errors.Join(err, r.target.settle(), r.checkpoint.close())
	r.report.Seconds = time.Since(started).Seconds()
	if err == nil && total(r.report.Failed) > 0 {
		err = fmt.Errorf("%w: %d failed", ErrFailed, total(r.report.Failed))
	}
	return r.report, err
}

func (c Config) withDefaults() Config {
	if c.Rate == 0 {
		c.Rate = DefaultRate
		if c.Loader != nil {
			c.Rate = DefaultLoadRate
		}
	}
	if c.Lookback == 0 {
		c.Lookback = DefaultLookback
	}
	if c.Progress == nil {
		c.Progress = func(Report) {}
	}
	return c
}

// Take decides about a record.
func (r *run) Take(ctx context.Context, record Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Before this record, so that the position of the one before it is known.
	if r.taken >= flushEvery || r.held >= flushBytes {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	r.report.Read++
	r.taken++
	if err := r.decide(ctx, record); err != nil {
		return err
	}
	r.Progress(r.report)
	return nil
}

func (r *run) decide(ctx context.Context, record Record) error {
	if !r.Filter.takes(record) {
		r.report.skip("filter")
		return nil
	}
	e, err := event.Parse(record.Data)
	typed := len(r.Filter.Types) > 0
	switch {
	case typed && (err != nil || !slices.Contains(r.Filter.Types, e.Type)):
		r.report.skip("filter")
	case err != nil && r.AsIs:
		return r.target.add(ctx, entry{key: record.PartitionKey, hashKey: record.ExplicitHashKey, data: record.Data, place: record.Place})
	case err != nil:
		r.report.skip(noEvent(err))
	case record.Refused && len(r.Filter.Reasons) == 0:
		r.report.skip("refused: " + record.Reason)
	case e.ID == "" && record.Origin == (event.Origin{}):
		r.missing = append(r.missing, record)
		r.held += len(record.Data)
	default:
		return r.send(ctx, e, record)
	}
	return nil
}

// noEvent is a reason to skip by; the offset of the trouble would make many of one.
func noEvent(err error) string {
	for _, known := range []error{event.ErrEmpty, event.ErrNotObject, event.ErrNotUTF8, event.ErrNotJSON} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// send sends an event with the metadata member that has its identity and its arrival.
func (r *run) send(ctx context.Context, e event.Event, record Record) error {
	line := e.Line(record.Origin, record.ArrivedAt)
	out := entry{key: record.PartitionKey, hashKey: record.ExplicitHashKey, data: line[:len(line)-1], place: record.Place}
	if out.key == "" {
		out.key = e.Identity(record.Origin)
	}
	// Our member may be what makes it too large. The identity it carries itself is enough then.
	if e.ID != "" && !r.target.fits(out) {
		out.data = record.Data
	}
	return r.target.add(ctx, out)
}

// Broken counts what could not be read.
func (r *run) Broken(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.fail(reason, 1)
}

// Reached notes a position, to be kept once all that was taken is at rest.
func (r *run) Reached(place, position string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached[place] = position
}

// flush sends all that was taken, and keeps how far that is.
func (r *run) flush(ctx context.Context) error {
	if err := r.recall(ctx); err != nil {
		return err
	}
	if err := r.target.flush(ctx); err != nil {
		return err
	}
	r.Progress(r.report)
	if err := r.checkpoint.keep(r.reached); err != nil {
		return err
	}
	clear(r.reached)
	r.taken = 0
	return nil
}
