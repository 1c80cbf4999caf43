package eventsource

import (
	"context"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// mapping polls for one event source mapping.
type mapping struct {
	services
	checkpoint *checkpoint
	settings   atomic.Pointer[settings]
	log        *slog.Logger
	// wait is how long to wait before the n-th retry in a row.
	wait func(n int) time.Duration
}

func newMapping(s settings, services services, c *checkpoint, log *slog.Logger) *mapping {
	m := &mapping{services: services, checkpoint: c, log: log.With("mapping", s.uuid, "function", s.function), wait: backoff}
	m.settings.Store(&s)
	return m
}

// backoff doubles from 250 ms to 30 s.
func backoff(n int) time.Duration {
	return min(250*time.Millisecond<<min(n-1, 10), 30*time.Second)
}

// Update puts new settings into force.
func (m *mapping) Update(s settings) { m.settings.Store(&s) }

// Run polls every shard of the stream until ctx is done.
func (m *mapping) Run(ctx context.Context) {
	select {
	case m.checkpoint.polling <- struct{}{}:
		defer func() { <-m.checkpoint.polling }()
	case <-ctx.Done():
		return
	}
	started := m.checkpoint.begin()
	s := m.settings.Load()
	start := s.start
	if start.Type == types.ShardIteratorTypeLatest {
		// Asked for a second time, after a restart, LATEST would skip what came meanwhile.
		start = shards.Start{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: started}
	}
	reader := &shards.Reader{Client: tips{m.kinesis}, StreamARN: s.stream, Start: start, After: m.checkpoint.after, Log: m.log}
	reader.Run(ctx, m.pollShard)
}

// pollShard deals a shard's records out to its lanes, as many as the
// parallelization factor says: records of one partition key to one lane, in
// order. It returns when all are processed: only then may the shard's children begin.
func (m *mapping) pollShard(ctx context.Context, shard *shards.Shard) {
	var lanes []*lane
	var working sync.WaitGroup
	tip := new(atomic.Int64)
	open := func(count int) {
		for range count {
			lanes = append(lanes, newLane(m, shard, tip))
		}
		lanes[0].window = m.checkpoint.position(shard.Key).Window
		for _, l := range lanes {
			working.Go(func() { l.run(ctx) })
		}
	}
	drain := func() {
		for _, l := range lanes {
			close(l.in)
		}
		working.Wait()
		lanes = nil
	}
	defer drain()
	open(m.settings.Load().lanes()) // at once: a window of before a restart may be over
	for {
		read, err := shard.Next(context.WithValue(ctx, tipKey{}, tip))
		if err != nil {
			return // the end of the shard or of ctx
		}
		s := m.settings.Load()
		if len(lanes) != s.lanes() {
			drain() // or a partition key would be in two lanes at once
			open(s.lanes())
		}
		for i, records := range m.deal(s, shard, read) {
			if len(records) == 0 {
				continue
			}
			select {
			case lanes[i].in <- records:
			case <-ctx.Done():
				return
			}
		}
	}
}

// deal sorts records into lanes by a hash of their partition keys, without
// those that the filter discards.
func (m *mapping) deal(s *settings, shard *shards.Shard, read []types.Record) [][]record {
	lanes := make([][]record, s.lanes())
	var discarded []*place
	for _, r := range read {
		p := m.checkpoint.track(shard.Key, aws.ToString(r.SequenceNumber))
		if !s.filters.match(r.Data) {
			discarded = append(discarded, p)
			continue
		}
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(aws.ToString(r.PartitionKey))) // a hash takes everything
		i := hash.Sum32() % uint32(len(lanes))
		lanes[i] = append(lanes[i], newRecord(s, shard.ID, r, p))
	}
	if discarded != nil {
		m.checkpoint.finish(shard.Key, discarded...)
	}
	return lanes
}
