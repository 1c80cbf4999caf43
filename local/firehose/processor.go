package firehose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/uuid"

	"github.com/millrace-cdk/millrace/local/internal/function"
)

const (
	// eventLimit bounds the records of one event: Lambda's limit less ample room
	// for the event's own members.
	eventLimit = function.PayloadLimit - 4096
	// invocationTimeout is the longest that Firehose waits for a function
	// (developer guide, data-transformation: 5 minutes).
	invocationTimeout = 5 * time.Minute
	// retryWait is the wait before an invocation is tried again; AWS documents none.
	retryWait = 250 * time.Millisecond
)

// process sends the incoming records through the processor, and on to the
// buffer that they then belong to.
func (d *stream) process(ctx context.Context, b *buffer) {
	records := b.records
	p := d.settings.Load().processor
	if p == nil {
		b.clear()
		for _, r := range records {
			d.deliver(ctx, r)
		}
		return
	}
	answers, attempts, trouble := d.invoke(ctx, p, records)
	if ctx.Err() != nil {
		return // not processed: they stay in the buffer
	}
	d.measureProcessing(trouble == nil)
	b.clear()
	fail := func(r record, code, message string) {
		d.fail(ctx, r, failure{code: code, message: message, attempts: attempts, function: p.arn})
	}
	for _, r := range records {
		switch answer := answers[r.id]; {
		case trouble != nil:
			fail(r, trouble.code, trouble.message)
		case len(answer) == 0:
			fail(r, "Lambda.MissingRecordId", "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.")
		case len(answer) > 1:
			fail(r, "Lambda.DuplicatedRecordId", "Multiple records were returned with the same record ID. Ensure that the Lambda function returns unique record IDs for each record.")
		case answer[0].Result == events.KinesisFirehoseTransformedStateOk:
			r.data, r.lambdaKeys = answer[0].Data, answer[0].Metadata.PartitionKeys
			d.deliver(ctx, r)
		case answer[0].Result == events.KinesisFirehoseTransformedStateDropped:
			r.place.rest()
		case answer[0].Result == events.KinesisFirehoseTransformedStateProcessingFailed:
			fail(r, "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
		default:
			fail(r, malformed.code, malformed.message)
		}
	}
}

// processorError is an invocation that came to nothing, as its records' error lines tell it.
type processorError struct{ code, message string }

var malformed = processorError{
	"Lambda.JsonProcessingException",
	"There was an error parsing returned records from the Lambda function. Ensure that the returned records follow the status model required by Amazon Data Firehose.",
}

// invoke calls the processor until it answers, NumberOfRetries times again at
// most. It returns the answers by record id, and how often it was called.
func (d *stream) invoke(ctx context.Context, p *processorSettings, records []record) (answers map[string][]events.KinesisFirehoseResponseRecord, attempts int, trouble *processorError) {
	for {
		attempts++
		result, err := d.call(ctx, p, records)
		switch {
		case err != nil:
			trouble = invocationError(err)
		case result.FunctionError != "":
			trouble = &processorError{"Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result."}
			err = fmt.Errorf("function error %s: %s", result.FunctionError, shorten(result.Payload))
		default:
			answers, trouble := readAnswers(result.Payload)
			if trouble != nil {
				d.log.Warn("processing failed", "function", p.arn, "records", len(records), "error", trouble.message)
			}
			return answers, attempts, trouble
		}
		if ctx.Err() != nil {
			return nil, attempts, trouble
		}
		if attempts > p.retries {
			d.log.Warn("processing failed", "function", p.arn, "records", len(records), "attempts", attempts, "error", err)
			return nil, attempts, trouble
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryWait):
		}
	}
}

func (d *stream) call(ctx context.Context, p *processorSettings, records []record) (function.Result, error) {
	payload, err := d.event(records)
	if err != nil {
		return function.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, invocationTimeout)
	defer cancel()
	return function.Call(ctx, d.lambda, p.arn, payload)
}

// event is what the processor is sent: the records are encoded already.
func (d *stream) event(records []record) ([]byte, error) {
	s := d.settings.Load()
	event := struct {
		InvocationID           string            `json:"invocationId"`
		DeliveryStreamARN      string            `json:"deliveryStreamArn"`
		SourceKinesisStreamARN string            `json:"sourceKinesisStreamArn,omitempty"`
		Region                 string            `json:"region"`
		Records                []json.RawMessage `json:"records"`
	}{uuid.NewString(), s.arn, s.source.stream, d.region, make([]json.RawMessage, len(records))}
	if s.source.direct {
		event.SourceKinesisStreamARN = ""
	}
	for i, r := range records {
		event.Records[i] = r.event
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encoding the processor's event: %w", err)
	}
	return payload, nil
}

// readAnswers reads a response. Records that it does not know are for the caller to see.
func readAnswers(payload []byte) (map[string][]events.KinesisFirehoseResponseRecord, *processorError) {
	var response events.KinesisFirehoseResponse
	if err := json.Unmarshal(payload, &response); err != nil || response.Records == nil {
		return nil, &malformed
	}
	answers := make(map[string][]events.KinesisFirehoseResponseRecord, len(response.Records))
	for _, r := range response.Records {
		answers[r.RecordID] = append(answers[r.RecordID], r)
	}
	return answers, nil
}

// invocationError names an invocation that did not reach the function, by the
// codes of the developer guide (monitoring-with-cloudwatch-logs, Lambda invocation errors).
func invocationError(err error) *processorError {
	throttled, unknown := new(lambdatypes.TooManyRequestsException), new(lambdatypes.ResourceNotFoundException)
	switch {
	case errors.As(err, &throttled):
		return &processorError{"Lambda.InvokeLimitExceeded", "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit."}
	case errors.As(err, &unknown):
		return &processorError{"Lambda.ResourceNotFound", "The specified AWS Lambda function does not exist. Use a different function that does exist."}
	case errors.Is(err, context.DeadlineExceeded):
		return &processorError{"Lambda.FunctionRequestTimedOut", "The invocation request to the Lambda function timed out. " + err.Error()}
	default:
		return &processorError{"Lambda.InvocationFailed", err.Error()} // a code of ours: AWS's list has none
	}
}

// encode returns r as a record of the processor's event. A record of direct PUT has no Kinesis metadata.
func (r record) encode(direct bool) []byte {
	data := r.data
	if data == nil {
		data = []byte{} // "" on the wire, never null
	}
	arrived := events.MilliSecondsEpochTime{Time: r.arrived}
	record := struct {
		RecordID string                                `json:"recordId"`
		Arrived  events.MilliSecondsEpochTime          `json:"approximateArrivalTimestamp"`
		Data     []byte                                `json:"data"`
		Metadata *events.KinesisFirehoseRecordMetadata `json:"kinesisRecordMetadata,omitempty"`
	}{RecordID: r.id, Arrived: arrived, Data: data}
	if !direct {
		record.Metadata = &events.KinesisFirehoseRecordMetadata{
			ShardID:                     r.shard,
			PartitionKey:                r.partition,
			SequenceNumber:              r.sequence,
			SubsequenceNumber:           r.subSequence,
			ApproximateArrivalTimestamp: arrived,
		}
	}
	event, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("firehose: encoding a record of plain values: %v", err))
	}
	return event
}

// shorten keeps a function's error readable in a log line.
func shorten(payload []byte) string {
	const most = 300
	if len(payload) <= most {
		return string(payload)
	}
	return string(payload[:most]) + "…"
}
