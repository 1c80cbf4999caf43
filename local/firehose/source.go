package firehose

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/millrace-cdk/millrace/lambdas/kpl"
	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// batch is what was read from a shard at once.
type batch struct {
	shard, key string
	records    []types.Record
}

// feed passes a shard's records on until it ends.
func feed(ctx context.Context, shard *shards.Shard, batches chan<- batch) {
	for {
		read, err := shard.Next(ctx)
		if err != nil {
			return // the end of the shard or of ctx
		}
		select {
		case batches <- batch{shard.ID, shard.Key, read}:
		case <-ctx.Done():
			return
		}
	}
}

// take accepts a Kinesis record, or those that are packed into it.
func (d *stream) take(ctx context.Context, from batch, r types.Record) {
	records := newRecords(from.shard, r)
	place := d.checkpoint.track(from.key, aws.ToString(r.SequenceNumber))
	place.hold(len(records)) // all of them before the first can come to rest
	for _, r := range records {
		r.place = place
		d.accept(ctx, r)
	}
}

// newRecords takes over a Kinesis record, taken apart if it is an aggregate of the KPL.
func newRecords(shard string, r types.Record) []record {
	sequence := aws.ToString(r.SequenceNumber)
	one := func(sub int64, partition string, data []byte) record {
		return record{
			// As on AWS: the sequence number and six digits of sub-sequence number.
			id:    fmt.Sprintf("%s%06d", sequence, sub),
			shard: shard, partition: partition, sequence: sequence, subSequence: sub,
			arrived: aws.ToTime(r.ApproximateArrivalTimestamp), data: data,
		}
	}
	packed, aggregated := kpl.Split(r.Data)
	if !aggregated {
		return []record{one(0, aws.ToString(r.PartitionKey), r.Data)}
	}
	records := make([]record, len(packed))
	for i, p := range packed {
		records[i] = one(int64(i), p.PartitionKey, p.Data)
	}
	return records
}
