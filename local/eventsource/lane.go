package eventsource

import (
	"context"
	"time"

	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// laneAhead is how many reads of up to 500 records may wait for a lane.
const laneAhead = 4

// lane processes the records of some partition keys of one shard, one
// invocation at a time. On AWS it is one of the "concurrent batches per shard".
type lane struct {
	*mapping
	shard    string
	in       chan []record // closed at the shard's end
	pending  []record
	closed   bool // in is
	invoking *trouble.Log
}

func newLane(m *mapping, shard string) *lane {
	return &lane{mapping: m, shard: shard, in: make(chan []record, laneAhead), invoking: trouble.New(m.log.With("shard", shard))}
}

// run gathers batches and processes them until in is closed and everything is processed.
func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		batch := l.gather(ctx)
		if batch == nil {
			return
		}
		l.process(ctx, attempt{batch: batch})
	}
}

// gather waits for a batch: full by count or by Lambda's payload limit, or what
// there is when the batching window ends, which begins with the first record.
// It returns nil at the end.
func (l *lane) gather(ctx context.Context) []record {
	if len(l.pending) == 0 && !l.receive(ctx, nil) {
		return nil
	}
	var windowEnd <-chan time.Time
	if window := l.settings.Load().window; window > 0 {
		windowEnd = time.After(window)
	}
	for {
		size, full := batchSize(l.pending, l.settings.Load().batchSize)
		if full || l.closed {
			return l.cut(size)
		}
		if windowEnd == nil && len(l.in) == 0 {
			return l.cut(size) // no window: as soon as records are available
		}
		if !l.receive(ctx, windowEnd) {
			if ctx.Err() != nil {
				return nil
			}
			if !l.closed {
				return l.cut(size)
			}
		}
	}
}

// receive takes records in. It returns false when there are none: in is closed, the window over, or ctx done.
func (l *lane) receive(ctx context.Context, windowEnd <-chan time.Time) bool {
	select {
	case records, open := <-l.in:
		l.pending = append(l.pending, records...)
		l.closed = !open
		return open
	case <-windowEnd:
		return false
	case <-ctx.Done():
		return false
	}
}

func (l *lane) cut(size int) []record {
	batch := l.pending[:size:size]
	l.pending = l.pending[size:]
	return batch
}

// batchSize returns how many of records make the next batch, and whether it is full.
func batchSize(records []record, most int) (size int, full bool) {
	payload := len(eventHead) + len(eventTail)
	for i, r := range records {
		payload += len(r.event) + 1 // its comma
		if i == most || i > 0 && payload > function.PayloadLimit {
			return i, true
		}
	}
	return len(records), len(records) >= most
}
