package firehose_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/firehose"
	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
)

// deployment is an emulator with a stream, a bucket and a processor.
type deployment struct {
	t         testing.TB
	config    aws.Config
	kinesis   *kinesis.Client
	firehose  *awsfirehose.Client
	s3        *s3.Client
	processor string
}

func deploy(t testing.TB) *deployment {
	t.Helper()
	config := emulatortest.Start(t)
	d := &deployment{
		t: t, config: config,
		kinesis:  kinesis.NewFromConfig(config),
		firehose: awsfirehose.NewFromConfig(config),
		s3:       emulatortest.Bucket(t, config, "lake"),
	}
	_, err := d.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("events"), ShardCount: aws.Int32(2)})
	require.NoError(t, err)
	d.processor = emulatortest.Function(t, config, "upper", "./testdata/upper", nil)
	return d
}

// create makes a delivery stream from the stream to the bucket.
func (d *deployment) create(name string, edit func(*types.ExtendedS3DestinationConfiguration)) {
	d.t.Helper()
	destination := &types.ExtendedS3DestinationConfiguration{
		BucketARN:         aws.String("arn:aws:s3:::lake"),
		RoleARN:           aws.String(emulatortest.RoleARN),
		Prefix:            aws.String(name + "/!{timestamp:yyyy}/"),
		ErrorOutputPrefix: aws.String(name + "-errors/!{firehose:error-output-type}/"),
		CompressionFormat: types.CompressionFormatGzip,
		BufferingHints:    &types.BufferingHints{SizeInMBs: aws.Int32(5), IntervalInSeconds: aws.Int32(60)},
	}
	if edit != nil {
		edit(destination)
	}
	_, err := d.firehose.CreateDeliveryStream(d.t.Context(), &awsfirehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name,
		DeliveryStreamType: types.DeliveryStreamTypeKinesisStreamAsSource,
		KinesisStreamSourceConfiguration: &types.KinesisStreamSourceConfiguration{
			KinesisStreamARN: aws.String("arn:aws:kinesis:eu-west-1:000000000000:stream/events"),
			RoleARN:          aws.String(emulatortest.RoleARN),
		},
		ExtendedS3DestinationConfiguration: destination,
	})
	require.NoError(d.t, err)
}

// process gives a delivery stream the processor.
func (d *deployment) process(destination *types.ExtendedS3DestinationConfiguration) {
	destination.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{{
		Type: types.ProcessorTypeLambda,
		Parameters: []types.ProcessorParameter{
			{ParameterName: types.ProcessorParameterNameLambdaArn, ParameterValue: &d.processor},
			{ParameterName: types.ProcessorParameterNameBufferSizeInMb, ParameterValue: aws.String("1")},
			{ParameterName: types.ProcessorParameterNameBufferIntervalInSeconds, ParameterValue: aws.String("60")},
		},
	}}}
}

func (d *deployment) put(lines ...string) {
	d.t.Helper()
	for batch := range slices.Chunk(lines, 500) {
		input := &kinesis.PutRecordsInput{StreamName: aws.String("events")}
		for _, line := range batch {
			input.Records = append(input.Records, kinesistypes.PutRecordsRequestEntry{Data: []byte(line + "\n"), PartitionKey: aws.String(line)})
		}
		_, err := d.kinesis.PutRecords(d.t.Context(), input, func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })
		if err != nil {
			// On a starved machine an answer may be lost on its way. Putting the batch
			// again, as the SDK would, stores it twice: these tests count.
			require.Subset(d.t, d.stored(), batch, "putting records: %v", err)
		}
	}
}

// stored returns every line that the stream holds.
func (d *deployment) stored() []string {
	d.t.Helper()
	shards, err := d.kinesis.ListShards(d.t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("events")})
	require.NoError(d.t, err)
	var lines []string
	for _, shard := range shards.Shards {
		iterator, err := d.kinesis.GetShardIterator(d.t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: aws.String("events"), ShardId: shard.ShardId, ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
		})
		require.NoError(d.t, err)
		page, err := d.kinesis.GetRecords(d.t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator}) // 10,000 at most
		require.NoError(d.t, err)
		for _, record := range page.Records {
			lines = append(lines, strings.TrimSuffix(string(record.Data), "\n"))
		}
	}
	return lines
}

// keys lists the objects under a prefix.
func (d *deployment) keys(prefix string) []string {
	d.t.Helper()
	page, err := d.s3.ListObjectsV2(d.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("lake"), Prefix: &prefix})
	require.NoError(d.t, err)
	var keys []string
	for _, o := range page.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// lines returns every line of the objects under a prefix, sorted.
func (d *deployment) lines(prefix string) []string {
	d.t.Helper()
	var lines []string
	for _, key := range d.keys(prefix) {
		object, err := d.s3.GetObject(d.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
		require.NoError(d.t, err)
		var body io.Reader = object.Body
		if strings.HasSuffix(key, ".gz") {
			body, err = gzip.NewReader(object.Body)
			require.NoError(d.t, err)
		}
		text, err := io.ReadAll(body)
		require.NoError(d.t, err)
		lines = append(lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	}
	slices.Sort(lines)
	return lines
}

func (d *deployment) start(log io.Writer) *firehose.Firehose {
	d.t.Helper()
	return d.startWith(firehose.Config{TimeScale: 60, Log: slog.New(slog.NewTextHandler(log, nil))})
}

func (d *deployment) startWith(config firehose.Config) *firehose.Firehose {
	d.t.Helper()
	config.AWS = d.config
	running, err := firehose.Start(d.t.Context(), config)
	require.NoError(d.t, err)
	d.t.Cleanup(running.Close)
	return running
}

func numbered(word string, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("%s-%05d", word, i)
	}
	return lines
}

func TestDeployedDeliveryStreamDeliversWhatCameAfterItsCreation(t *testing.T) {
	d := deploy(t)
	d.put("before")
	time.Sleep(10 * time.Millisecond) // arrival times have milliseconds
	d.create("lake", d.process)
	d.put("drop", "fail")
	want := numbered("EVENT", 3000)
	d.put(numbered("event", 3000)...) // before anything reads: as when the deploy is faster than its discovery
	d.start(t.Output())

	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, want, d.lines("lake/"))
		assert.Len(c, d.lines("lake-errors/processing-failed/"), 1)
	}, 30*time.Second, 200*time.Millisecond)
	assert.Less(t, len(d.keys("lake/")), 5, "one object a buffer, not one a record")
}

func TestDeliveryGoesOnThroughASplitAndANewShardCount(t *testing.T) {
	d := deploy(t)
	d.create("lake", nil)
	d.start(t.Output())
	put := func(word string) {
		d.put(numbered(word, 100)...)
		assert.EventuallyWithT(t, func(c *assert.CollectT) {
			found := d.lines("lake/")
			for _, line := range numbered(word, 100) {
				_, ok := slices.BinarySearch(found, line)
				assert.True(c, ok, "%s is missing", line)
			}
		}, 20*time.Second, 200*time.Millisecond)
	}
	put("first")
	_, err := d.kinesis.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: aws.String("events"), ShardToSplit: aws.String("shardId-000000000000"),
		NewStartingHashKey: aws.String("85070591730234615865843651857942052864"),
	})
	require.NoError(t, err)
	put("second")
	assert.Len(t, d.lines("lake/"), 200, "nothing twice")

	// The emulator gives the new shards the ids of the old ones: some records may
	// come twice, none may be missing.
	_, err = d.kinesis.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{
		StreamName: aws.String("events"), TargetShardCount: aws.Int32(4), ScalingType: kinesistypes.ScalingTypeUniformScaling,
	})
	require.NoError(t, err)
	put("third")
}

func TestDeletedDeliveryStreamStopsAndItsSuccessorStartsAnew(t *testing.T) {
	d := deploy(t)
	d.create("lake", nil)
	d.start(t.Output())
	d.put("one")
	require.Eventually(t, func() bool { return len(d.keys("lake/")) == 1 }, 20*time.Second, 100*time.Millisecond)

	_, err := d.firehose.DeleteDeliveryStream(t.Context(), &awsfirehose.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String("lake")})
	require.NoError(t, err)
	time.Sleep(time.Second)
	d.put("two")
	time.Sleep(2500 * time.Millisecond) // two buffer intervals
	assert.Equal(t, []string{"one"}, d.lines("lake/"))

	d.create("lake", nil)
	d.put("three")
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, []string{"one", "three"}, d.lines("lake/"))
	}, 20*time.Second, 100*time.Millisecond)
}

func TestStreamThatIsNotSupportedIsRefusedLoudlyAndTheOthersGoOn(t *testing.T) {
	d := deploy(t)
	var log strings.Builder
	d.create("brotli", func(c *types.ExtendedS3DestinationConfiguration) { c.CompressionFormat = "BROTLI" })
	d.create("lake", nil)
	running := d.start(&log)
	d.put("one")
	require.Eventually(t, func() bool { return len(d.keys("lake/")) == 1 }, 20*time.Second, 100*time.Millisecond)
	running.Close()
	assert.Empty(t, d.keys("brotli/"))
	assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
	assert.Contains(t, log.String(), "compression format must be one of UNCOMPRESSED, GZIP, ZIP, Snappy and HADOOP_SNAPPY, got BROTLI")
}

func TestStartNamesWhatIsWrong(t *testing.T) {
	_, err := firehose.Start(t.Context(), firehose.Config{TimeScale: -1})
	assert.ErrorContains(t, err, "time scale must be a positive number, got -1")
}
