package eventsource

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// objectAPI is the one call of S3 that an on-failure destination takes.
type objectAPI interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// queueAPI is the part of SQS that an on-failure destination takes.
type queueAPI interface {
	GetQueueUrl(context.Context, *sqs.GetQueueUrlInput, ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Why Lambda discards a batch. The developer guide shows the first; the second
// is what Lambda has been seen to send.
const (
	retriesExhausted  = "RetryAttemptsExhausted"
	recordAgeExceeded = "RecordAgeExceeded"
)

// invocationRecord is what Lambda sends to the on-failure destination
// (developer guide: kinesis-on-failure-destination).
type invocationRecord struct {
	RequestContext  requestContext   `json:"requestContext"`
	ResponseContext *responseContext `json:"responseContext,omitempty"` // not for records that are too old
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	BatchInfo       batchInfo        `json:"KinesisBatchInfo"`
	// Payload is the whole event, as text. Only S3 gets it.
	Payload string `json:"payload,omitempty"`
}

type requestContext struct {
	RequestID              string `json:"requestId"`
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"`
}

type responseContext struct {
	StatusCode      int32   `json:"statusCode"`
	ExecutedVersion string  `json:"executedVersion"`
	FunctionError   *string `json:"functionError"` // null when the function reported the failure
}

type batchInfo struct {
	ShardID                         string `json:"shardId"`
	StartSequenceNumber             string `json:"startSequenceNumber"`
	EndSequenceNumber               string `json:"endSequenceNumber"`
	ApproximateArrivalOfFirstRecord string `json:"approximateArrivalOfFirstRecord"`
	ApproximateArrivalOfLastRecord  string `json:"approximateArrivalOfLastRecord"`
	BatchSize                       int    `json:"batchSize"`
	StreamARN                       string `json:"streamArn"`
}

// discard gives a batch up: it goes to the on-failure destination, tried until
// that takes it, or is lost with a word in the log when there is none.
func (l *lane) discard(ctx context.Context, condition string, a attempt) {
	sending := trouble.New(l.log.With("shard", l.shard))
	for failures := 1; ; failures++ {
		s := l.settings.Load()
		first, last := a.batch[0].sequence, a.batch[len(a.batch)-1].sequence
		if s.onFailure == (arn.ARN{}) {
			l.log.Error("discarded records for good: the mapping has no on-failure destination",
				"condition", condition, "shard", l.shard, "records", len(a.batch), "first", first, "last", last)
			l.count(s, "DroppedEventCount", len(a.batch))
			l.checkpoint.finish(l.key, places(a.batch)...)
			return
		}
		err := l.send(ctx, s, newInvocationRecord(s, l.shard, condition, a), a.batch)
		if err != nil && ctx.Err() != nil {
			return
		}
		sending.Report(err)
		if err == nil {
			l.log.Warn("sent discarded records to the on-failure destination",
				"condition", condition, "shard", l.shard, "records", len(a.batch), "first", first, "last", last)
			l.count(s, "OnFailureDestinationDeliveredEventCount", len(a.batch))
			l.checkpoint.finish(l.key, places(a.batch)...)
			return
		}
		l.pause(ctx, failures)
	}
}

func newInvocationRecord(s *settings, shard, condition string, a attempt) invocationRecord {
	first, last := a.batch[0], a.batch[len(a.batch)-1]
	r := invocationRecord{
		RequestContext: requestContext{
			RequestID:              cmp.Or(a.last.RequestID, uuid.NewString()),
			FunctionARN:            s.function,
			Condition:              condition,
			ApproximateInvokeCount: max(1, a.invoked), // AWS says 1 for records that were never sent
		},
		Version:   "1.0",
		Timestamp: milliseconds(time.Now()),
		BatchInfo: batchInfo{
			ShardID:                         shard,
			StartSequenceNumber:             first.sequence,
			EndSequenceNumber:               last.sequence,
			ApproximateArrivalOfFirstRecord: milliseconds(first.arrived),
			ApproximateArrivalOfLastRecord:  milliseconds(last.arrived),
			BatchSize:                       len(a.batch),
			StreamARN:                       s.source,
		},
	}
	if condition == retriesExhausted {
		r.ResponseContext = &responseContext{StatusCode: a.last.StatusCode, ExecutedVersion: a.last.ExecutedVersion}
		if a.last.FunctionError != "" {
			r.ResponseContext.FunctionError = &a.last.FunctionError
		}
	}
	return r
}

func milliseconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// send puts an invocation record into the destination.
func (l *lane) send(ctx context.Context, s *settings, r invocationRecord, batch []record) error {
	if s.onFailure.Service == "s3" {
		r.Payload = string(l.event(batch, l.windowOf(batch[0]), false))
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding an invocation record: %w", err)
	}
	if s.onFailure.Service == "s3" {
		now := time.Now().UTC()
		key := fmt.Sprintf("aws/lambda/%s/%s/%s-%s", s.uuid, r.BatchInfo.ShardID, now.Format("2006/01/02/2006-01-02T15.04.05"), uuid.NewString())
		if _, err := l.s3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.onFailure.Resource, Key: &key, Body: bytes.NewReader(body), ContentType: aws.String("application/json"),
		}); err != nil {
			return fmt.Errorf("putting an invocation record to s3://%s/%s: %w", s.onFailure.Resource, key, err)
		}
		return nil
	}
	queue, err := l.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &s.onFailure.Resource, QueueOwnerAWSAccountId: &s.onFailure.AccountID})
	if err != nil {
		return fmt.Errorf("getting the URL of queue %s: %w", s.onFailure.Resource, err)
	}
	if _, err := l.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String(string(body))}); err != nil {
		return fmt.Errorf("sending an invocation record to queue %s: %w", s.onFailure.Resource, err)
	}
	return nil
}
