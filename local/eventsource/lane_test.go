package eventsource

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// with-kinesis: "By default, Lambda invokes your function as soon as records are available."
func TestByDefaultLambdaInvokesAsSoonAsRecordsAreAvailable(t *testing.T) {
	f := newFixture(nil, nil)
	f.in <- f.batch("a")
	f.in <- f.batch("b", "c")
	assert.Len(t, f.gather(t.Context()), 3, "what is there, without waiting for more")
}

// services-kinesis-create: "The number of records to send to the function in each batch"
func TestBatchesHoldTheBatchSizeAtMost(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.batchSize = 2 })
	f.in <- f.batch("a", "b", "c", "d", "e")
	close(f.in)
	var sizes []int
	for batch := f.gather(t.Context()); batch != nil; batch = f.gather(t.Context()) {
		sizes = append(sizes, len(batch))
	}
	assert.Equal(t, []int{2, 2, 1}, sizes)
}

// with-kinesis: "until it has gathered a full batch, the batching window expires, or the batch reaches the payload limit of 6 MB"
func TestLambdaGathersUntilTheBatchingWindowExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(nil, func(s *settings) { s.window = time.Minute })
		began := time.Now()
		f.in <- f.batch("a")
		time.AfterFunc(59*time.Second, func() { f.in <- f.batch("b") })
		time.AfterFunc(61*time.Second, func() { f.in <- f.batch("c") })
		assert.Len(t, f.gather(t.Context()), 2)
		assert.Equal(t, time.Minute, time.Since(began), "of the test's clock")
	})
}

// invocation-eventsourcemapping: "the next batching window begins as soon as the previous function invocation completes"
func TestTheNextBatchingWindowBeginsAsSoonAsThePreviousInvocationCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(nil, func(s *settings) { s.window = time.Minute })
		began := time.Now()
		time.AfterFunc(90*time.Second, func() { f.in <- f.batch("a") }) // in the second window
		assert.Len(t, f.gather(t.Context()), 1)
		assert.Equal(t, 2*time.Minute, time.Since(began), "of the test's clock")
	})
}

// with-kinesis: "until it has gathered a full batch"
func TestFullBatchDoesNotWaitForTheBatchingWindow(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.window, s.batchSize = time.Hour, 2 })
	f.in <- f.batch("a", "b", "c")
	assert.Len(t, f.gather(t.Context()), 2)
}

// Not documented.
func TestTheEndOfTheShardDoesNotWaitForTheBatchingWindow(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.window = time.Hour })
	f.in <- f.batch("a")
	close(f.in)
	assert.Len(t, f.gather(t.Context()), 1)
	assert.Nil(t, f.gather(t.Context()))
}

// with-kinesis: "or the batch reaches the payload limit of 6 MB"
func TestBatchReachesThePayloadLimitOfSixMegabytes(t *testing.T) {
	megabyte := strings.Repeat("x", 1024*1024)
	for name, tumbling := range map[string]time.Duration{"alone": 0, "with a window's state": time.Hour} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(nil, func(s *settings) { s.window, s.tumbling = time.Hour, tumbling })
			records := f.batch(megabyte, megabyte, megabyte, megabyte, megabyte)
			want := 4
			if tumbling > 0 {
				f.window = newWindow(records[0].arrived, tumbling)
				f.window.State = []byte(`{"big":"` + megabyte[20:] + `"}`)
				want = 3
			}
			f.in <- records
			batch := f.gather(t.Context())
			assert.Len(t, batch, want)
			assert.LessOrEqual(t, len(f.event(batch, f.window, false)), function.PayloadLimit)
		})
	}
}

// with-kinesis: "If you increase the number of concurrent batches per shard, Lambda still ensures in-order processing at the
// partition-key level."
func TestRecordsOfOnePartitionKeyGoToOneLaneInOrder(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.parallelization = 4 })
	var read []kinesistypes.Record
	for i := range 400 {
		key := string(rune('a' + i%26))
		read = append(read, kinesistypes.Record{
			PartitionKey: &key, SequenceNumber: aws.String(time.UnixMilli(int64(i)).UTC().Format("05.000")), Data: []byte(key),
		})
	}
	laneOf := map[string]int{}
	lanes := f.deal(f.settings.Load(), &shards.Shard{ID: "shard", Key: "shard@1"}, read)
	require.Len(t, lanes, 4)
	total := 0
	for i, lane := range lanes {
		assert.NotEmpty(t, lane)
		total += len(lane)
		for n, r := range lane {
			if n > 0 {
				assert.Less(t, lane[n-1].sequence, r.sequence)
			}
			key := string(r.event[strings.Index(string(r.event), `"partitionKey":"`)+16])
			if other, known := laneOf[key]; known {
				assert.Equal(t, other, i, "key %s", key)
			}
			laneOf[key] = i
		}
	}
	assert.Equal(t, 400, total)
}

// with-kinesis: "Lambda can process up to 10 batches in each shard simultaneously."
func TestCheckpointWaitsForTheSlowestLaneOfTheShard(t *testing.T) {
	f := newFixture(func(string) answer { return answer{payload: "null"} }, func(s *settings) { s.parallelization = 2 })
	batch := f.batch("a", "b", "c", "d")
	f.process(t.Context(), attempt{batch: []record{batch[1], batch[3]}})
	assert.Empty(t, f.checkpoint.after(f.key), "a is not processed")
	f.process(t.Context(), attempt{batch: batch[:1]})
	assert.Equal(t, "101", f.checkpoint.after(f.key), "c is not processed")
	f.process(t.Context(), attempt{batch: batch[2:3]})
	assert.Equal(t, "103", f.checkpoint.after(f.key))
}

// invocation-eventfiltering: "If you're using batching windows, Lambda applies your filter criteria to each new event to determine
// whether to add it to the current batch."; "the streams iterator advances past this record"
func TestRecordsThatDoNotSatisfyTheFilterAreNotInTheBatchAndAreAdvancedPast(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.filters = mustFilter(t, `{"data":{"n":[1]}}`) })
	var read []kinesistypes.Record
	for i, data := range []string{`{"n":2}`, `{"n":1}`, `{"n":3}`, `no JSON`} {
		read = append(read, kinesistypes.Record{PartitionKey: aws.String("p"), SequenceNumber: aws.String(fmt.Sprint(i)), Data: []byte(data)})
	}
	shard := &shards.Shard{ID: f.shard, Key: f.key}
	lanes := f.deal(f.settings.Load(), shard, read)
	require.Len(t, lanes[0], 1)
	assert.Equal(t, "1", lanes[0][0].sequence)
	assert.Equal(t, "0", f.checkpoint.after(f.key))
	f.checkpoint.finish(f.key, lanes[0][0].place)
	assert.Equal(t, "3", f.checkpoint.after(f.key))
}
