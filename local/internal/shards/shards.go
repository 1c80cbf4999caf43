// Package shards reads a Kinesis data stream shard by shard, as both pollers
// of the local environment need it: every shard in order, the children of a
// split or a merge after their parents and from their beginning.
//
// The emulator drops a parent shard at the moment it is split, with what was
// not yet read from it; Kinesis keeps it for the retention period.
package shards

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// listInterval is how often new shards are looked for.
const listInterval = time.Second

// API is the part of Kinesis that reading takes.
type API interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

// Start is where reading starts on the shards that there are at first. Shards
// that appear later are read from their beginning.
type Start struct {
	// Type is TRIM_HORIZON, LATEST or AT_TIMESTAMP.
	Type types.ShardIteratorType
	// Timestamp is for AT_TIMESTAMP.
	Timestamp time.Time
}

// Reader reads one stream.
type Reader struct {
	Client    API
	StreamARN string
	Start     Start
	// After returns the sequence number after which to go on with the shard of a
	// [Shard.Key], or "" to begin where Start says. Default: no shard goes on.
	After func(key string) string
	Log   *slog.Logger
}

// Run calls handle once for every shard, each in a goroutine of its own, and
// for a child only after it has returned for the parents. It returns when ctx
// is done and every handle has returned.
func (r *Reader) Run(ctx context.Context, handle func(context.Context, *Shard)) {
	listing := trouble.New(r.Log.With("stream", r.StreamARN))
	reading := map[string]*Shard{} // by key: being handled
	begun := map[string]bool{}     // by key: handled, now or before
	done := make(chan string)      // keys of shards whose handle has returned
	start := r.Start
	var handlers sync.WaitGroup
	defer handlers.Wait()

	for {
		listed, err := r.list(ctx)
		if ctx.Err() != nil {
			return
		}
		listing.Report(err)
		if err == nil {
			for key, shard := range reading {
				if !slices.ContainsFunc(listed, func(s types.Shard) bool { return shardKey(s) == key }) {
					shard.gone.Store(true)
				}
			}
			for _, info := range listed {
				key := shardKey(info)
				if begun[key] || parentPending(info, listed, reading, begun) {
					continue
				}
				after := ""
				if r.After != nil {
					after = r.After(key)
				}
				shard := r.newShard(info, start, after)
				begun[key], reading[key] = true, shard
				handlers.Go(func() {
					handle(ctx, shard)
					select {
					case done <- key:
					case <-ctx.Done():
					}
				})
			}
			start = Start{Type: types.ShardIteratorTypeTrimHorizon}
		}
		select {
		case <-ctx.Done():
			return
		case key := <-done:
			delete(reading, key)
		case <-time.After(listInterval):
		}
	}
}

func (r *Reader) list(ctx context.Context) ([]types.Shard, error) {
	var found []types.Shard
	input := &kinesis.ListShardsInput{StreamARN: &r.StreamARN}
	for {
		page, err := r.Client.ListShards(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("listing the shards of %s: %w", r.StreamARN, err)
		}
		found = append(found, page.Shards...)
		if page.NextToken == nil {
			return found, nil
		}
		input = &kinesis.ListShardsInput{NextToken: page.NextToken} // it excludes the name of the stream
	}
}

// shardKey tells shards apart for good: the emulator's UpdateShardCount gives
// new, empty shards the ids of the old ones.
func shardKey(shard types.Shard) string {
	key := *shard.ShardId
	if shard.SequenceNumberRange != nil && shard.SequenceNumberRange.StartingSequenceNumber != nil {
		key += "@" + *shard.SequenceNumberRange.StartingSequenceNumber
	}
	return key
}

// parentPending says whether a parent of shard is still to be read. A parent
// that is neither listed nor being read has expired or was dropped.
func parentPending(shard types.Shard, listed []types.Shard, reading map[string]*Shard, begun map[string]bool) bool {
	for _, parent := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
		if parent == nil {
			continue
		}
		for _, being := range reading {
			if being.ID == *parent {
				return true
			}
		}
		for _, other := range listed {
			if *other.ShardId == *parent && !begun[shardKey(other)] {
				return true
			}
		}
	}
	return false
}
