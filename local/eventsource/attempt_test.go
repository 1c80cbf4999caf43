package eventsource

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The sentences are those of the AWS Lambda Developer Guide,
// https://docs.aws.amazon.com/lambda/latest/dg/, on the page that stands above each test.

// with-kinesis: "Kinesis record event"
func TestEventIsLambdasKinesisEvent(t *testing.T) {
	f := newFixture(nil, nil)
	r := newRecord(f.settings.Load(), "shardId-000000000006", kinesistypes.Record{
		SequenceNumber: aws.String("49590338271490256608559692538361571095921575989136588898"), PartitionKey: aws.String("1"),
		Data: []byte("Hello, this is a test."), ApproximateArrivalTimestamp: aws.Time(time.UnixMilli(1545084650987)),
	}, nil)
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
	}]}`, string(f.event([]record{r}, nil, false)))
}

// services-kinesis-batchfailurereporting: "Success and failure conditions"
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

// services-kinesis-batchfailurereporting: "Success and failure conditions"
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

// services-kinesis-batchfailurereporting: "Lambda then retries all records starting from that checkpoint."
func TestLambdaUsesTheRecordWithTheLowestSequenceNumberAsTheCheckpoint(t *testing.T) {
	f := newFixture(once(failing("103", "101", "102")), nil)
	f.run(t, "a", "b", "c", "d")
	assert.Equal(t, []string{"a b c d", "b c d"}, f.lambda.batches)
}

// services-kinesis-batchfailurereporting: "these responses will not be processed by Lambda unless the feature is explicitly turned on"
func TestPartialResponsesWillNotBeProcessedUnlessReportBatchItemFailuresIsTurnedOn(t *testing.T) {
	f := newFixture(once(failing("101")), func(s *settings) { s.reportsFailures = false })
	f.run(t, "a", "b")
	assert.Equal(t, []string{"a b"}, f.lambda.batches)
}

// with-kinesis: "If your function returns an error, Lambda retries the batch until processing succeeds or the data expires."
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

// kinesis-on-failure-destination: "If the error handling measures fail, Lambda discards the records and continues"
func TestBatchThatHasExhaustedAllRetriesIsDiscardedToTheDestination(t *testing.T) {
	f := newFixture(poisoned("b"), func(s *settings) { s.retries = 2 })
	f.run(t, "a", "b")
	assert.Equal(t, []string{"a b", "a b", "a b"}, f.lambda.batches)
	require.Len(t, f.s3.bodies, 1)
	assert.Equal(t, []string{"a", "b"}, f.discarded(t))
}

// Not documented: how a reported failure counts.
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

// services-kinesis-create: "When the function returns an error, split the batch into two before retrying."
func TestWhenTheFunctionReturnsAnErrorTheBatchIsSplitIntoTwoBeforeRetrying(t *testing.T) {
	f := newFixture(poisoned("bad"), func(s *settings) { s.bisect, s.retries = true, 1 })
	f.run(t, "a", "b", "bad", "d")
	assert.Equal(t, []string{"a b bad d", "a b", "bad d", "bad", "bad", "d"}, f.lambda.batches)
	require.Len(t, f.s3.bodies, 1)
	assert.Equal(t, []string{"bad"}, f.discarded(t))
}

// kinesis-on-failure-destination: "Splitting batches doesn't consume the retry quota."
func TestSplittingABatchDoesNotCountTowardsTheRetryQuota(t *testing.T) {
	f := newFixture(poisoned("bad"), func(s *settings) { s.bisect, s.retries = true, 0 })
	f.run(t, "a", "b", "c", "d", "e", "f", "g", "bad")
	assert.Equal(t, []string{"a b c d e f g bad", "a b c d", "e f g bad", "e f", "g bad", "g", "bad"}, f.lambda.batches)
	assert.Equal(t, []string{"bad"}, f.discarded(t))
}

// services-kinesis-batchfailurereporting: "the batch is bisected regardless of your ReportBatchItemFailures setting"
func TestIfTheInvocationFailsTheBatchIsBisectedRegardlessOfReportBatchItemFailures(t *testing.T) {
	for _, reports := range []bool{false, true} {
		f := newFixture(once(answer{functionError: "Unhandled"}), func(s *settings) { s.bisect, s.reportsFailures, s.retries = true, reports, 0 })
		f.run(t, "a", "b")
		assert.Equal(t, []string{"a b", "a", "b"}, f.lambda.batches)
	}
}

// services-kinesis-batchfailurereporting: "Bisecting a batch"
func TestTheBatchIsBisectedAtTheReturnedSequenceNumberAndLambdaRetriesOnlyTheRemainingRecords(t *testing.T) {
	f := newFixture(once(failing("102")), func(s *settings) { s.bisect, s.retries = true, 0 })
	f.run(t, "a", "b", "c", "d")
	assert.Equal(t, []string{"a b c d", "c d"}, f.lambda.batches)
	assert.Empty(t, f.s3.bodies)
}

// kinesis-on-failure-destination: "Before invocation: … it retries until the records expire or exceed the maximum age"
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

// services-kinesis-create: "The maximum age of a record that Lambda sends to your function."
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

// kinesis-on-failure-destination: "During invocation: … Lambda retries until the records expire, exceed the maximum age"
func TestLambdaRetriesUntilTheRecordsExceedTheMaximumAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(poisoned("a"), func(s *settings) { s.maxAge = time.Minute })
		f.wait = func(int) time.Duration { return 25 * time.Second }
		f.run(t, "a")
		assert.Len(t, f.lambda.batches, 3) // at 0, 25 and 50 s
		require.Len(t, f.s3.bodies, 1)
		assert.Equal(t, []string{"a"}, f.discarded(t))
	})
}

// with-kinesis: "Lambda event source mappings process each event at least once"
func TestInvocationThatHasBegunMayEndAfterTheMappingIsDisabled(t *testing.T) {
	ctx, disable := context.WithCancel(t.Context())
	f := newFixture(func(string) answer {
		disable()
		return answer{payload: "null"}
	}, nil)
	f.process(ctx, attempt{batch: f.batch("a", "b")})
	assert.Equal(t, "101", f.checkpoint.after(f.key))
}

// with-kinesis: "Lambda event source mappings process each event at least once"
func TestWhatFailedWhenTheMappingWasDisabledIsProcessedAgain(t *testing.T) {
	ctx, disable := context.WithCancel(t.Context())
	f := newFixture(func(string) answer {
		disable()
		return failing("101")
	}, func(s *settings) { s.retries = 0 })
	f.process(ctx, attempt{batch: f.batch("a", "b")})
	assert.Equal(t, "100", f.checkpoint.after(f.key))
	assert.Empty(t, f.s3.bodies)
}

// Not documented: how long Lambda waits.
func TestBackoffDoublesUpToHalfAMinute(t *testing.T) {
	var got []time.Duration
	for _, n := range []int{1, 2, 3, 8, 9, 1000} {
		got = append(got, backoff(n))
	}
	assert.Equal(t, []time.Duration{
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second,
	}, got)
}
