package eventsource

import (
	"context"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// mapping polls for one event source mapping.
type mapping struct {
	services
	settings atomic.Pointer[settings]
	log      *slog.Logger
	// wait is how long to wait before the n-th retry in a row.
	wait func(n int) time.Duration
}

func newMapping(s settings, services services, log *slog.Logger) *mapping {
	m := &mapping{services: services, log: log.With("mapping", s.uuid, "function", s.function), wait: backoff}
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
	s := m.settings.Load()
	reader := &shards.Reader{Client: m.kinesis, StreamARN: s.stream, Start: shards.Start{Type: s.start}, Log: m.log}
	reader.Run(ctx, m.pollShard)
}

// pollShard deals a shard's records out to its lanes, as many as the
// parallelization factor says: records of one partition key to one lane, in
// order. It returns when all are processed: only then may the shard's children begin.
func (m *mapping) pollShard(ctx context.Context, shard *shards.Shard) {
	var lanes []*lane
	var working sync.WaitGroup
	drain := func() {
		for _, l := range lanes {
			close(l.in)
		}
		working.Wait()
		lanes = nil
	}
	defer drain()
	for {
		read, err := shard.Next(ctx)
		if err != nil {
			return // the end of the shard or of ctx
		}
		s := m.settings.Load()
		if len(lanes) != s.parallelization {
			drain() // or a partition key would be in two lanes at once
			for range s.parallelization {
				l := newLane(m, shard.ID)
				lanes = append(lanes, l)
				working.Go(func() { l.run(ctx) })
			}
		}
		for i, records := range deal(s, shard.ID, read) {
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

// deal sorts records into lanes by a hash of their partition keys.
func deal(s *settings, shard string, read []types.Record) [][]record {
	lanes := make([][]record, s.parallelization)
	for _, r := range read {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(*r.PartitionKey)) // a hash takes everything
		i := hash.Sum32() % uint32(s.parallelization)
		lanes[i] = append(lanes[i], newRecord(s, shard, r))
	}
	return lanes
}
