package eventsource

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/internal/function"
)

func TestByDefaultLambdaInvokesAsSoonAsRecordsAreAvailable(t *testing.T) {
	f := newFixture(nil, nil)
	f.in <- f.batch("a")
	f.in <- f.batch("b", "c")
	assert.Len(t, f.gather(t.Context()), 3, "what is there, without waiting for more")
}

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

func TestLambdaGathersUntilTheBatchingWindowExpires(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.window = 100 * time.Millisecond })
	started := time.Now()
	f.in <- f.batch("a")
	time.AfterFunc(20*time.Millisecond, func() { f.in <- f.batch("b") })
	assert.Len(t, f.gather(t.Context()), 2)
	assert.GreaterOrEqual(t, time.Since(started), 100*time.Millisecond)
}

func TestFullBatchDoesNotWaitForTheBatchingWindow(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.window, s.batchSize = time.Hour, 2 })
	f.in <- f.batch("a", "b", "c")
	assert.Len(t, f.gather(t.Context()), 2)
}

func TestTheEndOfTheShardDoesNotWaitForTheBatchingWindow(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.window = time.Hour })
	f.in <- f.batch("a")
	close(f.in)
	assert.Len(t, f.gather(t.Context()), 1)
	assert.Nil(t, f.gather(t.Context()))
}

func TestBatchReachesThePayloadLimitOfSixMegabytes(t *testing.T) {
	f := newFixture(nil, func(s *settings) { s.window = time.Hour })
	megabyte := strings.Repeat("x", 1024*1024)
	f.in <- f.batch(megabyte, megabyte, megabyte, megabyte, megabyte)
	batch := f.gather(t.Context())
	assert.Len(t, batch, 4)
	assert.LessOrEqual(t, len(event(batch)), function.PayloadLimit)
}

func TestRecordsOfOnePartitionKeyGoToOneLaneInOrder(t *testing.T) {
	s := newFixture(nil, func(s *settings) { s.parallelization = 4 }).settings.Load()
	var read []kinesistypes.Record
	for i := range 400 {
		key := string(rune('a' + i%26))
		read = append(read, kinesistypes.Record{
			PartitionKey: &key, SequenceNumber: aws.String(time.UnixMilli(int64(i)).UTC().Format("05.000")), Data: []byte(key),
		})
	}
	laneOf := map[string]int{}
	lanes := deal(s, "shard", read)
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
