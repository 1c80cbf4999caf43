// Package verify compares what is in the lake with what is in the database, event
// by event, by their identities (docs/event.md). It reads both and changes neither.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/lambdas/event"
)

// ErrDifferent says that the lake and the database do not have the same events.
var ErrDifferent = errors.New("the lake and the database differ")

// Config is one comparison, of what arrived from a time to a time.
type Config struct {
	// Lake returns the part of the lake that may hold what arrived from a time to a time. Zero: no bound.
	Lake func(ctx context.Context, from, to time.Time) (replay.Source, error)
	// DB is the environment's Postgres.
	DB *pgx.Conn
	// Since is from when on, inclusive. Default: from the beginning.
	Since time.Time
	// Before is until when, exclusive. Default: until now. What arrived a moment ago may be
	// under way still, on either side.
	Before time.Time
	// Progress is told now and then how many lines and rows were read. Default: nobody is.
	Progress func(read int)
}

// Run compares. It holds the identities of the window in memory: some 150 bytes each.
func Run(ctx context.Context, c Config) (Report, error) {
	if c.Progress == nil {
		c.Progress = func(int) {}
	}
	k := &comparison{Config: c, report: Report{Since: c.Since, Before: c.Before}, hours: map[int64]*Hour{}}
	lake, err := k.readLake(ctx)
	if err != nil {
		return k.report, err
	}
	unknown, err := k.readRows(ctx, lake)
	if err != nil {
		return k.report, err
	}
	if err := errors.Join(k.findRows(ctx, lake), k.findQuarantined(ctx, lake), k.findLines(ctx, unknown)); err != nil {
		return k.report, err
	}
	for id, at := range lake {
		hour := k.hour(at)
		hour.NotInDatabase = append(hour.NotInDatabase, id)
	}
	for id, at := range unknown {
		hour := k.hour(at)
		hour.NotInLake = append(hour.NotInLake, id)
	}
	k.report.sum(slices.SortedFunc(maps.Values(k.hours), func(a, b *Hour) int { return a.Hour.Compare(b.Hour) }))
	return k.report, k.report.err()
}

// arrivals are identities, and the second since 1970 at which each first arrived.
type arrivals map[string]int64

// comparison is one under way.
type comparison struct {
	Config
	report Report
	hours  map[int64]*Hour
	read   int
}

func (k *comparison) progress() {
	k.read++
	k.Progress(k.read)
}

func (k *comparison) hour(second int64) *Hour {
	number := second / 3600
	if k.hours[number] == nil {
		k.hours[number] = &Hour{Hour: time.Unix(number*3600, 0).UTC(), NotInDatabase: []string{}, NotInLake: []string{}}
	}
	return k.hours[number]
}

// sink passes a lake's records to take.
type sink struct {
	take   func(replay.Record)
	broken func(reason string)
}

func (s sink) Take(_ context.Context, record replay.Record) error {
	if record.Identity == "" {
		s.broken("a line of the lake has no identity")
		return nil
	}
	s.take(record)
	return nil
}

func (s sink) Broken(reason string) { s.broken(reason) }

func (s sink) Reached(string, string) {}

// readLake returns the identities in the lake's part of the window.
func (k *comparison) readLake(ctx context.Context) (arrivals, error) {
	source, err := k.Lake(ctx, k.Since, k.Before)
	if err != nil {
		return nil, err
	}
	found := arrivals{}
	err = source.Read(ctx, nil, sink{
		take: func(record replay.Record) {
			k.progress()
			if record.ArrivedAt.Before(k.Since) || !k.Before.IsZero() && !record.ArrivedAt.Before(k.Before) {
				return
			}
			k.report.Lines++
			at := record.ArrivedAt.Unix()
			if first, known := found[record.Identity]; !known || at < first {
				found[record.Identity] = at
			}
		},
		broken: func(reason string) { k.report.broken(reason) },
	})
	if err != nil {
		return nil, fmt.Errorf("reading the lake: %w", err)
	}
	for _, at := range found {
		k.hour(at).Lake++
	}
	return found, nil
}

const selectRows = `
SELECT event_id, coalesce(arrived_at, loaded_at)
FROM events
WHERE ($1::timestamptz IS NULL OR coalesce(arrived_at, loaded_at) >= $1)
  AND ($2::timestamptz IS NULL OR coalesce(arrived_at, loaded_at) < $2)`

// readRows takes what has a row out of lake, and returns the rows that it does not have.
// An event that came several times counts in the hour in which it first came.
func (k *comparison) readRows(ctx context.Context, lake arrivals) (unknown arrivals, err error) {
	rows, err := k.DB.Query(ctx, selectRows, bound(k.Since), bound(k.Before))
	if err != nil {
		return nil, fmt.Errorf("reading the table: %w", err)
	}
	unknown = arrivals{}
	var id string
	var arrived time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &arrived}, func() error {
		k.progress()
		at, known := lake[id]
		if !known {
			at = arrived.Unix()
			unknown[id] = at
		}
		delete(lake, id)
		k.hour(at).Rows++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the table: %w", err)
	}
	return unknown, nil
}

func bound(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// lookUp is how many identities are asked for at once.
const lookUp = 10_000

// findRows takes out of lake what has a row that arrived outside of the window: an event
// that came several times has the arrival of the one that was stored first.
func (k *comparison) findRows(ctx context.Context, lake arrivals) error {
	for ids := range slices.Chunk(slices.Collect(maps.Keys(lake)), lookUp) {
		rows, err := k.DB.Query(ctx, "SELECT event_id FROM events WHERE event_id = ANY($1)", ids)
		if err != nil {
			return fmt.Errorf("looking for rows: %w", err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("looking for rows: %w", err)
		}
		for _, id := range found {
			k.hour(lake[id]).Rows++
			delete(lake, id)
		}
	}
	return nil
}

// findQuarantined takes out of lake what the database has in quarantine: it is kept, and can
// be no row.
func (k *comparison) findQuarantined(ctx context.Context, lake arrivals) error {
	if len(lake) == 0 {
		return nil
	}
	rows, err := k.DB.Query(ctx, "SELECT origin, data FROM quarantine")
	if err != nil {
		return fmt.Errorf("reading the quarantine: %w", err)
	}
	var origin string
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&origin, &data}, func() error {
		e, err := event.Parse(data)
		if err != nil {
			return nil //nolint:nilerr // what is no event has no line
		}
		id := cmp.Or(e.ID, origin)
		if at, missing := lake[id]; missing {
			k.hour(at).Quarantined++
			delete(lake, id)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the quarantine: %w", err)
	}
	return nil
}

// findLines takes out of unknown what the lake has behind the window, where a replay has put it.
func (k *comparison) findLines(ctx context.Context, unknown arrivals) error {
	if len(unknown) == 0 || k.Before.IsZero() {
		return nil
	}
	source, err := k.Lake(ctx, k.Before, time.Time{})
	if err != nil {
		return err
	}
	err = source.Read(ctx, nil, sink{
		take: func(record replay.Record) {
			k.progress()
			if at, missing := unknown[record.Identity]; missing {
				k.hour(at).Lake++
				delete(unknown, record.Identity)
			}
		},
		broken: func(string) {}, // of another time than was asked for
	})
	if err != nil {
		return fmt.Errorf("reading the lake: %w", err)
	}
	return nil
}
