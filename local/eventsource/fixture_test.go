package eventsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// answer is what a fake function does with a batch.
type answer struct {
	payload       string
	functionError string
	err           error
}

// fakeLambda answers batches, given as the records' data joined by spaces.
type fakeLambda struct {
	answer  func(batch string) answer
	batches []string
	events  []string // what it was invoked with
}

func (f *fakeLambda) Invoke(_ context.Context, input *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	var event events.KinesisEvent
	if err := json.Unmarshal(input.Payload, &event); err != nil {
		return nil, err
	}
	var data []string
	for _, r := range event.Records {
		data = append(data, string(r.Kinesis.Data))
	}
	batch := strings.Join(data, " ")
	f.batches, f.events = append(f.batches, batch), append(f.events, string(input.Payload))
	a := f.answer(batch)
	output := &lambda.InvokeOutput{Payload: []byte(a.payload), StatusCode: 200, ExecutedVersion: aws.String("$LATEST")}
	if a.functionError != "" {
		output.FunctionError = &a.functionError
	}
	return output, a.err
}

type fakeS3 struct {
	refusals int
	keys     []string
	bodies   []string
}

func (f *fakeS3) PutObject(_ context.Context, input *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if f.refusals > 0 {
		f.refusals--
		return nil, errors.New("SlowDown")
	}
	body, err := io.ReadAll(input.Body)
	f.keys, f.bodies = append(f.keys, *input.Bucket+"/"+*input.Key), append(f.bodies, string(body))
	return &s3.PutObjectOutput{}, err
}

type fakeSQS struct{ messages []string }

func (f *fakeSQS) GetQueueUrl(_ context.Context, input *sqs.GetQueueUrlInput, _ ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error) {
	return &sqs.GetQueueUrlOutput{QueueUrl: aws.String("http://" + *input.QueueOwnerAWSAccountId + "/" + *input.QueueName)}, nil
}

func (f *fakeSQS) SendMessage(_ context.Context, input *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	f.messages = append(f.messages, *input.QueueUrl+" "+*input.MessageBody)
	return &sqs.SendMessageOutput{}, nil
}

type fixture struct {
	*lane
	lambda *fakeLambda
	s3     *fakeS3
	sqs    *fakeSQS
}

// newFixture makes a lane whose mapping reports failures, tries for ever and discards into bucket "kept".
func newFixture(reply func(batch string) answer, edit func(*settings)) *fixture {
	s := settings{
		uuid: "uuid", function: "arn:f", role: "arn:aws:iam::000000000000:role/f", source: streamARN, stream: streamARN, region: "eu-west-1",
		batchSize: 100, parallelization: 1, reportsFailures: true, retries: forever, maxAge: forever * time.Second,
		onFailure: arn.ARN{Partition: "aws", Service: "s3", Resource: "kept"},
	}
	if edit != nil {
		edit(&s)
	}
	f := &fixture{lambda: &fakeLambda{answer: reply}, s3: &fakeS3{}, sqs: &fakeSQS{}}
	checkpoint, err := loadCheckpoint("", quiet)
	if err != nil {
		panic(err)
	}
	m := newMapping(s, services{lambda: f.lambda, s3: f.s3, sqs: f.sqs}, checkpoint, quiet)
	m.wait = func(int) time.Duration { return 0 }
	f.lane = newLane(m, &shards.Shard{ID: "shardId-000000000001", Key: "shardId-000000000001@1"}, new(atomic.Int64))
	return f
}

const streamARN = "arn:aws:kinesis:eu-west-1:000000000000:stream/events"

var quiet = slog.New(slog.DiscardHandler)

// batch makes records 1, 2, 3, … of data, that have just arrived.
func (f *fixture) batch(data ...string) []record {
	var records []record
	for i, d := range data {
		records = append(records, newRecord(f.settings.Load(), f.shard, kinesistypes.Record{
			SequenceNumber: aws.String(fmt.Sprint(100 + i)), PartitionKey: aws.String("p"), Data: []byte(d),
			ApproximateArrivalTimestamp: aws.Time(time.Now()),
		}, f.checkpoint.track(f.key, fmt.Sprint(100+i))))
	}
	return records
}

// run has a batch processed, after which nothing of it may be left in the checkpoint.
func (f *fixture) run(t *testing.T, data ...string) {
	t.Helper()
	f.process(t.Context(), attempt{batch: f.batch(data...)})
	require.Empty(t, f.checkpoint.waiting[f.key])
}

// discarded returns the data of the records in the first object of the on-failure destination.
func (f *fixture) discarded(t *testing.T) []string {
	t.Helper()
	var r invocationRecord
	require.NoError(t, json.Unmarshal([]byte(f.s3.bodies[0]), &r))
	var event events.KinesisEvent
	require.NoError(t, json.Unmarshal([]byte(r.Payload), &event))
	var data []string
	for _, r := range event.Records {
		data = append(data, string(r.Kinesis.Data))
	}
	return data
}

func failing(identifiers ...string) answer {
	var response events.KinesisEventResponse
	for _, id := range identifiers {
		response.BatchItemFailures = append(response.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: id})
	}
	payload, err := json.Marshal(response)
	if err != nil {
		panic(err)
	}
	return answer{payload: string(payload)}
}

// once answers the first batch with a, the others with success.
func once(a answer) func(string) answer {
	return func(string) answer {
		now := a
		a = answer{payload: "null"}
		return now
	}
}

// poisoned fails every batch that holds the word.
func poisoned(word string) func(string) answer {
	return func(batch string) answer {
		if strings.Contains(batch, word) {
			return answer{payload: `{"errorMessage":"boom"}`, functionError: "Unhandled"}
		}
		return answer{payload: "null"}
	}
}
