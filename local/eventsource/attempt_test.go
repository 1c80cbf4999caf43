package eventsource

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEventIsLambdasKinesisEvent(t *testing.T) {
	f := newFixture(nil, nil)
	r := newRecord(f.settings.Load(), "shardId-000000000006", kinesistypes.Record{
		SequenceNumber: aws.String("49590338271490256608559692538361571095921575989136588898"), PartitionKey: aws.String("1"),
		Data: []byte("Hello, this is a test."), ApproximateArrivalTimestamp: aws.Time(time.UnixMilli(1545084650987)),
	})
	assert.JSONEq(t, `{"Records":[{
		"kinesis": {
			"kinesisSchemaVersion": "1.0", "partitionKey": "1",
			"sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
			"data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==", "approximateArrivalTimestamp": 1545084650.987
		},
		"eventSource": "aws:kinesis", "eventVersion": "1.0",
		"eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
		"eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::000000000000:role/f",
		"awsRegion": "eu-west-1", "eventSourceARN": "arn:aws:kinesis:eu-west-1:000000000000:stream/events"
	}]}`, string(event([]record{r})))
}

func TestLambdaTreatsABatchAsACompleteSuccess(t *testing.T) {
	for name, payload := range map[string]string{
		"an empty batchItemFailures list": `{"batchItemFailures":[]}`,
		"a null batchItemFailures list":   `{"batchItemFailures":null}`,
		"an empty EventResponse":          `{}`,
		"a null EventResponse":            `null`,
		"an empty string":                 `""`,
		"nothing":                         ``,
		"an empty list":                   `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(string) answer { return answer{payload: payload} }, nil)
			f.run(t, "a", "b")
			assert.Equal(t, []string{"a b"}, f.lambda.batches)
		})
	}
}

func TestLambdaTreatsABatchAsACompleteFailure(t *testing.T) {
	for name, payload := range map[string]string{
		"an empty string itemIdentifier":        `{"batchItemFailures":[{"itemIdentifier":""}]}`,
		"a null itemIdentifier":                 `{"batchItemFailures":[{"itemIdentifier":null}]}`,
		"an itemIdentifier with a bad key name": `{"batchItemFailures":[{"foo":"101"}]}`,
		"an itemIdentifier of no record":        `{"batchItemFailures":[{"itemIdentifier":"101"},{"itemIdentifier":"999"}]}`,
		"not an EventResponse":                  `{"batchItemFailures":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(once(answer{payload: payload}), nil)
			f.run(t, "a", "b")
			assert.Equal(t, []string{"a b", "a b"}, f.lambda.batches)
		})
	}
}

func TestLambdaUsesTheRecordWithTheLowestSequenceNumberAsTheCheckpoint(t *testing.T) {
	f := newFixture(once(failing("103", "101", "102")), nil)
	f.run(t, "a", "b", "c", "d")
	assert.Equal(t, []string{"a b c d", "b c d"}, f.lambda.batches)
}

func TestPartialResponsesWillNotBeProcessedUnlessReportBatchItemFailuresIsTurnedOn(t *testing.T) {
	f := newFixture(once(failing("101")), func(s *settings) { s.reportsFailures = false })
	f.run(t, "a", "b")
	assert.Equal(t, []string{"a b"}, f.lambda.batches)
}

func TestIfTheFunctionReturnsAnErrorLambdaRetriesTheBatchUntilProcessingSucceeds(t *testing.T) {
	calls := 0
	f := newFixture(func(string) answer {
		if calls++; calls <= 5 {
			return answer{payload: `{"errorMessage":"boom"}`, functionError: "Unhandled"}
		}
		return answer{payload: "null"}
	}, nil)
	f.run(t, "a", "b")
	assert.Equal(t, []string{"a b", "a b", "a b", "a b", "a b", "a b"}, f.lambda.batches)
	assert.Empty(t, f.s3.bodies)
}

func TestBatchThatHasExhaustedAllRetriesIsDiscardedToTheDestination(t *testing.T) {
	f := newFixture(poisoned("b"), func(s *settings) { s.retries = 2 })
	f.run(t, "a", "b")
	assert.Equal(t, []string{"a b", "a b", "a b"}, f.lambda.batches)
	require.Len(t, f.s3.bodies, 1)
	assert.Equal(t, []string{"a", "b"}, f.discarded(t))
}

func TestRetriesOfAReportedFailureCountFromTheFirst(t *testing.T) {
	f := newFixture(func(batch string) answer {
		if batch == "a b c" {
			return failing("101")
		}
		return failing("102")
	}, func(s *settings) { s.retries = 1 })
	f.run(t, "a", "b", "c")
	assert.Equal(t, []string{"a b c", "b c"}, f.lambda.batches)
	require.Len(t, f.s3.bodies, 1)
	assert.Equal(t, []string{"c"}, f.discarded(t))
}

func TestWhenTheFunctionReturnsAnErrorTheBatchIsSplitIntoTwoBeforeRetrying(t *testing.T) {
	f := newFixture(poisoned("bad"), func(s *settings) { s.bisect, s.retries = true, 1 })
	f.run(t, "a", "b", "bad", "d")
	assert.Equal(t, []string{"a b bad d", "a b", "bad d", "bad", "bad", "d"}, f.lambda.batches)
	require.Len(t, f.s3.bodies, 1)
	assert.Equal(t, []string{"bad"}, f.discarded(t))
}

func TestSplittingABatchDoesNotCountTowardsTheRetryQuota(t *testing.T) {
	f := newFixture(poisoned("bad"), func(s *settings) { s.bisect, s.retries = true, 0 })
	f.run(t, "a", "b", "c", "d", "e", "f", "g", "bad")
	assert.Equal(t, []string{"a b c d e f g bad", "a b c d", "e f g bad", "e f", "g bad", "g", "bad"}, f.lambda.batches)
	assert.Equal(t, []string{"bad"}, f.discarded(t))
}

func TestTheBatchIsBisectedAtTheReturnedSequenceNumberAndLambdaRetriesOnlyTheRemainingRecords(t *testing.T) {
	f := newFixture(once(failing("102")), func(s *settings) { s.bisect, s.retries = true, 0 })
	f.run(t, "a", "b", "c", "d")
	assert.Equal(t, []string{"a b c d", "c d"}, f.lambda.batches)
	assert.Empty(t, f.s3.bodies)
}

func TestIfLambdaThrottlesTheFunctionItRetriesWithoutSpendingTheRetryQuota(t *testing.T) {
	calls := 0
	f := newFixture(func(string) answer {
		if calls++; calls <= 5 {
			return answer{err: &lambdatypes.TooManyRequestsException{}}
		}
		return answer{payload: "null"}
	}, func(s *settings) { s.bisect, s.retries = true, 0 })
	f.run(t, "a", "b")
	assert.Len(t, f.lambda.batches, 6)
	assert.Equal(t, "a b", f.lambda.batches[5])
	assert.Empty(t, f.s3.bodies)
}

func TestRecordsThatExceedTheMaximumAgeAreDiscardedAndTheYoungerOnesProcessed(t *testing.T) {
	f := newFixture(func(string) answer { return answer{payload: "null"} }, func(s *settings) { s.maxAge = time.Minute })
	batch := f.batch("old", "older", "young")
	batch[0].arrived, batch[1].arrived = time.Now().Add(-61*time.Second), time.Now().Add(-62*time.Second)
	f.process(t.Context(), attempt{batch: batch})
	assert.Equal(t, []string{"young"}, f.lambda.batches)
	require.Len(t, f.s3.bodies, 1)
	assert.Equal(t, []string{"old", "older"}, f.discarded(t))

	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(f.s3.bodies[0]), &r))
	assert.NotContains(t, r, "responseContext")
	assert.Equal(t, "RecordAgeExceeded", r["requestContext"].(map[string]any)["condition"])
	assert.EqualValues(t, 1, r["requestContext"].(map[string]any)["approximateInvokeCount"])
}

func TestLambdaRetriesUntilTheRecordsExceedTheMaximumAge(t *testing.T) {
	f := newFixture(poisoned("a"), func(s *settings) { s.maxAge = 50 * time.Millisecond })
	f.wait = func(int) time.Duration { return 10 * time.Millisecond }
	f.run(t, "a")
	assert.Greater(t, len(f.lambda.batches), 1)
	require.Len(t, f.s3.bodies, 1)
	assert.Equal(t, []string{"a"}, f.discarded(t))
}

func TestBackoffDoublesUpToHalfAMinute(t *testing.T) {
	var got []time.Duration
	for _, n := range []int{1, 2, 3, 8, 9, 1000} {
		got = append(got, backoff(n))
	}
	assert.Equal(t, []time.Duration{
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second,
	}, got)
}
