package replay

import (
	"context"
	"fmt"
	"time"
)

// Window is the [Source] of what the stream has from a time to a time.
type Window struct {
	Stream *Stream
	// From and To bound the arrival, both inclusive. To must not be in the future: a replay
	// would read what it sends itself.
	From, To time.Time
}

// Name is the stream's, and from when on.
func (w *Window) Name() string {
	return fmt.Sprintf("stream %s from %s", w.Stream.Name, w.From.UTC().Format(time.RFC3339Nano))
}

// untilPlace is kept beside the shards: a second run ends where the first was to end, and so does
// not read what that sent.
const untilPlace = "until"

// Read passes the window's records.
func (w *Window) Read(ctx context.Context, done map[string]string, sink Sink) error {
	to := w.To
	if text := done[untilPlace]; text != "" {
		var err error
		if to, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("reading the checkpoint: %w", err)
		}
	}
	sink.Reached(untilPlace, to.Format(time.RFC3339Nano))
	return w.Stream.scan(ctx, window{w.From, to}, done, func(shard string, page []Record, sequence string) error {
		for _, record := range page {
			record.Place = record.Origin
			if err := sink.Take(ctx, record); err != nil {
				return err
			}
		}
		sink.Reached(shard, sequence)
		return nil
	})
}
