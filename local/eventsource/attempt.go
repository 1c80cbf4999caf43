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
		l.enter(ctx, a.batch[0])
		if ctx.Err() != nil {
			return
		}
		s := l.settings.Load()
		l.measureAge(s, a.batch)
		result, err := l.invoke(ctx, l.event(a.batch, l.window, false))
		switch {
		case err != nil:
			// Not invoked: no retry is spent, only the records' age ends this.
			l.invoking.Report(err)
		default:
			a.invoked++
			a.last = result
			failed, err := l.judge(s, a.batch, result)
			l.invoking.Report(err)
			if failed > 0 {
				l.checkpoint.finishIn(l.key, l.window, places(a.batch[:failed])...)
			}
			if err == nil || ctx.Err() != nil {
				return
			}
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

// linger is how long an invocation that has begun may go on after the poller
// is closed or the mapping disabled: what it does need not be done again.
const linger = 5 * time.Second

func (l *lane) invoke(ctx context.Context, payload []byte) (function.Result, error) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(linger, cancel) })()
	return function.Call(longer, l.lambda, l.settings.Load().function, payload)
}

// judge returns how many records at the head of a batch the function has
// processed; its error says why not all. It takes over a tumbling window's new state.
func (l *lane) judge(s *settings, batch []record, result function.Result) (processed int, err error) {
	if result.FunctionError != "" {
		return 0, describe(result)
	}
	processed = len(batch)
	if s.reportsFailures {
		processed = firstFailed(batch, result.Payload)
	}
	if l.window != nil {
		state, err := stateOf(result)
		if err != nil {
			return 0, err
		}
		if processed > 0 {
			l.window.State = state
		}
	}
	if processed < len(batch) {
		return processed, describe(result)
	}
	return processed, nil
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

// firstFailed returns the index of the first record that a response reports as
// failed; len(batch) when there is none.
func firstFailed(batch []record, payload []byte) int {
	switch string(bytes.TrimSpace(payload)) {
	case ``, `null`, `""`, `[]`: // an empty or a null response
		return len(batch)
	}
	var response struct {
		BatchItemFailures []events.KinesisBatchItemFailure `json:"batchItemFailures"`
	}
	if json.Unmarshal(payload, &response) != nil {
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
