package replay_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
)

const streamARN = "arn:aws:kinesis:eu-west-1:000000000000:stream/orders"

// stored is a record of the fake stream.
type stored struct {
	shard, sequence, key, hashKey string
	arrived                       time.Time
	data                          []byte
}

// fakeKinesis is a stream of two shards in memory.
type fakeKinesis struct {
	replay.Kinesis
	mu      sync.Mutex
	records []stored
	puts    []stored
	refuse  func(call int, entry types.PutRecordsRequestEntry) string // an error code
	calls   int
	reads   int
	expire  bool // the first iterator
}

func newStream(t *testing.T) (*fakeKinesis, *replay.Stream) {
	t.Helper()
	fake := new(fakeKinesis)
	stream, err := replay.NewStream(t.Context(), fake, "orders")
	require.NoError(t, err)
	return fake, stream
}

// put stores a record as a producer does.
func (f *fakeKinesis) put(shard int, arrived time.Time, data []byte) stored {
	sequence := new(big.Int).Add(big.NewInt(int64(len(f.records)+1)), new(big.Int).Lsh(big.NewInt(1), 180)).String()
	r := stored{shard: fmt.Sprintf("shardId-%012d", shard), sequence: sequence, key: fmt.Sprint("key", len(f.records)), arrived: arrived, data: data}
	f.records = append(f.records, r)
	return r
}

func (f *fakeKinesis) DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	return &kinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{
		StreamARN: aws.String(streamARN), StreamCreationTimestamp: aws.Time(time.Unix(1, 0)),
	}}, nil
}

func (f *fakeKinesis) ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	return &kinesis.ListShardsOutput{Shards: []types.Shard{{ShardId: aws.String("shardId-000000000000")}, {ShardId: aws.String("shardId-000000000001")}}}, nil
}

func (f *fakeKinesis) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := 0
	for n, r := range f.records {
		if in.Timestamp != nil && r.arrived.Before(*in.Timestamp) && r.shard == *in.ShardId || r.sequence == aws.ToString(in.StartingSequenceNumber) {
			i = n + 1
		}
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: aws.String(*in.ShardId + "|" + strconv.Itoa(i))}, nil
}

func (f *fakeKinesis) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.expire {
		f.expire = false
		return nil, &types.ExpiredIteratorException{}
	}
	f.reads++
	shard, from, _ := strings.Cut(*in.ShardIterator, "|")
	i, err := strconv.Atoi(from)
	if err != nil {
		return nil, err
	}
	out := &kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(0)}
	for ; i < len(f.records) && len(out.Records) < int(*in.Limit); i++ {
		if r := f.records[i]; r.shard == shard {
			out.Records = append(out.Records, types.Record{
				SequenceNumber: &r.sequence, Data: r.data, PartitionKey: &r.key, ApproximateArrivalTimestamp: &r.arrived,
			})
		}
	}
	out.NextShardIterator = aws.String(shard + "|" + strconv.Itoa(i))
	return out, nil
}

func (f *fakeKinesis) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	out := new(kinesis.PutRecordsOutput)
	for _, entry := range in.Records {
		result := types.PutRecordsResultEntry{SequenceNumber: aws.String("1")}
		if f.refuse != nil {
			if code := f.refuse(f.calls, entry); code != "" {
				out.Records = append(out.Records, types.PutRecordsResultEntry{ErrorCode: &code})
				continue
			}
		}
		f.puts = append(f.puts, stored{data: entry.Data, key: *entry.PartitionKey, hashKey: aws.ToString(entry.ExplicitHashKey)})
		out.Records = append(out.Records, result)
	}
	return out, nil
}

// sent is what was put, as text.
func (f *fakeKinesis) sent() []string {
	all := []string{}
	for _, p := range f.puts {
		all = append(all, string(p.data))
	}
	return all
}

// fakeS3 is a bucket in memory.
type fakeS3 struct {
	objects map[string][]byte
	written time.Time
	got     []string
}

func (f *fakeS3) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	out := new(s3.ListObjectsV2Output)
	for key := range f.objects {
		if strings.HasPrefix(key, *in.Prefix) && key > aws.ToString(in.StartAfter) {
			out.Contents = append(out.Contents, s3types.Object{Key: &key, LastModified: &f.written})
		}
	}
	slices.SortFunc(out.Contents, func(a, b s3types.Object) int { return strings.Compare(*a.Key, *b.Key) })
	return out, nil
}

func (f *fakeS3) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	f.got = append(f.got, *in.Key)
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(f.objects[*in.Key]))}, nil
}

// objects is a source of these objects below errors/, written when the test says.
func objects(format replay.Format, written time.Time, contents map[string][]byte) *replay.Objects {
	return &replay.Objects{Client: &fakeS3{objects: contents, written: written}, Format: format, Locations: []replay.Location{{Bucket: "lake"}}}
}
