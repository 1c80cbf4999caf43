package ingest_test

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
)

// What follows is a test for each known weakness of the published pattern for API Gateway before Kinesis
// (W1 to W11), which an IngestApi must not have. Most are held in more cases elsewhere in this package.

func TestW1AnErrorOfKinesisIsNeverASuccess(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	for _, action := range []string{"PutRecord", "PutRecords"} {
		for _, kind := range []string{
			"ProvisionedThroughputExceededException", "ValidationException", "InvalidArgumentException", "ResourceNotFoundException", "AccessDeniedException",
			"KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "KMSOptInRequired", "KMSThrottlingException", "NeverHeardOf",
		} {
			status, _, _ := a.answer(t, action, "400", `{"__type":"`+kind+`","message":"m"}`)
			assert.Regexp(t, `^[45]`, status, "%s %s", action, kind)
		}
		for _, backend := range []string{"403", "404", "413", "429", "500", "503"} {
			status, _, _ := a.answer(t, action, backend, `{}`)
			assert.Regexp(t, `^[45]`, status, "%s %s", action, backend)
		}
	}
}

func TestW2APartialFailureIsSeenInTheStatus(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	for records, want := range map[string]string{stored + "," + slowed: "207", slowed + "," + slowed: "429", broken: "503"} {
		status, _, _ := a.answer(t, "PutRecords", "200", fmt.Sprintf(`{"FailedRecordCount":%d,"Records":[%s]}`, strings.Count(records, "ErrorMessage"), records))
		assert.Equal(t, want, status, records)
	}
}

func TestW3OneEventIsStoredInOneFormByBothRoutes(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	for _, event := range []string{`{"data":"abc"}`, `{"data":{"a":[1,"b"]}}`, `{"data":"{\"a\":1}"}`} {
		single, batched := a.records(t, event, nil)
		assert.Equal(t, event, string(single.Data))
		assert.Equal(t, event, string(batched.Data))
	}
}

func TestW4NoKeyAddsAFieldOrARecord(t *testing.T) {
	a := newRenderedAPI(t, keyed)
	for _, key := range []string{`k","ExplicitHashKey":"0`, `k"},{"Data":"eA==","PartitionKey":"z`, `"`, `\`, `'`, `\'`, `\\'"`, "$key", "#end"} {
		// decode and records refuse further fields and further records.
		single, batched := a.records(t, `{"device_id":`+quoted(t, key)+`}`, nil)
		assert.Equal(t, key, single.PartitionKey)
		assert.Equal(t, key, batched.PartitionKey)
		single, batched = a.records(t, `{"a":1}`, map[string]string{"X-Device": key})
		assert.Equal(t, key, single.PartitionKey)
		assert.Equal(t, key, batched.PartitionKey)
	}
}

func TestW5APartitionKeyHas1To256Characters(t *testing.T) {
	a := newRenderedAPI(t, keyed)
	for key, want := range map[string]string{
		"":                       requestID,
		strings.Repeat("k", 256): strings.Repeat("k", 256),
		strings.Repeat("k", 257): strings.Repeat("k", 256),
		strings.Repeat("'", 999): strings.Repeat("'", 256),
	} {
		single, _ := a.records(t, `{"device_id":`+quoted(t, key)+`}`, nil)
		assert.Equal(t, want, single.PartitionKey)
	}
}

func TestW6ABatchOfMoreThanKinesisTakesIsRefusedAtTheDoorAndARecordTooLargeIsToldSo(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	schema := model(t, find[deletable](t, stack, "AWS::ApiGateway::Model"), methodsByPath(t, stack)["POST /events/batch"])
	batch := func(n int) string {
		return `{"events":[` + strings.TrimSuffix(strings.Repeat(`{"a":1},`, n), ",") + `]}`
	}
	assert.True(t, accepts(t, schema, batch(500)))
	assert.False(t, accepts(t, schema, batch(501)))

	a := newRenderedAPI(t, ingest.Route{})
	status, _, body := a.answer(t, "PutRecord", "400", `{"__type":"ValidationException","message":"Value at 'data' failed to satisfy constraint: Member must have length less than or equal to 1048576"}`)
	assert.Equal(t, "413", status)
	assert.Contains(t, string(body), "1 MiB")
}

func TestW7AnEmptyBatchIsRefusedAtTheDoor(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	schema := model(t, find[deletable](t, stack, "AWS::ApiGateway::Model"), methodsByPath(t, stack)["POST /events/batch"])
	assert.False(t, accepts(t, schema, `{"events":[]}`))
	assert.False(t, accepts(t, schema, `{}`))
}

func TestW8NoContentTypePassesByTheSchema(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{HealthPath: "/health"})
	for name, m := range methodsByPath(t, stack) {
		assert.Equal(t, "NEVER", m.Properties.Integration.PassthroughBehavior, name)
		for kind := range m.Properties.Integration.RequestTemplates {
			assert.Equal(t, "application/json", kind, name)
		}
		if strings.HasPrefix(name, "POST ") {
			assert.Contains(t, m.Properties.RequestModels, "application/json", name)
			assert.NotNil(t, m.Properties.RequestValidatorId, name)
		}
	}
}

func TestW9AnErrorIsJSONWithACodeARequestIdARetryAfterAndCORS(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{Cors: pages("https://app.example.com")})
	retried := map[string]string{"429": "'1'", "503": "'1'"}
	for name, m := range methodsByPath(t, stack) {
		if !strings.HasPrefix(name, "POST ") {
			continue
		}
		for _, r := range m.Properties.Integration.IntegrationResponses {
			if !strings.HasPrefix(r.StatusCode, "2") {
				assert.Contains(t, r.ResponseTemplates["application/json"], `{"error":{"code":`, name)
				assert.Contains(t, r.ResponseTemplates["application/json"], `"request_id":"$context.requestId"`, name)
			}
			assert.Equal(t, "'application/json'", r.ResponseParameters["method.response.header.Content-Type"])
			assert.Equal(t, "'https://app.example.com'", r.ResponseParameters["method.response.header.Access-Control-Allow-Origin"])
			assert.Equal(t, retried[r.StatusCode], r.ResponseParameters["method.response.header.Retry-After"])
		}
	}
}

func TestW10AnEventIsEncodedOnce(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	for action, m := range methods(t, stack) {
		text := m.Properties.Integration.RequestTemplates["application/json"]
		assert.Len(t, regexp.MustCompile(`"Data": "\$util\.base64Encode\(`).FindAllString(text, -1), 1, action)
	}
	// What is base64 in an event stays it. That events are apart in the lake is not the API's: the
	// transformer ends each with a line feed.
	a := newRenderedAPI(t, ingest.Route{})
	event := `{"image":"` + base64.StdEncoding.EncodeToString([]byte{0xff, 0, 1}) + `"}`
	single, batched := a.records(t, event, nil)
	assert.Equal(t, event, string(single.Data))
	assert.Equal(t, event, string(batched.Data))
}

// Bytes are sacred, hence nothing is added to an event. What tells of its way stands beside it: the record's arrival time and
// sequence number are Kinesis's own, and the request id is the partition key where the client gives none, in
// the answer and in the access log.
func TestW11ARecordIsTracedToItsRequest(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	single, batched := a.records(t, `{"a":1}`, nil)
	assert.Equal(t, requestID, single.PartitionKey)
	assert.Equal(t, requestID+"/1", batched.PartitionKey)
	_, _, answer := a.answer(t, "PutRecord", "200", stored)
	assert.Contains(t, string(answer), `"request_id":"`+requestID+`"`)

	stack, _ := newAPI(ingest.IngestApiProps{})
	for _, stage := range find[deletable](t, stack, "AWS::ApiGateway::Stage") {
		log, ok := stage.Properties["AccessLogSetting"].(map[string]any)
		require.True(t, ok)
		assert.Contains(t, log["Format"], `"request_id":"$context.requestId"`)
	}
}
