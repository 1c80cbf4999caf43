package eventsource_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/eventsource"
	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
)

// deployment is an emulator with a recording function, a bucket for what
// fails, and a poller.
type deployment struct {
	config   aws.Config
	kinesis  *kinesis.Client
	lambda   *lambda.Client
	s3       *s3.Client
	sqs      *sqs.Client
	function string
	file     string // where the function records
	state    string // the poller's
	log      *buffer
	running  *eventsource.Poller
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	config := emulatortest.Start(t)
	file := filepath.Join(t.TempDir(), "recorded")
	d := &deployment{
		config: config, file: file, state: filepath.Join(t.TempDir(), "state"), log: &buffer{},
		kinesis:  kinesis.NewFromConfig(config),
		lambda:   lambda.NewFromConfig(config),
		s3:       emulatortest.Bucket(t, config, "kept"),
		sqs:      sqs.NewFromConfig(config),
		function: emulatortest.Function(t, config, "recorder", "./testdata/recorder", map[string]string{"RECORDER_FILE": file}),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the poller said:\n%s", d.log)
		}
	})
	d.start(t)
	return d
}

func (d *deployment) start(t *testing.T) {
	t.Helper()
	running, err := eventsource.Start(t.Context(), eventsource.Config{AWS: d.config, State: d.state, Log: slog.New(slog.NewTextHandler(d.log, nil))})
	require.NoError(t, err)
	d.running = running
	t.Cleanup(running.Close)
}

// stream makes a stream of two shards.
func (d *deployment) stream(t *testing.T, name string) {
	t.Helper()
	_, err := d.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)})
	require.NoError(t, err)
}

// connect makes a mapping on a stream and returns its UUID.
func (d *deployment) connect(t *testing.T, stream string, edit func(*lambda.CreateEventSourceMappingInput)) string {
	t.Helper()
	input := &lambda.CreateEventSourceMappingInput{
		FunctionName:          &d.function,
		EventSourceArn:        aws.String("arn:aws:kinesis:eu-west-1:000000000000:stream/" + stream),
		StartingPosition:      types.EventSourcePositionTrimHorizon,
		FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
		DestinationConfig:     &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:s3:::kept")}},
	}
	if edit != nil {
		edit(input)
	}
	mapping, err := d.lambda.CreateEventSourceMapping(t.Context(), input)
	require.NoError(t, err)
	return *mapping.UUID
}

func (d *deployment) update(t *testing.T, uuid string, input lambda.UpdateEventSourceMappingInput) {
	t.Helper()
	input.UUID = &uuid
	_, err := d.lambda.UpdateEventSourceMapping(t.Context(), &input)
	require.NoError(t, err)
}

func (d *deployment) put(t *testing.T, stream string, data ...string) {
	t.Helper()
	input := &kinesis.PutRecordsInput{StreamName: &stream}
	for i, text := range data {
		input.Records = append(input.Records, kinesistypes.PutRecordsRequestEntry{Data: []byte(text), PartitionKey: aws.String(fmt.Sprint(i % 7))})
	}
	_, err := d.kinesis.PutRecords(t.Context(), input)
	require.NoError(t, err)
}

// recorded counts what the function has recorded of a stream.
func (d *deployment) recorded(t *testing.T, stream string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(d.file)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	counts := map[string]int{}
	for _, line := range strings.Fields(string(text)) {
		if data, is := strings.CutPrefix(line, stream+"/"); is {
			counts[data]++
		}
	}
	return counts
}

// begins waits until a mapping is polled for, and returns its checkpoint's file.
func (d *deployment) begins(t *testing.T, uuid string) string {
	t.Helper()
	file := filepath.Join(d.state, uuid+".checkpoint.json")
	d.eventually(t, func(c *assert.CollectT) { assert.FileExists(c, file) })
	return file
}

// comes waits until the function has recorded a stream's data, all of it once.
func (d *deployment) comes(t *testing.T, stream string, data ...string) {
	t.Helper()
	want := map[string]int{}
	for _, text := range data {
		want[text] = 1
	}
	d.eventually(t, func(c *assert.CollectT) { assert.Equal(c, want, d.recorded(t, stream)) })
}

// kept returns what the on-failure bucket has of a mapping.
func (d *deployment) kept(t *testing.T, uuid string) (records []map[string]any) {
	t.Helper()
	page, err := d.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("kept"), Prefix: aws.String("aws/lambda/" + uuid + "/")})
	require.NoError(t, err)
	for _, o := range page.Contents {
		object, err := d.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("kept"), Key: o.Key})
		require.NoError(t, err)
		body, err := io.ReadAll(object.Body)
		require.NoError(t, err)
		var values map[string]any
		require.NoError(t, json.Unmarshal(body, &values))
		records = append(records, values)
	}
	return records
}

func (d *deployment) eventually(t *testing.T, condition func(c *assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, condition, 20*time.Second, 100*time.Millisecond)
}

func numbered(word string, n int) []string {
	data := make([]string, n)
	for i := range data {
		data[i] = fmt.Sprintf("%s-%03d", word, i)
	}
	return data
}

func TestDeployedMappingsArePolledAsLambdaDoes(t *testing.T) {
	d := deploy(t)

	t.Run("failures, new shards and new settings", func(t *testing.T) {
		d.stream(t, "failures")
		uuid := d.connect(t, "failures", func(in *lambda.CreateEventSourceMappingInput) {
			in.BatchSize, in.MaximumRetryAttempts = aws.Int32(10), aws.Int32(1)
			in.BisectBatchOnFunctionError, in.ParallelizationFactor = aws.Bool(true), aws.Int32(2)
		})
		first := numbered("first", 200)
		d.put(t, "failures", append(first, "poison", "explode", "last")...)
		d.eventually(t, func(c *assert.CollectT) {
			got := d.recorded(t, "failures")
			for _, text := range append(first, "last") {
				assert.Positive(c, got[text], "%s is missing", text) // a batch that fails comes again
			}
			var payloads []string
			for _, record := range d.kept(t, uuid) {
				assert.EqualValues(c, 1, record["KinesisBatchInfo"].(map[string]any)["batchSize"])
				payloads = append(payloads, record["payload"].(string))
			}
			all := strings.Join(payloads, "")
			assert.Equal(c, 1, strings.Count(all, `"data":"cG9pc29u"`), "poison")
			assert.Equal(c, 1, strings.Count(all, `"data":"ZXhwbG9kZQ=="`), "explode")
		})

		_, err := d.kinesis.SplitShard(t.Context(), &kinesis.SplitShardInput{
			StreamName: aws.String("failures"), ShardToSplit: aws.String("shardId-000000000000"),
			NewStartingHashKey: aws.String("85070591730234615865843651857942052864"),
		})
		require.NoError(t, err)
		d.update(t, uuid, lambda.UpdateEventSourceMappingInput{ParallelizationFactor: aws.Int32(5), BatchSize: aws.Int32(3)})
		d.put(t, "failures", numbered("second", 50)...)
		d.eventually(t, func(c *assert.CollectT) {
			got := d.recorded(t, "failures")
			for _, text := range numbered("second", 50) {
				assert.Equal(c, 1, got[text], text)
			}
		})
	})

	// services-kinesis-create: "Set to false to stop processing records. Lambda keeps track of the last record processed and resumes
	// processing from that point when it's reenabled."
	t.Run("disabled and enabled again", func(t *testing.T) {
		d.stream(t, "switched")
		uuid := d.connect(t, "switched", func(in *lambda.CreateEventSourceMappingInput) { in.Enabled = aws.Bool(false) })
		d.put(t, "switched", "a", "b")
		time.Sleep(time.Second)
		assert.Empty(t, d.recorded(t, "switched"))
		d.update(t, uuid, lambda.UpdateEventSourceMappingInput{Enabled: aws.Bool(true)})
		d.comes(t, "switched", "a", "b")

		d.update(t, uuid, lambda.UpdateEventSourceMappingInput{Enabled: aws.Bool(false)})
		d.stream(t, "later")
		d.begins(t, d.connect(t, "later", nil)) // the mappings were listed since
		d.put(t, "switched", "c", "d")
		d.put(t, "later", "x")
		d.comes(t, "later", "x")
		assert.NotContains(t, d.recorded(t, "switched"), "c")
		d.update(t, uuid, lambda.UpdateEventSourceMappingInput{Enabled: aws.Bool(true)})
		d.comes(t, "switched", "a", "b", "c", "d")
	})

	// services-kinesis-create: "Process new records that are added to the stream."; "Process records starting from a specific time."
	t.Run("starting positions", func(t *testing.T) {
		d.stream(t, "latest")
		d.put(t, "latest", "early")
		time.Sleep(10 * time.Millisecond) // arrivals are told in milliseconds
		between := time.Now()
		d.put(t, "latest", "late")
		time.Sleep(10 * time.Millisecond) // LATEST is after it, in milliseconds too
		for _, uuid := range []string{
			d.connect(t, "latest", func(in *lambda.CreateEventSourceMappingInput) { in.StartingPosition = types.EventSourcePositionLatest }),
			d.connect(t, "latest", func(in *lambda.CreateEventSourceMappingInput) {
				in.StartingPosition, in.StartingPositionTimestamp = types.EventSourcePositionAtTimestamp, &between
			}),
		} {
			d.begins(t, uuid)
		}
		d.put(t, "latest", "later")
		d.eventually(t, func(c *assert.CollectT) {
			assert.Equal(c, map[string]int{"late": 1, "later": 2}, d.recorded(t, "latest"))
		})
	})

	// with-kinesis-filtering: "filter only those records where the order type is “buy”"
	t.Run("filters", func(t *testing.T) {
		d.stream(t, "filtered")
		d.connect(t, "filtered", func(in *lambda.CreateEventSourceMappingInput) {
			in.FilterCriteria = &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"data":{"order":{"type":["buy"]}}}`)}}}
		})
		d.put(t, "filtered", `{"order":{"type":"sell"}}`, `{"order":{"type":"buy"}}`, `buy`, `{"order":{"type":"buy"},"n":2}`)
		d.comes(t, "filtered", `{"order":{"type":"buy"}}`, `{"order":{"type":"buy"},"n":2}`)
	})

	// services-kinesis-windows
	t.Run("tumbling windows", func(t *testing.T) {
		d.stream(t, "tumbling")
		uuid := d.connect(t, "tumbling", func(in *lambda.CreateEventSourceMappingInput) { in.TumblingWindowInSeconds = aws.Int32(1) })
		d.put(t, "tumbling", numbered("a", 30)...)
		time.Sleep(1100 * time.Millisecond)
		d.put(t, "tumbling", numbered("b", 30)...)
		d.eventually(t, func(c *assert.CollectT) {
			counted, windows := 0, 0
			for line, times := range d.recorded(t, "tumbling") {
				if text, is := strings.CutPrefix(line, "window/"); is {
					count, err := strconv.Atoi(text)
					assert.NoError(c, err)
					counted, windows = counted+count*times, windows+times
				}
			}
			assert.Equal(c, 60, counted)
			assert.GreaterOrEqual(c, windows, 4, "two of each shard, or more where records came at the turn of a second")
		})
		assert.Empty(t, d.kept(t, uuid))
	})

	// kinesis-on-failure-destination: "sqs:SendMessage"; example invocation record. with-kinesis: a mapping may name an alias.
	t.Run("alias and queue", func(t *testing.T) {
		version, err := d.lambda.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &d.function})
		require.NoError(t, err)
		alias, err := d.lambda.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &d.function, Name: aws.String("live"), FunctionVersion: version.Version})
		require.NoError(t, err)
		queue, err := d.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("dead")})
		require.NoError(t, err)
		d.stream(t, "aliased")
		d.connect(t, "aliased", func(in *lambda.CreateEventSourceMappingInput) {
			in.FunctionName, in.MaximumRetryAttempts = alias.AliasArn, aws.Int32(0)
			in.DestinationConfig.OnFailure.Destination = aws.String("arn:aws:sqs:eu-west-1:000000000000:dead")
		})
		d.put(t, "aliased", "explode")
		d.eventually(t, func(c *assert.CollectT) {
			messages, err := d.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl})
			if !assert.NoError(c, err) || !assert.Len(c, messages.Messages, 1) {
				return
			}
			body := *messages.Messages[0].Body
			assert.Contains(c, body, `"functionArn":"`+*alias.AliasArn+`"`)
			assert.Contains(c, body, `"executedVersion":"`+*version.Version+`"`)
			assert.NotContains(c, body, "payload")
		})
	})

	// kinesis-on-failure-destination: "unable to invoke the function due to throttling … it retries until the records expire"
	t.Run("reserved concurrency", func(t *testing.T) {
		d.stream(t, "throttled")
		uuid := d.connect(t, "throttled", func(in *lambda.CreateEventSourceMappingInput) { in.MaximumRetryAttempts = aws.Int32(0) })
		_, err := d.lambda.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: &d.function, ReservedConcurrentExecutions: aws.Int32(0)})
		require.NoError(t, err)
		d.put(t, "throttled", "a", "b")
		d.eventually(t, func(c *assert.CollectT) { assert.Contains(c, d.log.String(), "TooManyRequestsException") })
		assert.Empty(t, d.recorded(t, "throttled"))
		_, err = d.lambda.DeleteFunctionConcurrency(t.Context(), &lambda.DeleteFunctionConcurrencyInput{FunctionName: &d.function})
		require.NoError(t, err)
		d.comes(t, "throttled", "a", "b")
		assert.Empty(t, d.kept(t, uuid))
	})

	t.Run("a setting that is not supported", func(t *testing.T) {
		d.stream(t, "unsupported")
		uuid := d.connect(t, "unsupported", nil)
		d.put(t, "unsupported", "a")
		d.comes(t, "unsupported", "a")
		d.update(t, uuid, lambda.UpdateEventSourceMappingInput{
			DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:sns:eu-west-1:000000000000:topic")}},
		})
		const says = "on-failure destination must be an S3 bucket or an SQS queue"
		d.eventually(t, func(c *assert.CollectT) { assert.Contains(c, d.log.String(), says) })
		d.put(t, "unsupported", "b")
		d.comes(t, "unsupported", "a", "b")
		assert.Equal(t, 1, strings.Count(d.log.String(), says), "said once")
	})

	// What the emulator forgets of a mapping's settings, the launcher keeps.
	t.Run("made by CloudFormation", func(t *testing.T) {
		d.stream(t, "templated")
		d.put(t, "templated", "a")
		template := func(enabled bool, window int) *string {
			return aws.String(fmt.Sprintf(`{"Resources":{"Mapping":{"Type":"AWS::Lambda::EventSourceMapping","Properties":{
				"FunctionName":%q,"EventSourceArn":"arn:aws:kinesis:eu-west-1:000000000000:stream/templated","StartingPosition":"TRIM_HORIZON",
				"Enabled":%t,"TumblingWindowInSeconds":%d}}}}`, d.function, enabled, window))
		}
		stacks := cloudformation.NewFromConfig(d.config)
		described := func(c *assert.CollectT) *lambda.GetEventSourceMappingOutput {
			stack, err := stacks.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: aws.String("s"), LogicalResourceId: aws.String("Mapping")})
			if !assert.NoError(c, err) {
				return nil
			}
			mapping, err := d.lambda.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: stack.StackResourceDetail.PhysicalResourceId})
			assert.NoError(c, err)
			return mapping
		}
		_, err := stacks.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: template(false, 30)})
		require.NoError(t, err)
		d.eventually(t, func(c *assert.CollectT) {
			if m := described(c); m != nil {
				assert.Equal(c, "Disabled", *m.State)
				assert.EqualValues(c, 30, aws.ToInt32(m.TumblingWindowInSeconds))
				assert.EqualValues(c, 100, *m.BatchSize)
			}
		})
		assert.Empty(t, d.recorded(t, "templated"))
		_, err = stacks.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: template(true, 0)})
		require.NoError(t, err)
		d.comes(t, "templated", "a")
	})

	t.Run("a restart, and a deletion", func(t *testing.T) {
		d.stream(t, "restarted")
		uuid := d.connect(t, "restarted", func(in *lambda.CreateEventSourceMappingInput) { in.StartingPosition = types.EventSourcePositionLatest })
		file := d.begins(t, uuid)
		before := numbered("before", 20)
		d.put(t, "restarted", before...)
		d.comes(t, "restarted", before...)
		d.running.Close()
		stale := filepath.Join(d.state, "deleted-meanwhile.checkpoint.json")
		require.NoError(t, os.WriteFile(stale, []byte("{}"), 0o600))
		between := numbered("between", 20)
		d.put(t, "restarted", between...)
		d.start(t)
		assert.NoFileExists(t, stale)
		d.comes(t, "restarted", append(before, between...)...)

		_, err := d.lambda.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: &uuid})
		require.NoError(t, err)
		d.eventually(t, func(c *assert.CollectT) { assert.NoFileExists(c, file) })
		d.put(t, "restarted", "after")
		time.Sleep(time.Second)
		assert.NotContains(t, d.recorded(t, "restarted"), "after")
	})
}

func TestStartFailsWhenTheMappingsCannotBeListedOrACheckpointBeRead(t *testing.T) {
	_, err := eventsource.Start(t.Context(), eventsource.Config{AWS: aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), RetryMaxAttempts: 1}})
	assert.ErrorContains(t, err, "listing event source mappings")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = eventsource.Start(t.Context(), eventsource.Config{State: filepath.Join(file, "state")})
	assert.ErrorContains(t, err, "making the folder of checkpoints")
}
