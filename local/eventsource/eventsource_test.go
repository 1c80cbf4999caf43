package eventsource_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/eventsource"
	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
)

// deployment is an emulator with a stream of two shards, a recording function
// and a bucket for what fails.
type deployment struct {
	t        *testing.T
	config   aws.Config
	kinesis  *kinesis.Client
	lambda   *lambda.Client
	s3       *s3.Client
	function string
	file     string // where the function records
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	config := emulatortest.Start(t)
	file := filepath.Join(t.TempDir(), "recorded")
	d := &deployment{
		t: t, config: config, file: file,
		kinesis:  kinesis.NewFromConfig(config),
		lambda:   lambda.NewFromConfig(config),
		s3:       emulatortest.Bucket(t, config, "kept"),
		function: emulatortest.Function(t, config, "recorder", "./testdata/recorder", map[string]string{"RECORDER_FILE": file}),
	}
	_, err := d.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("events"), ShardCount: aws.Int32(2)})
	require.NoError(t, err)
	return d
}

// connect makes a mapping and returns its UUID.
func (d *deployment) connect(edit func(*lambda.CreateEventSourceMappingInput)) string {
	d.t.Helper()
	input := &lambda.CreateEventSourceMappingInput{
		FunctionName:               &d.function,
		EventSourceArn:             aws.String("arn:aws:kinesis:eu-west-1:000000000000:stream/events"),
		StartingPosition:           types.EventSourcePositionTrimHorizon,
		BatchSize:                  aws.Int32(10),
		FunctionResponseTypes:      []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
		MaximumRetryAttempts:       aws.Int32(1),
		BisectBatchOnFunctionError: aws.Bool(true),
		ParallelizationFactor:      aws.Int32(2),
		DestinationConfig:          &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:s3:::kept")}},
	}
	if edit != nil {
		edit(input)
	}
	mapping, err := d.lambda.CreateEventSourceMapping(d.t.Context(), input)
	require.NoError(d.t, err)
	return *mapping.UUID
}

// state returns a mapping's state in the emulator.
func (d *deployment) state(uuid string) string {
	d.t.Helper()
	mapping, err := d.lambda.GetEventSourceMapping(d.t.Context(), &lambda.GetEventSourceMappingInput{UUID: &uuid})
	require.NoError(d.t, err)
	return *mapping.State
}

func (d *deployment) put(data ...string) {
	d.t.Helper()
	input := &kinesis.PutRecordsInput{StreamName: aws.String("events")}
	for i, text := range data {
		input.Records = append(input.Records, kinesistypes.PutRecordsRequestEntry{Data: []byte(text), PartitionKey: aws.String(fmt.Sprint(i % 7))})
	}
	_, err := d.kinesis.PutRecords(d.t.Context(), input)
	require.NoError(d.t, err)
}

// recorded counts what the function has recorded.
func (d *deployment) recorded() map[string]int {
	d.t.Helper()
	text, err := os.ReadFile(d.file)
	if !os.IsNotExist(err) {
		require.NoError(d.t, err)
	}
	counts := map[string]int{}
	for _, line := range strings.Fields(string(text)) {
		counts[line]++
	}
	return counts
}

// kept returns the metadata and the payload of every object of the on-failure destination.
func (d *deployment) kept() (metadata []map[string]any, payloads []string) {
	d.t.Helper()
	page, err := d.s3.ListObjectsV2(d.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("kept")})
	require.NoError(d.t, err)
	for _, o := range page.Contents {
		object, err := d.s3.GetObject(d.t.Context(), &s3.GetObjectInput{Bucket: aws.String("kept"), Key: o.Key})
		require.NoError(d.t, err)
		body, err := io.ReadAll(object.Body)
		require.NoError(d.t, err)
		var values map[string]any
		require.NoError(d.t, json.Unmarshal(body, &values))
		metadata, payloads = append(metadata, values), append(payloads, values["payload"].(string))
	}
	return metadata, payloads
}

func (d *deployment) start(log io.Writer) *eventsource.Poller {
	d.t.Helper()
	running, err := eventsource.Start(d.t.Context(), eventsource.Config{AWS: d.config, Log: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(d.t, err)
	d.t.Cleanup(running.Close)
	return running
}

func (d *deployment) eventually(condition func(c *assert.CollectT)) {
	d.t.Helper()
	require.EventuallyWithT(d.t, condition, 20*time.Second, 100*time.Millisecond)
}

func numbered(word string, n int) []string {
	data := make([]string, n)
	for i := range data {
		data[i] = fmt.Sprintf("%s-%03d", word, i)
	}
	return data
}

func TestEnabledMappingIsTakenOverAndPolledAsLambdaDoes(t *testing.T) {
	d := deploy(t)
	d.start(t.Output())
	uuid := d.connect(nil)
	d.eventually(func(c *assert.CollectT) { assert.Equal(c, "Disabled", d.state(uuid)) })

	first := numbered("first", 200)
	d.put(append(first, "poison", "explode", "last")...)
	want := map[string]int{"last": 1}
	for _, text := range first {
		want[text] = 1
	}
	d.eventually(func(c *assert.CollectT) {
		got := d.recorded()
		for text := range want {
			assert.Positive(c, got[text], "%s is missing", text)
		}
		metadata, payloads := d.kept()
		if !assert.Len(c, payloads, 2) {
			return
		}
		for _, m := range metadata {
			assert.EqualValues(c, 1, m["KinesisBatchInfo"].(map[string]any)["batchSize"])
		}
		all := strings.Join(payloads, "")
		assert.Contains(c, all, `"data":"cG9pc29u"`)     // poison
		assert.Contains(c, all, `"data":"ZXhwbG9kZQ=="`) // explode
	})

	// A split: the children are read from their beginning.
	_, err := d.kinesis.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: aws.String("events"), ShardToSplit: aws.String("shardId-000000000000"),
		NewStartingHashKey: aws.String("85070591730234615865843651857942052864"),
	})
	require.NoError(t, err)
	d.put(numbered("second", 50)...)
	d.eventually(func(c *assert.CollectT) {
		got := d.recorded()
		for _, text := range numbered("second", 50) {
			assert.Equal(c, 1, got[text], text)
		}
	})

	// CloudFormation may change the mapping and enable it again: it is taken over again.
	_, err = d.lambda.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{
		UUID: &uuid, Enabled: aws.Bool(true), ParallelizationFactor: aws.Int32(5), BatchSize: aws.Int32(3),
	})
	require.NoError(t, err)
	d.eventually(func(c *assert.CollectT) { assert.Equal(c, "Disabled", d.state(uuid)) })
	d.put(numbered("third", 50)...)
	d.eventually(func(c *assert.CollectT) {
		got := d.recorded()
		for _, text := range numbered("third", 50) {
			assert.Equal(c, 1, got[text], text)
		}
	})

	_, err = d.lambda.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: &uuid})
	require.NoError(t, err)
	time.Sleep(time.Second)
	d.put("after")
	time.Sleep(1500 * time.Millisecond)
	assert.Zero(t, d.recorded()["after"], "a deleted mapping is not polled")
}

func TestDisabledMappingIsLeftAloneAndAnUnsupportedOneToTheEmulator(t *testing.T) {
	d := deploy(t)
	d.put("early")
	var log strings.Builder
	disabled := d.connect(func(in *lambda.CreateEventSourceMappingInput) { in.Enabled = aws.Bool(false) })
	running := d.start(&log)
	time.Sleep(1500 * time.Millisecond)
	assert.Equal(t, "Disabled", d.state(disabled))
	assert.Empty(t, d.recorded())

	unsupported := d.connect(func(in *lambda.CreateEventSourceMappingInput) {
		in.DestinationConfig.OnFailure.Destination = aws.String("arn:aws:sns:eu-west-1:000000000000:topic")
	})
	d.eventually(func(c *assert.CollectT) { assert.Equal(c, map[string]int{"early": 1}, d.recorded()) })
	assert.Equal(t, "Enabled", d.state(unsupported))
	running.Close()
	assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
	assert.Contains(t, log.String(), "on-failure destination must be an S3 bucket or an SQS queue")
}

func TestLatestStartsWithTheTakeOver(t *testing.T) {
	d := deploy(t)
	d.put("early")
	uuid := d.connect(func(in *lambda.CreateEventSourceMappingInput) { in.StartingPosition = types.EventSourcePositionLatest })
	d.start(t.Output())
	d.eventually(func(c *assert.CollectT) { assert.Equal(c, "Disabled", d.state(uuid)) })
	time.Sleep(time.Second)
	d.put("late")
	d.eventually(func(c *assert.CollectT) { assert.Equal(c, map[string]int{"late": 1}, d.recorded()) })
}
