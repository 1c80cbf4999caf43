package aggregator_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/aggregator"
	"github.com/millrace-cdk/millrace/lambdas/emf"
	"github.com/millrace-cdk/millrace/lambdas/kpl/kpltest"
	"github.com/millrace-cdk/millrace/spec"
)

// lambdasEvent is the example of the developer guide, with a state of ours and data of ours.
func lambdasEvent(state string, final bool, data ...string) []byte {
	var records []string
	for i, text := range data {
		records = append(records, fmt.Sprintf(`{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"4959033827149025660855969253836157109592157598913658%04d","data":%q,"approximateArrivalTimestamp":1607497475.000},
			"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:1","eventName":"aws:kinesis:record","awsRegion":"us-east-1",
			"eventSourceARN":"arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream"}`, i, base64.StdEncoding.EncodeToString([]byte(text))))
	}
	return fmt.Appendf(nil, `{"Records":[%s],"window":{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"},"state":%s,
		"shardId":"shardId-000000000006","eventSourceARN":"arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream",
		"isFinalInvokeForWindow":%t,"isWindowTerminatedEarly":false}`, strings.Join(records, ","), state, final)
}

func stateIn(t *testing.T, response []byte) string {
	t.Helper()
	var answer struct{ State json.RawMessage }
	require.NoError(t, json.Unmarshal(response, &answer))
	return string(answer.State)
}

func newAggregator(t *testing.T, w spec.Windows) (*aggregator.Aggregator, *table) {
	t.Helper()
	a, err := aggregator.New(w)
	require.NoError(t, err)
	rows := &table{t: t, rows: map[string]string{}}
	a.Sink = rows
	return a, rows
}

func TestAResultSaysOfWhatItIs(t *testing.T) {
	a, rows := newAggregator(t, spec.Windows{EventType: "window", Key: "$.k", Values: []spec.WindowValue{{Name: "v"}}})
	response, err := a.Invoke(t.Context(), lambdasEvent("{}", false, `{"k":"a","v":1.5,"occurred_at":"2020-12-09T07:03:59Z"}`, `{"k":"a","v":-2}`))
	require.NoError(t, err)
	assert.Empty(t, rows.rows, "the window is open")
	response, err = a.Invoke(t.Context(), lambdasEvent(stateIn(t, response), true))
	require.NoError(t, err)
	assert.JSONEq(t, `{"state":{},"batchItemFailures":[]}`, string(response))
	require.Len(t, rows.rows, 1)
	for id, text := range rows.rows {
		assert.JSONEq(t, fmt.Sprintf(`{
			"event_id": %q, "event_type": "window", "occurred_at": "2020-12-09T07:06:00Z",
			"window_start": "2020-12-09T07:04:00Z", "window_end": "2020-12-09T07:06:00Z", "stream": "lambda-stream", "shard": "shardId-000000000006",
			"first": "49590338271490256608559692538361571095921575989136580000", "through": "49590338271490256608559692538361571095921575989136580001",
			"key": "a", "events": 2, "late": 1, "values": {"v": {"n": 2, "sum": -0.5, "min": -2, "max": 1.5}}
		}`, id), text)
		assert.LessOrEqual(t, len(id), 256, "a partition key of Kinesis")
	}
}

func TestAFinalInvocationThatFailsWritesTheSameAgain(t *testing.T) {
	a, rows := newAggregator(t, spec.Windows{EventType: "window"})
	response, err := a.Invoke(t.Context(), lambdasEvent("{}", false, `{}`, `{}`))
	require.NoError(t, err)
	last := lambdasEvent(stateIn(t, response), true)
	for range 3 { // its answer is lost twice
		_, err = a.Invoke(t.Context(), last)
		require.NoError(t, err)
	}
	assert.Len(t, rows.rows, 1)
	assert.Equal(t, 3, rows.writes)
}

func TestAWindowThatLambdaEndsEarlyIsWrittenAndSaid(t *testing.T) {
	a, rows := newAggregator(t, spec.Windows{EventType: "window"})
	var metrics bytes.Buffer
	a.Metrics = &emf.Writer{Output: &metrics, Namespace: aggregator.MetricNamespace}
	response, err := a.Invoke(t.Context(), lambdasEvent("{}", false, `{}`))
	require.NoError(t, err)
	early := bytes.Replace(lambdasEvent(stateIn(t, response), true), []byte(`"isWindowTerminatedEarly":false`), []byte(`"isWindowTerminatedEarly":true`), 1)
	_, err = a.Invoke(t.Context(), early)
	require.NoError(t, err)
	assert.Len(t, rows.rows, 1)
	assert.Contains(t, metrics.String(), `"TerminatedEarly":1`)
}

func TestEveryEventOfAnAggregatedRecordIsCounted(t *testing.T) {
	a, rows := newAggregator(t, spec.Windows{EventType: "window", Key: "$.k"})
	packed := kpltest.Aggregate(`{"k":1}`, `{"k":2}`, `{"k":1}`)
	response, err := a.Invoke(t.Context(), lambdasEvent("{}", false, string(packed)))
	require.NoError(t, err)
	response, err = a.Invoke(t.Context(), lambdasEvent(stateIn(t, response), false, string(packed)))
	require.NoError(t, err, "it comes again")
	_, err = a.Invoke(t.Context(), lambdasEvent(stateIn(t, response), true))
	require.NoError(t, err)
	var all string
	for _, text := range rows.rows {
		all += text
	}
	assert.Contains(t, all, `"key":"1","events":2,`)
	assert.Contains(t, all, `"key":"2","events":1,`)
}

func TestWhatCannotBeAggregatedIsCountedByItsReason(t *testing.T) {
	a, rows := newAggregator(t, spec.Windows{EventType: "window", Key: "$.k"})
	var metrics bytes.Buffer
	a.Metrics = &emf.Writer{Output: &metrics, Namespace: aggregator.MetricNamespace}
	_, err := a.Invoke(t.Context(), lambdasEvent("{}", true, "no JSON", "[]", `{}`, `{"k":null}`, `{"k":""}`, `{"k":{}}`, `{"k":"`+strings.Repeat("k", 513)+`"}`))
	require.NoError(t, err)
	var all string
	for _, text := range rows.rows {
		all += text
	}
	for reason, n := range map[string]int{"no event": 2, "no key": 4, "key too long": 1} {
		assert.Contains(t, all, fmt.Sprintf(`"reason":%q,"events":%d}`, reason, n))
	}
	assert.Contains(t, metrics.String(), `"Unusable":7`)
	assert.NotContains(t, all, `"event_type":"window",`)
}

func TestAnEventThatIsNoWindowsIsRefused(t *testing.T) {
	a, _ := newAggregator(t, spec.Windows{EventType: "window"})
	_, err := a.Invoke(t.Context(), []byte(`{"Records":[]}`))
	assert.ErrorContains(t, err, "TumblingWindowInSeconds")
	_, err = a.Invoke(t.Context(), []byte(`[`))
	assert.ErrorContains(t, err, "decoding the event of a tumbling window")
}

func TestADeclarationThatIsWrongIsRefused(t *testing.T) {
	_, err := aggregator.New(spec.Windows{EventType: "window", Key: "device"})
	assert.ErrorContains(t, err, "key: path must be like")
}

// putter refuses the first records of its first calls.
type putter struct {
	refuse []int // of each call, in order; -1: the call fails
	calls  [][]string
}

func (p *putter) PutRecords(_ context.Context, input *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	refuse := 0
	if len(p.refuse) > 0 {
		refuse, p.refuse = p.refuse[0], p.refuse[1:]
	}
	if refuse < 0 {
		return nil, errors.New("no network")
	}
	output, call := &kinesis.PutRecordsOutput{}, []string{}
	for i, r := range input.Records {
		call = append(call, string(r.Data))
		var result types.PutRecordsResultEntry
		if i < refuse {
			result.ErrorCode = aws.String("ProvisionedThroughputExceededException")
		}
		output.Records = append(output.Records, result)
	}
	p.calls = append(p.calls, call)
	return output, nil
}

func (p *putter) sizes() (n []int) {
	for _, call := range p.calls {
		n = append(n, len(call))
	}
	return n
}

func rowsNamed(names ...string) []aggregator.Row {
	var all []aggregator.Row
	for i, name := range names {
		all = append(all, aggregator.Row{ID: fmt.Sprint("id-", i), JSON: []byte(name)})
	}
	return all
}

func atOnce(ctx context.Context, _ int) error { return ctx.Err() }

func TestOnlyWhatKinesisRefusedIsPutAgain(t *testing.T) {
	p := &putter{refuse: []int{2, 1}}
	require.NoError(t, (&aggregator.Stream{Kinesis: p, Wait: atOnce}).Write(t.Context(), rowsNamed("a", "b", "c")))
	assert.Equal(t, [][]string{{"a", "b", "c"}, {"a", "b"}, {"a"}}, p.calls)
}

func TestACallTakesNoMoreThanKinesisDoes(t *testing.T) {
	p := &putter{}
	large := strings.Repeat("x", 1_000_000)
	require.NoError(t, (&aggregator.Stream{Kinesis: p, Wait: atOnce}).Write(t.Context(), rowsNamed(large, large, large, large, large, large)))
	require.Equal(t, []int{5, 1}, p.sizes())
	p = &putter{}
	require.NoError(t, (&aggregator.Stream{Kinesis: p, Wait: atOnce}).Write(t.Context(), rowsNamed(strings.Fields(strings.Repeat("x ", 1_001))...)))
	assert.Equal(t, []int{500, 500, 1}, p.sizes())
}

func TestTroubleOfTheStreamIsAnError(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&aggregator.Stream{Kinesis: &putter{refuse: []int{1}}, Wait: atOnce}).Write(ended, rowsNamed("a"))
	assert.ErrorContains(t, err, "1 are refused (ProvisionedThroughputExceededException)")
	assert.ErrorIs(t, err, context.Canceled)
	err = (&aggregator.Stream{Kinesis: &putter{refuse: []int{-1}}}).Write(t.Context(), rowsNamed("a"))
	assert.ErrorContains(t, err, "no network")
}

func TestWritingLeavesTimeToAnswer(t *testing.T) {
	a, _ := newAggregator(t, spec.Windows{EventType: "window"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	whole, _ := ctx.Deadline()
	a.Sink = sinkFunc(func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		assert.True(t, ok)
		assert.True(t, deadline.Before(whole))
		return nil
	})
	_, err := a.Invoke(ctx, lambdasEvent("{}", true, `{}`))
	require.NoError(t, err)
}

type sinkFunc func(context.Context) error

func (f sinkFunc) Write(ctx context.Context, _ []aggregator.Row) error { return f(ctx) }
