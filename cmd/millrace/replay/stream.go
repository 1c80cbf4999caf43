package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/millrace-cdk/millrace/internal/wait"
	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/kpl"
)

// Kinesis is the part of the API that a replay takes.
type Kinesis interface {
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

const (
	// readsPerSecond leaves three of the five reads that a shard allows each second
	// (https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html) to those who live on the stream.
	readsPerSecond = 2
	// readLimit is the most records asked for at once.
	readLimit = 1000
	// shardsAtOnce is how many shards are read at the same time.
	shardsAtOnce = 16
	// throttleWait is the wait after a read that was throttled.
	throttleWait = time.Second
)

// defaultMaxRecord is the largest record, with its partition key, of a stream that was not made for larger ones.
const defaultMaxRecord = 1 << 20

// Stream is a Kinesis data stream.
type Stream struct {
	Client Kinesis
	// Name and ARN are the stream's.
	Name, ARN string
	// Created tells it from another one of the same name.
	Created time.Time
	// MaxRecord is its largest record in bytes, with the partition key. Default: 1 MiB.
	MaxRecord int
}

// NewStream describes the stream of that name.
func NewStream(ctx context.Context, client Kinesis, name string) (*Stream, error) {
	output, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	if err != nil {
		return nil, fmt.Errorf("describing stream %s: %w", name, err)
	}
	d := output.StreamDescriptionSummary
	return &Stream{
		Client: client, Name: name, ARN: aws.ToString(d.StreamARN), Created: aws.ToTime(d.StreamCreationTimestamp),
		MaxRecord: int(aws.ToInt32(d.MaxRecordSizeInKiB)) << 10,
	}, nil
}

func (s *Stream) maxRecord() int { return cmp.Or(s.MaxRecord, defaultMaxRecord) }

func (s *Stream) fits(e entry) bool { return e.size() <= s.maxRecord() }

// window is a time, both ends inclusive.
type window struct{ from, to time.Time }

// visit takes records of a shard, and the sequence number that they reach to. It is called by one at a time.
type visit func(shard string, page []Record, sequence string) error

// scan passes what arrived in a window, of each shard in its order. after has the
// sequence numbers after which to go on.
func (s *Stream) scan(ctx context.Context, w window, after map[string]string, visit visit) error {
	var shards []string
	input := &kinesis.ListShardsInput{StreamName: &s.Name}
	for {
		page, err := s.Client.ListShards(ctx, input)
		if err != nil {
			return fmt.Errorf("listing the shards of %s: %w", s.Name, err)
		}
		for _, shard := range page.Shards {
			shards = append(shards, *shard.ShardId)
		}
		if page.NextToken == nil {
			break
		}
		input = &kinesis.ListShardsInput{NextToken: page.NextToken} // it excludes the name of the stream
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(shardsAtOnce)
	for _, id := range shards {
		group.Go(func() error {
			reader := &shardReader{stream: s, id: id, window: w, last: after[id], pace: rate.NewLimiter(readsPerSecond, 1)}
			return reader.read(ctx, func(page []Record, sequence string) error {
				mu.Lock()
				defer mu.Unlock()
				return visit(id, page, sequence)
			})
		})
	}
	return group.Wait()
}

type shardReader struct {
	stream *Stream
	id     string
	window window
	last   string // sequence number of the last record that was read
	pace   *rate.Limiter
}

func (r *shardReader) read(ctx context.Context, visit func([]Record, string) error) error {
	var iterator *string
	for {
		if iterator == nil {
			start, err := r.stream.Client.GetShardIterator(ctx, r.position())
			if err != nil {
				return fmt.Errorf("getting an iterator for %s of %s: %w", r.id, r.stream.Name, err)
			}
			iterator = start.ShardIterator
		}
		if err := r.pace.Wait(ctx); err != nil {
			return fmt.Errorf("waiting to read: %w", err)
		}
		output, err := r.stream.Client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(readLimit)})
		// An iterator lives for five minutes, and sending at a low rate may take longer.
		if expired := new(types.ExpiredIteratorException); errors.As(err, &expired) {
			iterator = nil
			continue
		}
		if throttled := new(types.ProvisionedThroughputExceededException); errors.As(err, &throttled) {
			if err := wait.For(ctx, throttleWait); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %s of %s: %w", r.id, r.stream.Name, err)
		}
		if done, err := r.page(output, visit); done || err != nil {
			return err
		}
		iterator = output.NextShardIterator
	}
}

// page passes on what belongs to the window. It is done at the window's end, the shard's or the present.
func (r *shardReader) page(output *kinesis.GetRecordsOutput, visit func([]Record, string) error) (done bool, err error) {
	done = output.NextShardIterator == nil || len(output.Records) == 0 && aws.ToInt64(output.MillisBehindLatest) == 0
	if len(output.Records) == 0 {
		return done, nil
	}
	var page []Record
	for _, record := range output.Records {
		arrived := aws.ToTime(record.ApproximateArrivalTimestamp)
		if !arrived.Before(r.window.from) && !arrived.After(r.window.to) {
			page = append(page, r.stream.records(r.id, record)...)
		}
	}
	last := output.Records[len(output.Records)-1]
	r.last = aws.ToString(last.SequenceNumber)
	// Arrivals are approximate: they need not rise from record to record.
	done = done || aws.ToTime(last.ApproximateArrivalTimestamp).After(r.window.to.Add(together))
	return done, visit(page, r.last)
}

func (r *shardReader) position() *kinesis.GetShardIteratorInput {
	input := &kinesis.GetShardIteratorInput{StreamName: &r.stream.Name, ShardId: &r.id, ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: &r.window.from}
	if r.last != "" {
		input.ShardIteratorType, input.Timestamp, input.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, nil, &r.last
	}
	return input
}

// records are those that a Kinesis record is, or has packed into it.
func (s *Stream) records(shard string, r types.Record) []Record {
	return unpack(Record{
		Data: r.Data, ArrivedAt: aws.ToTime(r.ApproximateArrivalTimestamp).UTC(), PartitionKey: aws.ToString(r.PartitionKey),
		Origin: event.Origin{Stream: s.Name, Shard: shard, Sequence: aws.ToString(r.SequenceNumber)},
	})
}

// unpack takes a record of the KPL apart, as the transformer and the loader get its parts.
func unpack(r Record) []Record {
	packed, aggregated := kpl.Split(r.Data)
	if !aggregated {
		return []Record{r}
	}
	records := make([]Record, len(packed))
	for i, p := range packed {
		records[i] = r
		records[i].Data, records[i].PartitionKey, records[i].ExplicitHashKey = p.Data, p.PartitionKey, p.ExplicitHashKey
		records[i].Origin.SubSequence = int64(i)
	}
	return records
}
