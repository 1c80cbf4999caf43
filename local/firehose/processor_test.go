package firehose

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/internal/function"
)

func TestTransformedRecordsAreDelivered(t *testing.T) {
	processor := &fakeLambda{answer: upper}
	d, store := testStream(t, processor, nil)
	run(t, d, testRecord(1, "one"), testRecord(2, "two"))
	require.Len(t, store.objects, 1)
	assert.Equal(t, "ONETWO", store.objects[0].body)
	require.Len(t, processor.payloads, 1)

	var event map[string]any
	require.NoError(t, json.Unmarshal(processor.payloads[0], &event))
	assert.Len(t, event["invocationId"], 36)
	delete(event, "invocationId")
	assert.Equal(t, map[string]any{
		"deliveryStreamArn":      "arn:aws:firehose:eu-west-1:000000000000:deliverystream/lake",
		"sourceKinesisStreamArn": "arn:aws:kinesis:eu-west-1:000000000000:stream/events",
		"region":                 "eu-west-1",
		"records":                []any{eventRecord("001", "b25l", 1533632703124), eventRecord("002", "dHdv", 1533632703125)},
	}, event)
}

func eventRecord(sequence, data string, arrived float64) map[string]any {
	return map[string]any{
		"recordId": sequence + "000000", "approximateArrivalTimestamp": arrived, "data": data,
		"kinesisRecordMetadata": map[string]any{
			"shardId": "shardId-000000000001", "partitionKey": "p", "approximateArrivalTimestamp": arrived,
			"sequenceNumber": sequence, "subsequenceNumber": 0.0,
		},
	}
}

func TestEmptyDataIsAnEmptyStringNeverNull(t *testing.T) {
	r := testRecord(1, "")
	r.data = nil
	assert.Contains(t, string(r.encode(false)), `"data":""`)
}

func TestProcessorIsInvokedWhenItsBufferSizeIsReached(t *testing.T) {
	processor := &fakeLambda{answer: upper}
	d, _ := testStream(t, processor, func(s *settings) { s.processor.size = 10 })
	for n := range 5 {
		d.accept(t.Context(), testRecord(n, "12345"))
	}
	assert.Len(t, processor.payloads, 2)
	assert.Len(t, d.incoming.records, 1)
}

func TestRequestStaysBelowSixMegabytes(t *testing.T) {
	processor := &fakeLambda{answer: upper}
	d, store := testStream(t, processor, func(s *settings) { s.processor.size, s.size = 100*megabyte, 100*megabyte })
	for n := range 9 {
		d.accept(t.Context(), testRecord(n, strings.Repeat("x", megabyte)))
	}
	run(t, d)
	require.Greater(t, len(processor.payloads), 1)
	for _, payload := range processor.payloads {
		assert.LessOrEqual(t, len(payload), function.PayloadLimit)
	}
	require.Len(t, store.objects, 1)
	assert.Len(t, store.objects[0].body, 9*megabyte)
}

func TestResponseAboveSixMegabytesIsAFunctionError(t *testing.T) {
	processor := &fakeLambda{answer: func(events.KinesisFirehoseEvent) (any, error) {
		return bytes.Repeat([]byte("x"), function.PayloadLimit+1), nil
	}}
	d, store := testStream(t, processor, func(s *settings) { s.processor.retries = 0 })
	run(t, d, testRecord(1, "one"))
	require.Len(t, store.objects, 1)
	assert.Equal(t, "Lambda.FunctionError", failures(t, store.objects[0].body)[0]["errorCode"])
}

func TestRecordsOfStatusOkOrDroppedCountAsProcessedTheOthersAsNot(t *testing.T) {
	processor := &fakeLambda{answer: func(event events.KinesisFirehoseEvent) (any, error) {
		return events.KinesisFirehoseResponse{Records: []events.KinesisFirehoseResponseRecord{
			{RecordID: event.Records[0].RecordID, Result: "Ok", Data: []byte("kept")},
			{RecordID: event.Records[1].RecordID, Result: "Dropped"},
			{RecordID: event.Records[2].RecordID, Result: "ProcessingFailed", Data: []byte("not this")},
			{RecordID: event.Records[3].RecordID, Result: "Fine", Data: []byte("not this")},
		}}, nil
	}}
	d, store := testStream(t, processor, nil)
	before := time.Now().UnixMilli()
	run(t, d, testRecord(1, "a"), testRecord(2, "b"), testRecord(3, "c"), testRecord(4, "d"))

	require.Len(t, store.objects, 2)
	assert.Equal(t, "kept", store.objects[0].body)
	assert.Regexp(t, `^errors/processing-failed/2018/08/07/09/lake-1-2018-08-07-09-05-03-[0-9a-f-]{36}$`, store.objects[1].key)
	lines := failures(t, store.objects[1].body)
	require.Len(t, lines, 2)
	assert.GreaterOrEqual(t, lines[0]["attemptEndingTimestamp"], float64(before))
	delete(lines[0], "attemptEndingTimestamp")
	assert.Equal(t, map[string]any{
		"attemptsMade": 1.0, "arrivalTimestamp": 1533632703126.0, "rawData": "Yw==", "lambdaArn": "arn:f",
		"errorCode": "Lambda.ProcessingFailedStatus", "errorMessage": "ProcessingFailed status set for record",
	}, lines[0])
	assert.Equal(t, "Lambda.JsonProcessingException", lines[1]["errorCode"])
}

func TestMismatchedRecordIdsFailTheseRecords(t *testing.T) {
	processor := &fakeLambda{answer: func(event events.KinesisFirehoseEvent) (any, error) {
		ok := func(id string) events.KinesisFirehoseResponseRecord {
			return events.KinesisFirehoseResponseRecord{RecordID: id, Result: "Ok", Data: []byte("kept")}
		}
		return events.KinesisFirehoseResponse{Records: []events.KinesisFirehoseResponseRecord{
			ok(event.Records[1].RecordID), ok(event.Records[1].RecordID), ok(event.Records[2].RecordID), ok("unknown"),
		}}, nil
	}}
	d, store := testStream(t, processor, nil)
	run(t, d, testRecord(1, "missing"), testRecord(2, "doubled"), testRecord(3, "kept"))
	require.Len(t, store.objects, 2)
	assert.Equal(t, "kept", store.objects[0].body)
	lines := failures(t, store.objects[1].body)
	require.Len(t, lines, 2)
	assert.Equal(t, "Lambda.MissingRecordId", lines[0]["errorCode"])
	assert.Equal(t, "Lambda.DuplicatedRecordId", lines[1]["errorCode"])
}

func TestResponseOutsideTheStatusModelFailsItsBatch(t *testing.T) {
	for name, response := range map[string]string{
		"not JSON":         `boom`,
		"null":             `null`,
		"no records":       `{}`,
		"data not base64":  `{"records":[{"recordId":"001000000","result":"Ok","data":"%%%"}]}`,
		"records no array": `{"records":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			processor := &fakeLambda{answer: func(events.KinesisFirehoseEvent) (any, error) { return []byte(response), nil }}
			d, store := testStream(t, processor, nil)
			run(t, d, testRecord(1, "one"))
			require.Len(t, store.objects, 1)
			line := failures(t, store.objects[0].body)[0]
			assert.Equal(t, "Lambda.JsonProcessingException", line["errorCode"])
			assert.EqualValues(t, 1, line["attemptsMade"])
		})
	}
}

func TestFailedInvocationIsRetriedThreeTimesByDefaultThenTheBatchIsSkipped(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		failing string
		want    string
	}{
		"invocation limit reached": {err: &lambdatypes.TooManyRequestsException{}, want: "Lambda.InvokeLimitExceeded"},
		"no such function":         {err: &lambdatypes.ResourceNotFoundException{}, want: "Lambda.ResourceNotFound"},
		"network trouble":          {err: errors.New("connection refused"), want: "Lambda.InvocationFailed"},
		"function error":           {failing: "Unhandled", want: "Lambda.FunctionError"},
	} {
		t.Run(name, func(t *testing.T) {
			processor := &fakeLambda{failing: test.failing}
			processor.answer = func(events.KinesisFirehoseEvent) (any, error) { return []byte(`{"errorMessage":"boom"}`), test.err }
			d, store := testStream(t, processor, nil)
			run(t, d, testRecord(1, "one"), testRecord(2, "two"))

			ids := map[string]bool{}
			for _, payload := range processor.payloads {
				var event events.KinesisFirehoseEvent
				require.NoError(t, json.Unmarshal(payload, &event))
				ids[event.InvocationID] = true
			}
			assert.Len(t, ids, 4, "each attempt is an invocation of its own")
			require.Len(t, store.objects, 1)
			lines := failures(t, store.objects[0].body)
			require.Len(t, lines, 2)
			assert.Equal(t, test.want, lines[0]["errorCode"])
			assert.EqualValues(t, 4, lines[0]["attemptsMade"])
			assert.Equal(t, "b25l", lines[0]["rawData"])
		})
	}
}

func TestInvocationThatSucceedsAtARetryLosesNothing(t *testing.T) {
	calls := 0
	processor := &fakeLambda{answer: func(event events.KinesisFirehoseEvent) (any, error) {
		if calls++; calls < 3 {
			return nil, errors.New("connection refused")
		}
		return upper(event)
	}}
	d, store := testStream(t, processor, nil)
	run(t, d, testRecord(1, "one"))
	require.Len(t, store.objects, 1)
	assert.Equal(t, "ONE", store.objects[0].body)
}
