package eventsource

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/local/internal/function"
)

// attempt is a batch and what has come of it so far.
type attempt struct {
	batch   []record
	retries int             // that count towards MaximumRetryAttempts
	invoked int             // how often it, or what it is a part of, reached the function
	last    function.Result // of the last invocation
}

// process invokes the function with a batch until every record of it is
// processed or discarded, or ctx is done.
func (l *lane) process(ctx context.Context, a attempt) {
	for failures := 1; ; failures++ {
		a = l.discardOld(ctx, a)
		if len(a.batch) == 0 || ctx.Err() != nil {
			return
		}
		s := l.settings.Load()
		result, err := function.Call(ctx, l.lambda, s.function, event(a.batch))
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			// Not invoked: no retry is spent, only the records' age ends this.
			l.invoking.Report(err)
		default:
			a.invoked++
			a.last = result
			failed := firstFailed(a.batch, result, s.reportsFailures)
			if failed == len(a.batch) {
				l.invoking.Report(nil)
				return
			}
			l.invoking.Report(describe(result))
			switch {
			case s.bisect && failed > 0:
				a.batch = a.batch[failed:] // bisected at the returned sequence number
			case s.bisect && len(a.batch) > 1:
				half := len(a.batch) / 2
				first := a
				first.batch = a.batch[:half]
				l.pause(ctx, failures)
				l.process(ctx, first)
				a.batch = a.batch[half:]
				failures = 0
				continue
			default:
				a.batch = a.batch[failed:]
				a.retries++
			}
			if s.retries >= 0 && a.retries > s.retries {
				l.discard(ctx, retriesExhausted, a)
				return
			}
		}
		l.pause(ctx, failures)
	}
}

func (l *lane) pause(ctx context.Context, failures int) {
	select {
	case <-ctx.Done():
	case <-time.After(l.wait(failures)):
	}
}

// discardOld discards the records at the batch's head that are older than
// MaximumRecordAgeInSeconds, and returns the attempt with the rest.
func (l *lane) discardOld(ctx context.Context, a attempt) attempt {
	maxAge := l.settings.Load().maxAge
	if maxAge < 0 {
		return a
	}
	young := slices.IndexFunc(a.batch, func(r record) bool { return time.Since(r.arrived) <= maxAge })
	if young < 0 {
		young = len(a.batch)
	}
	if young > 0 {
		old := a
		old.batch = a.batch[:young]
		l.discard(ctx, recordAgeExceeded, old)
		a.batch = a.batch[young:]
	}
	return a
}

// firstFailed returns the index of the first record that the function did not
// process; len(batch) when it processed all.
func firstFailed(batch []record, result function.Result, reports bool) int {
	switch {
	case result.FunctionError != "":
		return 0
	case !reports:
		return len(batch)
	}
	switch string(bytes.TrimSpace(result.Payload)) {
	case ``, `null`, `""`, `[]`: // an empty or a null response
		return len(batch)
	}
	var response events.KinesisEventResponse
	if json.Unmarshal(result.Payload, &response) != nil {
		return 0
	}
	lowest := len(batch)
	for _, failure := range response.BatchItemFailures {
		// An empty or null identifier, or one under another name, is "": of no record.
		at := slices.IndexFunc(batch, func(r record) bool { return r.sequence == failure.ItemIdentifier })
		if at < 0 {
			return 0
		}
		lowest = min(lowest, at)
	}
	return lowest
}

// describe says how an invocation failed.
func describe(result function.Result) error {
	const most = 300
	payload := result.Payload[:min(len(result.Payload), most)]
	if result.FunctionError == "" {
		return fmt.Errorf("function reported failures: %s", payload)
	}
	return fmt.Errorf("function error %s: %s", result.FunctionError, payload)
}
