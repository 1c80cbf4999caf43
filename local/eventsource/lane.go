package eventsource

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/shards"
	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// laneAhead is how many reads of up to 500 records may wait for a lane.
const laneAhead = 4

// lane processes the records of some partition keys of one shard, one
// invocation at a time. On AWS it is one of the "concurrent batches per shard".
type lane struct {
	*mapping
	shard    string // its id
	key      string // what tells it from every other
	in       chan []record
	pending  []record
	closed   bool          // in is, at the end of the shard
	window   *window       // the open tumbling window, if there is one
	tip      *atomic.Int64 // see [tips]
	invoking *trouble.Log
}

func newLane(m *mapping, shard *shards.Shard, tip *atomic.Int64) *lane {
	return &lane{
		mapping: m, shard: shard.ID, key: shard.Key, in: make(chan []record, laneAhead),
		tip: tip, invoking: trouble.New(m.log.With("shard", shard.ID)),
	}
}

// run gathers batches and processes them until in is closed and everything is processed.
func (l *lane) run(ctx context.Context) {
	for {
		batch := l.gather(ctx)
		if ctx.Err() != nil {
			return
		}
		if len(batch) > 0 {
			l.process(ctx, attempt{batch: batch})
		}
		if l.window != nil && (len(batch) == 0 || l.window.isTooBig()) {
			l.closeWindow(ctx)
		}
		if len(batch) == 0 && l.closed {
			return
		}
	}
}

// gather waits for a batch: full by count or by Lambda's payload limit, or what
// there is when the batching window ends. That begins when the one before was
// processed, and again when nothing has come in it. It returns nothing when the
// open tumbling window is over, and at the end.
func (l *lane) gather(ctx context.Context) []record {
	windowEnd, expired := l.batchingWindow()
	for {
		over := l.isOver() // looked for before records are: those of the window are in l.in by then
		size, full := l.batchSize()
		for !full && l.receiveNow() {
			size, full = l.batchSize()
		}
		switch {
		case full, size > 0 && (expired || over || l.closed):
			return l.cut(size)
		case size == 0 && (over || l.closed):
			return nil
		case expired:
			windowEnd, expired = l.batchingWindow()
		}
		var look <-chan time.Time
		if l.window != nil {
			look = time.After(overPoll)
		}
		select {
		case records, open := <-l.in:
			l.take(records, open)
		case <-windowEnd:
			expired = true
		case <-look:
		case <-ctx.Done():
			return nil
		}
	}
}

// batchingWindow begins a batching window; without one, a batch never waits.
func (l *lane) batchingWindow() (end <-chan time.Time, expired bool) {
	if window := l.settings.Load().window; window > 0 {
		return time.After(window), false
	}
	return nil, true
}

// receiveNow takes in records that are there; it returns false when there are none.
func (l *lane) receiveNow() bool {
	if l.closed {
		return false
	}
	select {
	case records, open := <-l.in:
		l.take(records, open)
		return open
	default:
		return false
	}
}

func (l *lane) take(records []record, open bool) {
	l.pending = append(l.pending, records...)
	l.closed = !open
}

func (l *lane) cut(size int) []record {
	batch := l.pending[:size:size]
	l.pending = l.pending[size:]
	return batch
}

// batchSize returns how many of the pending records make the next batch, and
// whether nothing more can be added to it.
func (l *lane) batchSize() (size int, full bool) {
	if len(l.pending) == 0 {
		return 0, false
	}
	most := l.settings.Load().batchSize
	window := l.windowOf(l.pending[0])
	payload := len(l.event(nil, window, false))
	for i, r := range l.pending {
		payload += len(r.event) + 1 // its comma
		if i == most || i > 0 && payload > function.PayloadLimit || window != nil && !window.holds(r) {
			return i, true
		}
	}
	return len(l.pending), len(l.pending) >= most
}
