package firehose_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	gluetypes "github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/firehose"
	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
)

// table makes a Glue table.
func (d *deployment) table(name string, columns ...[2]string) {
	d.t.Helper()
	client := glue.NewFromConfig(d.config)
	_, err := client.CreateDatabase(d.t.Context(), &glue.CreateDatabaseInput{DatabaseInput: &gluetypes.DatabaseInput{Name: aws.String("lake")}})
	require.NoError(d.t, err)
	storage := &gluetypes.StorageDescriptor{}
	for _, c := range columns {
		storage.Columns = append(storage.Columns, gluetypes.Column{Name: &c[0], Type: &c[1]})
	}
	_, err = client.CreateTable(d.t.Context(), &glue.CreateTableInput{
		DatabaseName: aws.String("lake"), TableInput: &gluetypes.TableInput{Name: &name, StorageDescriptor: storage},
	})
	require.NoError(d.t, err)
}

// toParquet has a destination convert by a table, in partitions of the member t.
func toParquet(table string) func(*types.ExtendedS3DestinationConfiguration) {
	return func(c *types.ExtendedS3DestinationConfiguration) {
		c.Prefix = aws.String("parquet/t=!{partitionKeyFromQuery:t}/!{timestamp:yyyy}/")
		c.CompressionFormat, c.FileExtension = types.CompressionFormatUncompressed, aws.String(".snappy.parquet")
		c.DynamicPartitioningConfiguration = &types.DynamicPartitioningConfiguration{Enabled: aws.Bool(true)}
		c.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{{
			Type: types.ProcessorTypeMetadataExtraction,
			Parameters: []types.ProcessorParameter{
				{ParameterName: types.ProcessorParameterNameMetadataExtractionQuery, ParameterValue: aws.String("{t: .t}")},
				{ParameterName: types.ProcessorParameterNameJsonParsingEngine, ParameterValue: aws.String("JQ-1.6")},
			},
		}}}
		c.DataFormatConversionConfiguration = &types.DataFormatConversionConfiguration{
			Enabled: aws.Bool(true),
			SchemaConfiguration: &types.SchemaConfiguration{
				DatabaseName: aws.String("lake"), TableName: &table, RoleARN: aws.String(emulatortest.RoleARN), Region: aws.String(emulatortest.Region),
			},
			InputFormatConfiguration:  &types.InputFormatConfiguration{Deserializer: &types.Deserializer{OpenXJsonSerDe: &types.OpenXJsonSerDe{}}},
			OutputFormatConfiguration: &types.OutputFormatConfiguration{Serializer: &types.Serializer{ParquetSerDe: &types.ParquetSerDe{}}},
		}
	}
}

// parquet reads the column n of every object under a prefix.
func (d *deployment) parquet(prefix string) (numbers []int64) {
	d.t.Helper()
	for _, key := range d.keys(prefix) {
		object, err := d.s3.GetObject(d.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
		require.NoError(d.t, err)
		body, err := io.ReadAll(object.Body)
		require.NoError(d.t, err)
		rows, err := parquet.Read[struct {
			N int64 `parquet:"n,optional"`
		}](bytes.NewReader(body), int64(len(body)))
		require.NoError(d.t, err)
		for _, row := range rows {
			numbers = append(numbers, row.N)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// events are n lines, half of type "even" and half of type "odd".
func events(n int) (lines []string, even, odd []int64) {
	for i := range n {
		kind := "even"
		if i%2 == 1 {
			kind, odd = "odd", append(odd, int64(i))
		} else {
			even = append(even, int64(i))
		}
		lines = append(lines, fmt.Sprintf(`{"t":%q,"n":%d}`, kind, i))
	}
	return lines, even, odd
}

func TestDeliveryStreamsBesideEachOtherGetEveryRecordOneOfThemAsParquetWithBackup(t *testing.T) {
	d := deploy(t)
	d.table("numbers", [2]string{"n", "bigint"}, [2]string{"t", "string"})
	d.create("lake", func(c *types.ExtendedS3DestinationConfiguration) {
		c.FileExtension, c.CustomTimeZone = aws.String(".jsonl.gz"), aws.String("Asia/Tokyo")
		c.Prefix = aws.String("lake/")
		c.S3BackupMode = types.S3BackupModeEnabled
		c.S3BackupConfiguration = &types.S3DestinationConfiguration{
			BucketARN: c.BucketARN, RoleARN: c.RoleARN, Prefix: aws.String("raw/"), BufferingHints: c.BufferingHints,
		}
		d.process(c)
	})
	d.create("parquet", toParquet("numbers"))
	d.start(t.Output())
	lines, even, odd := events(2000)
	d.put(append(lines, `{"t":"odd","n":"seven"}`)...)

	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Len(c, d.lines("lake/"), 2001)
		assert.Len(c, d.lines("raw/"), 2001)
		assert.Equal(c, even, d.parquet("parquet/t=even/"))
		assert.Equal(c, odd, d.parquet("parquet/t=odd/"))
		assert.Len(c, d.lines("parquet-errors/format-conversion-failed/"), 1)
	}, 30*time.Second, 200*time.Millisecond)
	for _, key := range d.keys("parquet/") {
		assert.Regexp(t, `\.snappy\.parquet$`, key)
	}
	for _, key := range d.keys("lake/") {
		assert.Regexp(t, `\.jsonl\.gz$`, key)
	}
}

func TestProcessorThatCrashesAndS3ThatRefusesLoseNothing(t *testing.T) {
	d := deploy(t)
	d.create("lake", d.process)
	_, err := d.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("lake")})
	require.NoError(t, err)
	d.start(t.Output())
	d.put(append(numbered("event", 100), "crash")...)
	time.Sleep(2500 * time.Millisecond) // two buffer intervals: the first batch has failed, and S3 refuses its lines
	d.put(numbered("later", 100)...)
	emulatortest.Bucket(t, d.config, "lake")

	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, numbered("LATER", 100), d.lines("lake/"))
		lines := d.lines("lake-errors/processing-failed/")
		assert.Len(c, lines, 101, "all that was in the crashing batch")
		for _, line := range lines {
			assert.Contains(c, line, `"attemptsMade":4`)
			assert.Contains(c, line, `"errorCode":"Lambda.FunctionError"`)
		}
	}, 40*time.Second, 200*time.Millisecond)
}

func TestRestartInTheMiddleDeliversEveryRecordAtLeastOnce(t *testing.T) {
	d := deploy(t)
	d.create("lake", d.process)
	config := firehose.Config{TimeScale: 60, State: filepath.Join(t.TempDir(), "firehose"), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	lines := numbered("EVENT", 4000)
	want := map[string]bool{}
	for i, part := range slices.Collect(slices.Chunk(lines, 1000)) {
		running := d.startWith(config)
		d.put(part...)
		if i%2 == 0 { // a whole buffer's interval, or none
			require.Eventually(t, func() bool { return len(d.lines("lake/")) > i*1000 }, 20*time.Second, 50*time.Millisecond)
		}
		running.Close()
		for _, line := range part {
			want[line] = true
		}
	}
	d.startWith(config)
	got := map[string]bool{}
	var delivered []string
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		clear(got)
		delivered = d.lines("lake/")
		for _, line := range delivered {
			got[line] = true
		}
		assert.Len(c, got, len(want))
	}, 30*time.Second, 200*time.Millisecond)
	assert.Equal(t, want, got)
	assert.Less(t, len(delivered), 2*len(lines), "a restart begins at the checkpoint, not at the creation")
}

func TestDirectPutIsDeliveredLikeTheRest(t *testing.T) {
	d := deploy(t)
	_, err := d.firehose.CreateDeliveryStream(t.Context(), &awsfirehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String("logs"), DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::lake"), RoleARN: aws.String(emulatortest.RoleARN), Prefix: aws.String("logs/"),
			BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(5), IntervalInSeconds: aws.Int32(60)},
		},
	})
	require.NoError(t, err)
	d.start(t.Output())
	input := &awsfirehose.PutRecordBatchInput{DeliveryStreamName: aws.String("logs")}
	for _, line := range numbered("line", 500) {
		input.Records = append(input.Records, types.Record{Data: []byte(line + "\n")})
	}
	output, err := d.firehose.PutRecordBatch(t.Context(), input)
	require.NoError(t, err)
	assert.Zero(t, *output.FailedPutCount)
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, numbered("line", 500), d.lines("logs/"))
	}, 20*time.Second, 100*time.Millisecond)
	assert.Len(t, d.keys("logs/"), 1, "one object a buffer, not one a record")
}
