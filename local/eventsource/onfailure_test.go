package eventsource

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kinesis-on-failure-destination: "Lambda sends the entire invocation record along with the metadata"; its example, and the name of the object
func TestS3DestinationGetsTheWholeInvocationRecord(t *testing.T) {
	f := newFixture(poisoned("a"), func(s *settings) { s.retries = 1 })
	f.s3.refusals = 2 // nothing is lost meanwhile
	f.run(t, "a", "b")
	require.Len(t, f.s3.bodies, 1)
	assert.Regexp(t, `^kept/aws/lambda/uuid/shardId-000000000001/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}$`, f.s3.keys[0])

	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(f.s3.bodies[0]), &r))
	const timestamp = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`
	assert.Regexp(t, timestamp, r["timestamp"])
	info := r["KinesisBatchInfo"].(map[string]any)
	assert.Regexp(t, timestamp, info["approximateArrivalOfFirstRecord"])
	assert.Regexp(t, timestamp, info["approximateArrivalOfLastRecord"])
	delete(info, "approximateArrivalOfFirstRecord")
	delete(info, "approximateArrivalOfLastRecord")
	assert.Equal(t, map[string]any{
		"shardId": "shardId-000000000001", "startSequenceNumber": "100", "endSequenceNumber": "101", "batchSize": 2.0,
		"streamArn": "arn:aws:kinesis:eu-west-1:000000000000:stream/events",
	}, info)
	context := r["requestContext"].(map[string]any)
	assert.Len(t, context["requestId"], 36)
	delete(context, "requestId")
	assert.Equal(t, map[string]any{"functionArn": "arn:f", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2.0}, context)
	assert.Equal(t, map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"}, r["responseContext"])
	assert.Equal(t, "1.0", r["version"])
	assert.Equal(t, []string{"a", "b"}, f.discarded(t))
}

// kinesis-on-failure-destination: "Each record sent to the destination is a JSON document with metadata about the failed invocation."
func TestSQSDestinationGetsMetadataOnly(t *testing.T) {
	f := newFixture(func(string) answer { return failing("100") }, func(s *settings) {
		s.retries = 0
		s.onFailure = arn.ARN{Partition: "aws", Service: "sqs", Region: "eu-west-1", AccountID: "000000000000", Resource: "dead"}
	})
	f.run(t, "a")
	require.Len(t, f.sqs.messages, 1)
	url, body, _ := strings.Cut(f.sqs.messages[0], " ")
	assert.Equal(t, "http://000000000000/dead", url)
	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &r))
	assert.NotContains(t, r, "payload")
	assert.Equal(t, map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": nil}, r["responseContext"])
}

// kinesis-on-failure-destination: "Lambda discards the records and continues processing batches from the stream."
func TestWithoutADestinationTheBatchIsGivenUpAndTheNextGoesOn(t *testing.T) {
	f := newFixture(poisoned("bad"), func(s *settings) { s.retries, s.onFailure = 0, arn.ARN{} })
	f.run(t, "bad")
	f.run(t, "good")
	assert.Equal(t, []string{"bad", "good"}, f.lambda.batches)
}
