package loader_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/loader"
)

// memory is a Store in memory. A payload with "poison" can never be stored in
// it, and before fails a call with what it returns.
type memory struct {
	rows    map[string]loader.Row
	rejects map[string]loader.Reject
	before  func() error
	inserts int
}

func newMemory() *memory {
	return &memory{rows: map[string]loader.Row{}, rejects: map[string]loader.Reject{}, before: func() error { return nil }}
}

func (m *memory) Insert(_ context.Context, rows iter.Seq[loader.Row]) (inserted int, err error) {
	m.inserts++
	if err := m.before(); err != nil {
		return 0, err
	}
	for r := range rows {
		if strings.Contains(string(r.Payload), "poison") {
			return 0, &pgconn.PgError{Code: "22P05", Message: "unsupported Unicode escape sequence"}
		}
	}
	for r := range rows {
		if _, found := m.rows[r.ID]; !found {
			m.rows[r.ID] = r
			inserted++
		}
	}
	return inserted, nil
}

func (m *memory) Quarantine(_ context.Context, rejects []loader.Reject) error {
	if err := m.before(); err != nil {
		return err
	}
	for _, r := range rejects {
		m.rejects[r.Source.Origin.String()] = r
	}
	return nil
}

func quiet(s loader.Store) *loader.Loader {
	return &loader.Loader{Store: s, Log: slog.New(slog.DiscardHandler)}
}

// batch makes a batch of one shard; the records are numbered from first.
func batch(first int, data ...string) events.KinesisEvent {
	var b events.KinesisEvent
	for i, text := range data {
		sequence := fmt.Sprintf("%056d", first+i)
		b.Records = append(b.Records, events.KinesisEventRecord{
			EventID:        "shardId-000000000000:" + sequence,
			EventSourceArn: "arn:aws:kinesis:eu-west-1:111122223333:stream/events",
			Kinesis: events.KinesisRecord{
				Data: []byte(text), SequenceNumber: sequence,
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: time.UnixMilli(1_767_323_045_678)},
			},
		})
	}
	return b
}

// failed returns the sequence number that a response reports, or "".
func failed(t testing.TB, response events.KinesisEventResponse) string {
	t.Helper()
	require.LessOrEqual(t, len(response.BatchItemFailures), 1)
	if len(response.BatchItemFailures) == 0 {
		return ""
	}
	return response.BatchItemFailures[0].ItemIdentifier
}

func handle(t testing.TB, l *loader.Loader, b events.KinesisEvent) string {
	t.Helper()
	response, err := l.Handle(t.Context(), b)
	require.NoError(t, err)
	return failed(t, response)
}

func TestRecordsAsLambdaDeliversThem(t *testing.T) {
	text, err := os.ReadFile("testdata/kinesis.json")
	require.NoError(t, err)
	store := newMemory()
	output, err := quiet(store).Invoke(t.Context(), text)
	require.NoError(t, err)
	assert.JSONEq(t, `{"batchItemFailures":[]}`, string(output))

	const shard = "events/shardId-000000000006/4959033827149025660855969253836157109592157598913658883"
	require.Len(t, store.rows, 3)
	quake := store.rows["us7000"]
	assert.Equal(t, "earthquake", quake.Type)
	assert.Equal(t, time.UnixMilli(1545084650987).UTC(), quake.OccurredAt)
	assert.Equal(t, `{"event_id":"us7000","event_type":"earthquake","occurred_at":1545084650987,"mag":4.70}`, string(quake.Payload))
	assert.Equal(t, "2018-12-17T22:10:50.987Z", quake.Source.ArrivedAt.Format(time.RFC3339Nano))
	assert.Equal(t, shard+"0", quake.Source.Origin.String())
	assert.Contains(t, store.rows, shard+"1", "by enhanced fan-out, under the stream's name too")

	again := store.rows["events/shardId-000000000001/7"]
	assert.Equal(t, `{"again":true}`, string(again.Payload))
	assert.Equal(t, shard+"3", again.Source.Origin.String())
	assert.Equal(t, "2017-05-18T02:02:29.453Z", again.Source.ArrivedAt.Format(time.RFC3339Nano), "when it first arrived")

	require.Len(t, store.rejects, 1)
	reject := store.rejects[shard+"2"]
	assert.Equal(t, "the record is not valid JSON at byte 1", reject.Reason)
	assert.Equal(t, "Hello, this is a test.", string(reject.Source.Data))
	assert.Equal(t, "2016-12-02T01:18:43.477Z", reject.Source.ArrivedAt.Format(time.RFC3339Nano))
}

func TestTroubleThatPassesIsReportedAsTheFirstRecordNotAtRest(t *testing.T) {
	lost := errors.New("connection lost")
	for name, c := range map[string]struct {
		data []string
		fail int // this call of the store, from 1
		want string
	}{
		"of the batch":                              {[]string{`{"a":1}`, `{"a":2}`, `{"a":3}`}, 1, "10"},
		"of the half after a poisoned one":          {[]string{`{"a":1}`, `{"poison":2}`, `{"a":3}`, `{"a":4}`}, 5, "12"},
		"after records that are no events":          {[]string{"x", "y", `{"a":3}`}, 1, "12"},
		"of the quarantine":                         {[]string{`{"a":1}`, "x", `{"a":3}`, "y"}, 2, "11"},
		"of the quarantine, for a poisoned one":     {[]string{`{"poison":1}`, `{"a":2}`, "x"}, 4, "10"},
		"of the quarantine, when there are no rows": {[]string{"", "x"}, 1, "10"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			calls := 0
			store.before = func() error {
				if calls++; calls == c.fail {
					return lost
				}
				return nil
			}
			assert.Equal(t, fmt.Sprintf("%056s", c.want), handle(t, quiet(store), batch(10, c.data...)))
		})
	}
}

func TestPoisonIsFoundByHalving(t *testing.T) {
	data := make([]string, 1024)
	for i := range data {
		data[i] = fmt.Sprintf(`{"n":%d}`, i)
	}
	data[700] = `{"poison":true}`
	store := newMemory()
	assert.Empty(t, handle(t, quiet(store), batch(0, data...)))
	assert.Len(t, store.rows, 1023)
	assert.Len(t, store.rejects, 1)
	assert.Equal(t, 1+2*10, store.inserts, "two halves at each of ten levels")
}

// TestWhateverFailsAndIsSentAgainEveryRecordComesToRest plays Lambda's side: it
// sends everything from the reported record on again, until nothing is reported.
func TestWhateverFailsAndIsSentAgainEveryRecordComesToRest(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var data []string
		wantRows, wantRejects := 0, 0
		for i := range 1 + random.IntN(60) {
			switch random.IntN(6) {
			case 0:
				data, wantRejects = append(data, fmt.Sprintf(`{"poison":%d}`, i)), wantRejects+1
			case 1:
				data, wantRejects = append(data, "not JSON"), wantRejects+1
			default:
				data, wantRows = append(data, fmt.Sprintf(`{"n":%d}`, i)), wantRows+1
			}
		}
		store := newMemory()
		store.before = func() error {
			if random.IntN(8) == 0 {
				return errors.New("trouble that passes")
			}
			return nil
		}
		l := quiet(store)
		for todo := batch(0, data...); len(todo.Records) > 0; {
			next := handle(t, l, todo)
			i := len(todo.Records)
			for j, r := range todo.Records {
				if r.Kinesis.SequenceNumber == next {
					i = j
				}
			}
			todo.Records = todo.Records[i:]
		}
		require.Len(t, store.rows, wantRows, "seed %d", seed)
		require.Len(t, store.rejects, wantRejects, "seed %d", seed)
	}
}

func TestLogTellsWhatIsWrongWithoutTheData(t *testing.T) {
	var log bytes.Buffer
	store := newMemory()
	l := &loader.Loader{Store: store, Log: slog.New(slog.NewJSONHandler(&log, nil))}
	handle(t, l, batch(0, `{"good":"secret"}`))
	assert.Empty(t, log.String(), "normal operation is quiet")

	handle(t, l, batch(1, `{"poison":"secret"}`, "secret"))
	store.before = func() error { return errors.New("connection lost") }
	handle(t, l, batch(3, `{"good":"secret"}`))
	assert.NotContains(t, log.String(), "secret")

	var lines []map[string]any
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		delete(fields, "time")
		lines = append(lines, fields)
	}
	const shard = "shardId-000000000000"
	assert.Equal(t, []map[string]any{
		{"level": "WARN", "msg": "records are in quarantine", "records": 2.0, "first": fmt.Sprintf("events/%s/%056d", shard, 1)},
		{"level": "ERROR", "msg": "records are to be sent again", "error": "connection lost", "records": 1.0, "event": fmt.Sprintf("%s:%056d", shard, 3)},
	}, lines)
}

func TestSQLStateDecidesWhatIsRetried(t *testing.T) {
	for code, want := range map[string]bool{
		"22P05": false, // \u0000 in jsonb
		"22P02": false, // half of a surrogate pair
		"22003": false, // number out of range
		"22021": false, // NUL in text
		"23514": false, // check constraint
		"23502": false, // null in a column that takes none
		"44000": false, // view's check option
		"54000": false, // index row too long
		"54001": false, // nested too deep
		"08006": true,  // connection failure
		"25006": true,  // read-only: failing over
		"28P01": true,  // password
		"40001": true,  // serialization
		"40P01": true,  // deadlock
		"42501": true,  // a right that is not given yet
		"42P01": true,  // a table that is not made yet
		"53100": true,  // disk full
		"53300": true,  // too many connections
		"55P03": true,  // lock not available
		"57014": true,  // cancelled
		"57P01": true,  // shutting down
		"58030": true,  // I/O
		"XX000": true,  // internal
		"":      true,
	} {
		assert.Equal(t, want, loader.Retryable(fmt.Errorf("inserting: %w", &pgconn.PgError{Code: code})), code)
	}
	assert.True(t, loader.Retryable(errors.New("reset by peer")))
	assert.True(t, loader.Retryable(context.DeadlineExceeded))
}
