package eventsource

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The sentences are those of the AWS Lambda Developer Guide,
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html.

// windowed makes a lane with tumbling windows of a minute whose function puts
// everything it gets into its state, and does with a batch what reply says if
// that is not nil.
func windowed(reply func(batch string, state string) *answer, edit func(*settings)) *fixture {
	var f *fixture
	f = newFixture(func(batch string) answer {
		var event struct{ State struct{ All string } }
		if err := json.Unmarshal([]byte(f.lambda.events[len(f.lambda.events)-1]), &event); err != nil {
			panic(err)
		}
		if reply != nil {
			if a := reply(batch, event.State.All); a != nil {
				return *a
			}
		}
		return answer{payload: fmt.Sprintf(`{"state":{"all":%q}}`, event.State.All+batch)}
	}, func(s *settings) {
		s.tumbling = time.Minute
		if edit != nil {
			edit(s)
		}
	})
	return f
}

// at returns records that have arrived at seconds since 1970.
func (f *fixture) at(seconds ...int64) []record {
	var all []record
	for _, second := range seconds {
		sequence := fmt.Sprint(1000 + second)
		all = append(all, newRecord(f.settings.Load(), f.shard, kinesistypes.Record{
			SequenceNumber: &sequence, PartitionKey: aws.String("p"), Data: fmt.Append(nil, second),
			ApproximateArrivalTimestamp: aws.Time(time.Unix(second, 0)),
		}, f.checkpoint.track(f.key, sequence)))
	}
	return all
}

// drive has the lane process records up to the end of its shard.
func (f *fixture) drive(t *testing.T, reads ...[]record) {
	t.Helper()
	for _, records := range reads {
		f.in <- records
	}
	close(f.in)
	f.lane.run(t.Context())
	require.Empty(t, f.checkpoint.waiting[f.key])
}

// seen describes each event: batch, window's start, state, final, early.
func (f *fixture) seen(t *testing.T) []string {
	t.Helper()
	var all []string
	for i, text := range f.lambda.events {
		var event struct {
			Window                                          struct{ Start time.Time }
			State                                           struct{ All string }
			IsFinalInvokeForWindow, IsWindowTerminatedEarly bool
		}
		require.NoError(t, json.Unmarshal([]byte(text), &event))
		line := fmt.Sprintf("[%s] in %d with %q", f.lambda.batches[i], event.Window.Start.Unix(), event.State.All)
		if event.IsFinalInvokeForWindow {
			line += " final"
		}
		if event.IsWindowTerminatedEarly {
			line += " early"
		}
		all = append(all, line)
	}
	return all
}

// "KinesisTimeWindowEvent"
func TestEventOfATumblingWindowIsLambdas(t *testing.T) {
	f := windowed(nil, func(s *settings) { s.tumbling = 2 * time.Minute })
	w := newWindow(time.Unix(1607497475, 0), 2*time.Minute)
	w.State = json.RawMessage(`{"1":282,"2":715}`)
	assert.JSONEq(t, `{
		"Records": [],
		"window": {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"},
		"state": {"1": 282, "2": 715},
		"shardId": "shardId-000000000001",
		"eventSourceARN": "arn:aws:kinesis:eu-west-1:000000000000:stream/events",
		"isFinalInvokeForWindow": false, "isWindowTerminatedEarly": false
	}`, string(f.event(nil, w, false)))
}

// "Each record in a stream belongs to a specific window."; "Lambda determines tumbling window boundaries based on the time when
// records were inserted into the stream."
func TestEachRecordBelongsToTheWindowInWhichItWasInserted(t *testing.T) {
	f := windowed(nil, nil)
	f.drive(t, f.at(61, 119, 120, 121, 300))
	assert.Equal(t, []string{
		`[61 119] in 60 with ""`, `[] in 60 with "61 119" final`,
		`[120 121] in 120 with ""`, `[] in 120 with "120 121" final`,
		`[300] in 300 with ""`, `[] in 300 with "300" final`,
	}, f.seen(t))
	assert.Nil(t, f.checkpoint.position(f.key).Window, "after processing, the state is dropped")
}

// "You can receive these records in multiple batches, each as a separate invocation. Each invocation receives a state."
func TestEachInvocationOfAWindowReceivesTheStateOfTheOneBefore(t *testing.T) {
	f := windowed(nil, func(s *settings) { s.batchSize = 2 })
	f.drive(t, f.at(60, 61, 62, 63, 64))
	assert.Equal(t, []string{
		`[60 61] in 60 with ""`, `[62 63] in 60 with "60 61"`, `[64] in 60 with "60 6162 63"`, `[] in 60 with "60 6162 6364" final`,
	}, f.seen(t))
}

// "If the response does not contain a state property, Lambda considers this a failed invocation."; "Tumbling windows fully support
// the existing retry policies maxRetryAttempts and maxRecordAge."
func TestResponseWithoutAStateIsAFailedInvocation(t *testing.T) {
	for name, payload := range map[string]string{"another": `{}`, "none": `null`, "no object": `"ok"`} {
		t.Run(name, func(t *testing.T) {
			f := windowed(func(batch, _ string) *answer {
				if batch == "60 61" {
					return &answer{payload: payload}
				}
				return nil
			}, func(s *settings) { s.retries = 1 })
			f.drive(t, f.at(60, 61), f.at(125))
			assert.Equal(t, []string{"60 61", "60 61", "", "125", ""}, f.lambda.batches)
			assert.Equal(t, []string{"60", "61"}, f.discarded(t))
		})
	}
}

// "If invocation is unsuccessful, your Lambda function suspends further processing until a successful invocation."
func TestFinalInvocationIsTriedUntilItSucceeds(t *testing.T) {
	failures := 3
	f := windowed(func(batch, _ string) *answer {
		if batch == "" && failures > 0 {
			failures--
			return &answer{payload: `{"errorMessage":"boom"}`, functionError: "Unhandled"}
		}
		return nil
	}, func(s *settings) { s.retries = 0 })
	f.drive(t, f.at(60, 120))
	assert.Equal(t, []string{"60", "", "", "", "", "120", ""}, f.lambda.batches)
}

// "Your state can be a maximum of 1 MB per shard. If it exceeds that size, Lambda terminates the window early."
func TestStateOfMoreThanOneMegabyteTerminatesTheWindowEarlyAndTheWindowGoesOnWithAFreshState(t *testing.T) {
	f := windowed(func(batch, _ string) *answer {
		if batch == "61" {
			return &answer{payload: fmt.Sprintf(`{"state":{"all":%q}}`, strings.Repeat("x", stateLimit))}
		}
		return nil
	}, func(s *settings) { s.batchSize = 1 })
	f.drive(t, f.at(60, 61, 62))
	var short []string
	for _, line := range f.seen(t) {
		short = append(short, strings.ReplaceAll(line, strings.Repeat("x", stateLimit), "a megabyte"))
	}
	assert.Equal(t, []string{
		`[60] in 60 with ""`, `[61] in 60 with "60"`, `[] in 60 with "a megabyte" final early`,
		`[62] in 60 with ""`, `[] in 60 with "62" final`,
	}, short)
}

// "When the shard ends, Lambda considers the window closed"
func TestWhenTheShardEndsTheWindowIsClosed(t *testing.T) {
	f := windowed(nil, nil)
	f.drive(t, f.at(60))
	assert.Equal(t, []string{`[60] in 60 with ""`, `[] in 60 with "60" final`}, f.seen(t))
}

// Not documented: what becomes of the state of a partial failure.
func TestOfAPartialFailureTheStateIsKeptWithWhatWasProcessed(t *testing.T) {
	f := windowed(func(batch, state string) *answer {
		switch {
		case batch == "60 61 62" && state == "":
			return &answer{payload: `{"state":{"all":"60"},"batchItemFailures":[{"itemIdentifier":"1061"}]}`}
		case batch == "61 62":
			return &answer{payload: `{"state":{"all":"wrong"},"batchItemFailures":[{"itemIdentifier":"1061"}]}`}
		}
		return nil
	}, func(s *settings) { s.retries = 1 })
	f.drive(t, f.at(60, 61, 62))
	assert.Equal(t, []string{
		`[60 61 62] in 60 with ""`, `[61 62] in 60 with "60"`, `[] in 60 with "60" final`,
	}, f.seen(t))
}

// "At the end of the window, the flag isFinalInvokeForWindow is set to true": and no later record is needed for it.
func TestWindowIsClosedWhenTheShardWasFoundEmptyAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := windowed(nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.lane.run(ctx)
		}()
		f.in <- f.at(60, 61)
		f.tip.Store(time.Unix(120, 0).UnixNano()) // not yet: a record of the window may just be on its way
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, []string{"60 61"}, f.lambda.batches)
		f.tip.Store(time.Unix(120, 0).Add(settle).UnixNano())
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, []string{"60 61", ""}, f.lambda.batches)
		f.in <- f.at(62) // late
		time.Sleep(time.Hour)
		synctest.Wait()
		cancel()
		<-ended
		assert.Equal(t, []string{
			`[60 61] in 60 with ""`, `[] in 60 with "60 61" final`, `[62] in 60 with ""`, `[] in 60 with "62" final`,
		}, f.seen(t))
	})
}

// "your function checkpoints the sequence number and stream processing continues"
func TestWindowGoesOnAfterARestart(t *testing.T) {
	f := windowed(nil, nil)
	f.process(t.Context(), attempt{batch: f.at(60)})
	g := windowed(nil, nil)
	g.checkpoint, g.window = f.checkpoint, f.checkpoint.position(f.key).Window
	g.drive(t, g.at(61))
	assert.Equal(t, []string{`[61] in 60 with "60"`, `[] in 60 with "6061" final`}, g.seen(t))
}

func TestWindowsThatAreTurnedOffAreClosed(t *testing.T) {
	f := windowed(nil, nil)
	f.process(t.Context(), attempt{batch: f.at(60)})
	off := *f.settings.Load()
	off.tumbling = 0
	f.Update(off)
	f.drive(t, f.at(61))
	assert.Equal(t, []string{`[60] in 60 with ""`, `[] in 60 with "60" final`, `[61] in -62135596800 with ""`}, f.seen(t))
}

type emptyShard struct{ output *kinesis.GetRecordsOutput }

func (e emptyShard) GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	return e.output, nil
}

func (emptyShard) ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	panic("not called")
}

func (emptyShard) GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	panic("not called")
}

func TestShardIsFoundEmptyOnlyAtItsTip(t *testing.T) {
	for name, c := range map[string]struct {
		output kinesis.GetRecordsOutput
		found  bool
	}{
		"nothing more": {kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(0)}, true},
		"a gap":        {kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(5)}, false},
		"records":      {kinesis.GetRecordsOutput{Records: make([]kinesistypes.Record, 1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tip := new(atomic.Int64)
			_, err := tips{emptyShard{&c.output}}.GetRecords(context.WithValue(t.Context(), tipKey{}, tip), nil)
			require.NoError(t, err)
			assert.Equal(t, c.found, tip.Load() != 0)
		})
	}
}
