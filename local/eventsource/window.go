package eventsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/shards"
)

const (
	// stateLimit is the most bytes that a window's state may have: 1 MB per shard
	// (developer guide: services-kinesis-windows).
	stateLimit = 1024 * 1024
	// settle is how long after a window's end a shard must be found empty: the
	// emulator makes a record readable a moment after it gives it its time.
	settle = 250 * time.Millisecond
	// overPoll is how often the end of an open window is looked for.
	overPoll = 100 * time.Millisecond
)

// window is a tumbling window of one shard and the state that has built up in it.
type window struct {
	Start time.Time       `json:"start"`
	End   time.Time       `json:"end"`
	State json.RawMessage `json:"state"`
}

// newWindow returns the window of size that a time is in, with a fresh state.
func newWindow(at time.Time, size time.Duration) *window {
	seconds := int64(size / time.Second)
	start := time.Unix(at.Unix()/seconds*seconds, 0).UTC()
	return &window{Start: start, End: start.Add(size), State: json.RawMessage(`{}`)}
}

func (w *window) holds(r record) bool { return !r.arrived.Before(w.Start) && r.arrived.Before(w.End) }

func (w *window) isTooBig() bool { return len(w.State) > stateLimit }

// windowOf is the window that a record is to be processed in: the open one if
// it is that record's. It is nil without tumbling windows.
func (l *lane) windowOf(r record) *window {
	size := l.settings.Load().tumbling
	switch {
	case size == 0:
		return nil
	case l.window != nil && l.window.holds(r):
		return l.window
	}
	return newWindow(r.arrived, size)
}

// enter opens the window of r, the first record of an invocation, and closes
// another one before that.
func (l *lane) enter(ctx context.Context, r record) {
	next := l.windowOf(r)
	if l.window != nil && (next != l.window || next.isTooBig()) {
		if !l.closeWindow(ctx) {
			return
		}
		next = l.windowOf(r)
	}
	l.window = next
}

// closeWindow has the function process the final state, until it does. It
// returns false if ctx is done before that.
func (l *lane) closeWindow(ctx context.Context) bool {
	for failures := 1; ; failures++ {
		result, err := l.invoke(ctx, l.event(nil, l.window, true))
		if err == nil && result.FunctionError != "" {
			err = describe(result)
		}
		if err == nil {
			_, err = stateOf(result)
		}
		if err == nil {
			l.invoking.Report(nil)
			l.window = nil
			l.checkpoint.finishIn(l.key, nil)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		l.invoking.Report(fmt.Errorf("closing a tumbling window: %w", err))
		l.pause(ctx, failures)
	}
}

// isOver says that the open window is over: nothing of it can come any more.
func (l *lane) isOver() bool {
	if l.window == nil {
		return false
	}
	read := time.Unix(0, l.tip.Load())
	return l.settings.Load().tumbling == 0 || !read.Before(l.window.End.Add(settle))
}

// stateOf returns the state of a response.
func stateOf(result function.Result) (json.RawMessage, error) {
	var response struct {
		State json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(result.Payload, &response); err != nil {
		return nil, fmt.Errorf("reading the response of a tumbling window: %w", err)
	}
	if response.State == nil {
		return nil, errors.New("the response of a tumbling window must contain a state property")
	}
	return response.State, nil
}

// windowProperties are what a tumbling window adds to an event.
type windowProperties struct {
	Window                  events.Window   `json:"window"`
	State                   json.RawMessage `json:"state"`
	ShardID                 string          `json:"shardId"`
	EventSourceARN          string          `json:"eventSourceARN"`
	IsFinalInvokeForWindow  bool            `json:"isFinalInvokeForWindow"`
	IsWindowTerminatedEarly bool            `json:"isWindowTerminatedEarly"`
}

// tipKey is the key of a context's value that tips writes to.
type tipKey struct{}

// tips tells a reader when its shard was found empty, which [shards.Shard] does
// not: whoever reads puts a *atomic.Int64 into the context of Next, and has
// from it the Unix time in nanoseconds up to which everything was read.
type tips struct{ shards.API }

// GetRecords implements [shards.API].
func (t tips) GetRecords(ctx context.Context, input *kinesis.GetRecordsInput, options ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	asked := time.Now()
	output, err := t.API.GetRecords(ctx, input, options...)
	if tip, ok := ctx.Value(tipKey{}).(*atomic.Int64); ok && err == nil && len(output.Records) == 0 && aws.ToInt64(output.MillisBehindLatest) == 0 {
		tip.Store(asked.UnixNano())
	}
	return output, err
}
