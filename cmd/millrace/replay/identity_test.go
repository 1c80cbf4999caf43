package replay_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/kpl"
	"github.com/millrace-cdk/millrace/lambdas/kpl/kpltest"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// original is an event as it first arrived.
type original struct {
	data    []byte
	origin  event.Origin
	arrived time.Time
	record  stored
}

// randomEvent is one of many kinds that matter for an identity.
func randomEvent(r *rand.Rand, n int) []byte {
	members := []string{fmt.Sprintf(`"n":%d.10`, n)}
	switch r.IntN(9) {
	case 0:
		members = append(members, fmt.Sprintf(`"event_id":"e-%d"`, n))
	case 1:
		members = append(members, `"event_id":`+[]string{`7`, `null`, `""`, `"a\u0000"`, `"\ud800"`}[r.IntN(5)])
	case 2:
		members = append(members, fmt.Sprintf(`"event_id":"%s%d"`, strings.Repeat("long", 200), n))
	case 3:
		members = append(members, `"_millrace":`+[]string{`"theirs"`, `{}`, `{"id":"x"}`, `null`}[r.IntN(4)])
	case 4: // a line of the lake, posted once more
		members = append(members, fmt.Sprintf(`"_millrace":{"id":"orders/shardId-000000000009/%d","arrived_at":"2025-01-02T03:04:05.678Z"}`, n))
	case 5:
		members = append(members, fmt.Sprintf(`"event_id":"ours-%d","_millrace":{"id":"theirs","arrived_at":"2025-01-02T03:04:05.678Z"}`, n))
	case 6:
		members = []string{`"the":"same"`} // as others, to the byte
	}
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	text := " { " + strings.Join(members, " ,\n") + " }"
	if r.IntN(2) == 0 {
		text += "\n"
	}
	return []byte(text)
}

// fill puts random events into the stream, some of them packed by the KPL.
func fill(t *testing.T, fake *fakeKinesis, count int) []original {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // not a secret
	var all []original
	for n := 0; n < count; {
		var packed []kpl.Record
		for range 1 + random.IntN(2)*random.IntN(4) {
			packed = append(packed, kpl.Record{PartitionKey: fmt.Sprint("user-", n), Data: randomEvent(random, n)})
			n++
		}
		data := packed[0].Data
		if len(packed) > 1 {
			data = kpltest.Frame(kpltest.Message(packed))
		}
		// Several arrive in the same millisecond, and identical ones do too.
		arrived := start.Add(time.Duration(n/3) * time.Millisecond)
		record := fake.put(random.IntN(2), arrived, data)
		for i, p := range packed {
			origin := event.Origin{Stream: "orders", Shard: record.shard, Sequence: record.sequence, SubSequence: int64(i)}
			all = append(all, original{p.Data, origin, arrived, record})
		}
	}
	return all
}

// sources are the same events as each kind of source has them.
func sources(t *testing.T, all []original, stream *replay.Stream) map[string]replay.Source {
	t.Helper()
	var errorLines, conversions, backup bytes.Buffer
	var batch events.KinesisEvent
	seen := map[string]bool{}
	for _, o := range all {
		line := map[string]any{
			"attemptsMade": 4, "arrivalTimestamp": o.arrived.UnixMilli(), "errorCode": "Lambda.FunctionError", "errorMessage": "…",
			"attemptEndingTimestamp": o.arrived.UnixMilli() + 5000, "rawData": o.data, "lambdaArn": "arn:aws:lambda:eu-west-1:000000000000:function:transformer",
		}
		require.NoError(t, json.NewEncoder(&errorLines).Encode(line))
		delete(line, "errorCode")
		line["lastErrorCode"], line["sequenceNumber"], line["subSequenceNumber"] = "DataFormatConversion.EntityNotFound", o.origin.Sequence, o.origin.SubSequence
		require.NoError(t, json.NewEncoder(&conversions).Encode(line))
		backup.Write(o.data)
		if !seen[o.record.sequence] { // Lambda does not take aggregates apart
			batch.Records = append(batch.Records, events.KinesisEventRecord{
				EventID: o.record.shard + ":" + o.record.sequence, EventSourceArn: streamARN + "/consumer/loader:1700000000",
				Kinesis: events.KinesisRecord{
					Data: o.record.data, SequenceNumber: o.record.sequence, PartitionKey: o.record.key,
					ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: o.arrived},
				},
			})
			seen[o.record.sequence] = true
		}
	}
	payload, err := json.Marshal(batch)
	require.NoError(t, err)
	failure, err := json.Marshal(map[string]any{"requestContext": map[string]any{"condition": "RetryAttemptsExhausted"}, "payload": string(payload)})
	require.NoError(t, err)
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, err = writer.Write(backup.Bytes())
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	written := start.Add(time.Minute)
	return map[string]replay.Source{
		"delivery errors":   objects(replay.DeliveryErrors(), written, map[string][]byte{"errors/processing-failed/a": errorLines.Bytes()}),
		"conversion errors": objects(replay.DeliveryErrors(), written, map[string][]byte{"errors/format-conversion-failed/a": conversions.Bytes()}),
		"backup":            objects(replay.Backups(), written, map[string][]byte{"raw/a": backup.Bytes()}),
		"backup in gzip":    objects(replay.Backups(), written, map[string][]byte{"raw/a.gz": zipped.Bytes()}),
		"failed batches":    objects(replay.Failures(), written, map[string][]byte{"aws/lambda/a": failure}),
		"quarantine":        &replay.Quarantine{DB: quarantine(t, all)},
		"stream":            &replay.Window{Stream: stream, From: start, To: start.Add(time.Hour)},
	}
}

func TestWhatIsReplayedIsTheSameEventFromEverySource(t *testing.T) {
	fake, stream := newStream(t)
	all := fill(t, fake, 600)
	want := map[string]bool{}
	for _, o := range all {
		e, err := event.Parse(o.data)
		require.NoError(t, err)
		want[e.Identity(o.origin)] = true
	}
	for name, source := range sources(t, all, stream) {
		t.Run(name, func(t *testing.T) {
			fake.puts = nil
			report, err := replay.Run(t.Context(), replay.Config{Source: source, Stream: stream, Rate: 1_000_000})
			require.NoError(t, err)
			assert.Equal(t, len(all), report.Read)
			assert.Empty(t, report.Skipped)
			assert.Len(t, fake.puts, report.Sent)

			got := map[string]bool{}
			elsewhere := event.Origin{Stream: "orders", Shard: "shardId-000000000007", Sequence: "1"}
			lines := map[string]int{}
			for _, put := range fake.puts {
				e, err := event.Parse(put.data)
				require.NoError(t, err)
				got[e.Identity(elsewhere)] = true
				lines[string(e.Line(elsewhere, start.Add(time.Hour)))]++
			}
			assert.Equal(t, want, got)
			if strings.HasPrefix(name, "backup") {
				return // it does not say when an event with an event_id arrived
			}
			for _, o := range all {
				e, err := event.Parse(o.data)
				require.NoError(t, err)
				assert.NotZero(t, lines[string(e.Line(o.origin, o.arrived))], "the line in the lake is the one that it would have been: %s", o.data)
			}
		})
	}
}

func TestAPartitionKeyThatIsKnownStays(t *testing.T) {
	fake, stream := newStream(t)
	first := fake.put(0, start, []byte(`{"a":1}`))
	fake.put(1, start, kpltest.Frame(kpltest.Message([]kpl.Record{{PartitionKey: "user-1", ExplicitHashKey: "17", Data: []byte(`{"b":1}`)}})))
	_, err := replay.Run(t.Context(), replay.Config{Source: &replay.Window{Stream: stream, From: start, To: start}, Stream: stream})
	require.NoError(t, err)
	keys := []string{}
	for _, put := range fake.puts {
		keys = append(keys, put.key+" "+put.hashKey)
	}
	assert.ElementsMatch(t, []string{first.key + " ", "user-1 17"}, keys)
}

func TestAnErrorObjectsEventIsFoundWhereItArrivedEarlierThanFirehoseSays(t *testing.T) {
	fake, stream := newStream(t)
	data := []byte(`{"temperature":20}`)
	before := fake.put(0, start.Add(-2*time.Hour), data)
	one, two := fake.put(0, start.Add(-time.Minute), data), fake.put(1, start.Add(-time.Second), data)
	later := fake.put(0, start.Add(time.Minute), data)
	line := fmt.Appendf(nil, `{"arrivalTimestamp":"%d","errorCode":"Lambda.FunctionError","rawData":"%s"}`, start.UnixMilli(), base64.StdEncoding.EncodeToString(data))
	_, err := replay.Run(t.Context(), replay.Config{Stream: stream, Source: objects(replay.DeliveryErrors(), start, map[string][]byte{"a": line})})
	require.NoError(t, err)
	text := strings.Join(fake.sent(), "\n")
	assert.Contains(t, text, one.sequence)
	assert.Contains(t, text, two.sequence, "which of the two it was is not known; both keep their identity")
	assert.NotContains(t, text, before.sequence)
	assert.NotContains(t, text, later.sequence)
}

func TestAnEventThatTheStreamDoesNotHaveAnyMoreIsReportedAndNewOnlyOnRequest(t *testing.T) {
	fake, stream := newStream(t)
	source := objects(replay.Backups(), start, map[string][]byte{strings.Repeat("long", 200): []byte(`{"a":1}{"event_id":"x"}{"a":1}`)})
	report, err := replay.Run(t.Context(), replay.Config{Source: source, Stream: stream})
	require.ErrorIs(t, err, replay.ErrFailed)
	assert.Equal(t, map[string]int{"the origin of an event without event_id is not to be found": 2}, report.Failed)
	assert.Equal(t, 1, report.Sent)

	ids := map[string]int{}
	for range 2 {
		fake.puts = nil
		_, err := replay.Run(t.Context(), replay.Config{Source: source, Stream: stream, AsNew: true})
		require.NoError(t, err)
		for _, put := range fake.puts {
			e, err := event.Parse(put.data)
			require.NoError(t, err)
			require.NotEmpty(t, e.ID)
			ids[e.ID]++
		}
	}
	assert.Len(t, ids, 3)
	for id, times := range ids {
		assert.Equal(t, 2, times, "%s is the same each time", id)
	}
	assert.Contains(t, slices.Collect(func(yield func(string) bool) {
		for id := range ids {
			if !yield(id) {
				return
			}
		}
	}), "x")
}
