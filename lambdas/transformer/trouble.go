package transformer

import (
	"context"
	"errors"
	"log/slog"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// panicError is what a record fails with when its [Transform] panics.
type panicError struct {
	reason string
	stack  []byte
}

func (p panicError) Error() string { return p.reason }

// troubles is what went wrong in one invocation, by reason: a bad batch is one
// line of log a reason, not one a record.
type troubles []*trouble

type trouble struct {
	reason  string
	first   string // record id
	records int
	stack   []byte // of the first panic
}

func (t *troubles) add(err error, recordID string) {
	reason := err.Error()
	if errors.Is(err, event.ErrNotJSON) {
		reason = event.ErrNotJSON.Error() // without the offset, which differs each time
	}
	for _, known := range *t {
		if known.reason == reason {
			known.records++
			return
		}
	}
	added := &trouble{reason: reason, first: recordID, records: 1}
	var panicked panicError
	if errors.As(err, &panicked) {
		added.stack = panicked.stack
	}
	*t = append(*t, added)
}

func (t troubles) log(ctx context.Context, log *slog.Logger, invocation string) {
	for _, trouble := range t {
		attributes := []any{"reason", trouble.reason, "records", trouble.records, "first_record", trouble.first, "invocation", invocation}
		if trouble.stack != nil {
			attributes = append(attributes, "stack", string(trouble.stack))
		}
		log.WarnContext(ctx, "records failed", attributes...)
	}
}
