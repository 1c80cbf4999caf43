package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/ingest/corpus"
	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

const requestID = "0c5b1c9e-6a54-4c0e-9d0e-3f6f1f6f7a11"

type record struct {
	Data            []byte // encoding/json reads base64
	PartitionKey    string
	ExplicitHashKey string
}

type putRecord struct {
	StreamName string
	record
}

type putRecords struct {
	StreamName string
	Records    []record
}

// decode reads a rendered text as a Kinesis request: one JSON value, with no member
// but those of T.
func decode[T any](t *testing.T, text string) (request T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&request), text)
	require.False(t, decoder.More(), "something follows the request: %s", text)
	return request
}

// values is a JSON text with its numbers as exact fractions, so that 1.10 equals 1.1
// and 9007199254740993 does not equal 9007199254740992.
func values(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	require.NoError(t, decoder.Decode(&v), "%s", text)
	return exact(t, v)
}

func exact(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case json.Number:
		fraction, ok := new(big.Rat).SetString(v.String())
		require.True(t, ok, v)
		return "number " + fraction.RatString()
	case map[string]any:
		for key, member := range v {
			v[key] = exact(t, member)
		}
	case []any:
		for i, element := range v {
			v[i] = exact(t, element)
		}
	case string:
		return "string " + v
	}
	return v
}

// api is a deployed API whose templates are rendered as the local gateway does.
type api struct {
	engine  *vtl.Engine
	methods map[string]method
}

func newRenderedAPI(t *testing.T, route ingest.Route) api {
	t.Helper()
	engine, err := vtl.New(t.Context(), vtl.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })
	route.Path = "/events"
	stack, _ := newAPI(ingest.IngestApiProps{Routes: []ingest.Route{route}})
	return api{engine, methods(t, stack)}
}

func (a api) render(t *testing.T, template string, body []byte, headers map[string]string) vtl.Result {
	t.Helper()
	result, err := a.engine.Render(t.Context(), vtl.Request{
		Name: t.Name(), Template: template, Body: body, Headers: headers,
		// A parameter of a key's header's name must not pass for the header.
		Query: map[string]string{"X-Device": "of the query"}, Path: map[string]string{"X-Device": "of the path"},
		Context: map[string]any{"requestId": requestID},
	})
	require.NoError(t, err)
	return result
}

// request is what Kinesis gets for a client's body.
func (a api) request(t *testing.T, action string, body []byte, headers map[string]string) string {
	t.Helper()
	return a.render(t, a.methods[action].Properties.Integration.RequestTemplates["application/json"], body, headers).Text
}

// records are those that Kinesis gets for an event, by each route.
func (a api) records(t *testing.T, event string, headers map[string]string) (single, batched record) {
	t.Helper()
	batch := decode[putRecords](t, a.request(t, "PutRecords", []byte(`{"events":[{"first":true},`+event+`]}`), headers))
	require.Len(t, batch.Records, 2)
	return decode[putRecord](t, a.request(t, "PutRecord", []byte(event), headers)).record, batch.Records[1]
}

// answer is what a client gets for Kinesis's status and body.
func (a api) answer(t *testing.T, action, status, body string) (string, map[string]string, []byte) {
	t.Helper()
	m := a.methods[action].Properties
	response := selected(t, m.Integration.IntegrationResponses, status)
	result := a.render(t, response.ResponseTemplates["application/json"], []byte(body), nil)

	headers := map[string]string{}
	for parameter, value := range response.ResponseParameters {
		headers[strings.TrimPrefix(parameter, "method.response.header.")] = strings.Trim(value, "'")
	}
	for name, value := range result.Headers {
		headers[name] = value
	}
	if result.Status != 0 {
		return strconv.Itoa(result.Status), headers, []byte(result.Text)
	}
	return response.StatusCode, headers, []byte(result.Text)
}

func TestASingleEventIsStoredByteForByte(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	for _, event := range corpus.Events() {
		got := decode[putRecord](t, a.request(t, "PutRecord", []byte(event.Body), nil))
		assert.Equal(t, "events", got.StreamName, event.Name)
		assert.Equal(t, event.Body, string(got.Data), event.Name)
		assert.Equal(t, requestID, got.PartitionKey, event.Name)
	}
}

func TestABatchIsStoredValueForValue(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	events := corpus.Events()
	bodies := make([]string, len(events))
	for i, event := range events {
		bodies[i] = event.Body
	}

	got := decode[putRecords](t, a.request(t, "PutRecords", []byte(`{"events":[`+strings.Join(bodies, ",")+`]}`), nil))

	assert.Equal(t, "events", got.StreamName)
	require.Len(t, got.Records, len(events))
	for i, event := range events {
		assert.Equal(t, values(t, []byte(event.Body)), values(t, got.Records[i].Data), event.Name)
	}
}

func TestABatchSpreadsOverTheShards(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	for _, size := range []int{1, 2, 500} {
		batch := `{"events":[` + strings.TrimSuffix(strings.Repeat(`{"a":1},`, size), ",") + `]}`

		got := decode[putRecords](t, a.request(t, "PutRecords", []byte(batch), nil))

		require.Len(t, got.Records, size)
		keys := map[string]bool{}
		for _, r := range got.Records {
			assert.LessOrEqual(t, len(r.PartitionKey), 256, "Kinesis takes up to 256 characters")
			assert.True(t, strings.HasPrefix(r.PartitionKey, requestID+"/"), r.PartitionKey)
			keys[r.PartitionKey] = true
		}
		assert.Len(t, keys, size, "each record has a key of its own")
	}
}

func TestAnAcceptedEventIsToldSo(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	status, headers, body := a.answer(t, "PutRecord", "200", `{"SequenceNumber":"1","ShardId":"shardId-000000000000","EncryptionType":"KMS"}`)
	assert.Equal(t, "202", status)
	assert.Equal(t, map[string]string{"Content-Type": "application/json"}, headers)
	assert.JSONEq(t, `{"accepted":1,"request_id":"`+requestID+`"}`, string(body))
}

const (
	stored    = `{"SequenceNumber":"1","ShardId":"shardId-000000000000"}`
	slowed    = `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded for shard shardId-000000000001 in stream events under account 111122223333."}`
	broken    = `{"ErrorCode":"InternalFailure","ErrorMessage":"Internal Service Failure"}`
	nullError = `{"SequenceNumber":"1","ShardId":"shardId-000000000000","ErrorCode":null,"ErrorMessage":null}`
)

func TestABatchIsToldOfEachEvent(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	const id = `"request_id":"` + requestID + `"`
	for name, c := range map[string]struct {
		records, status, body, retryAfter string
	}{
		"all stored":              {stored + "," + nullError, "202", `{"accepted":2,` + id + `}`, ""},
		"some failed":             {stored + "," + slowed + "," + broken + "," + nullError, "207", `{"accepted":2,"failed":2,` + id + `,"results":[` + `{"index":0,"status":202,"error":null,"retryable":false},` + `{"index":1,"status":429,"error":"throttled","retryable":true},` + `{"index":2,"status":503,"error":"unavailable","retryable":true},` + `{"index":3,"status":202,"error":null,"retryable":false}]}`, ""},
		"all throttled":           {slowed + "," + slowed, "429", "", "1"},
		"all failed":              {broken + "," + broken, "503", "", "1"},
		"all failed, not one way": {slowed + "," + broken, "503", "", "1"},
		"no records at all":       {"", "503", "", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			failed := strings.Count(c.records, `"ErrorCode":"`)
			status, headers, body := a.answer(t, "PutRecords", "200", fmt.Sprintf(`{"FailedRecordCount":%d,"Records":[%s]}`, failed, c.records))

			assert.Equal(t, c.status, status)
			assert.Equal(t, c.retryAfter, headers["Retry-After"])
			if c.body != "" {
				assert.JSONEq(t, c.body, string(body))
				return
			}
			assertFailure(t, map[string]string{"429": "throttled", "503": "unavailable"}[status], body)
		})
	}
}

func TestABatchOf500IsToldOfEachEvent(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	records := strings.Repeat(stored+","+slowed+",", 250)
	status, _, body := a.answer(t, "PutRecords", "200", `{"FailedRecordCount":250,"Records":[`+strings.TrimSuffix(records, ",")+`]}`)

	assert.Equal(t, "207", status)
	var got struct {
		Accepted, Failed int
		Results          []struct{ Index, Status int }
	}
	require.NoError(t, json.Unmarshal(body, &got))
	assert.Equal(t, 250, got.Accepted)
	assert.Equal(t, 250, got.Failed)
	require.Len(t, got.Results, 500)
	for i, result := range got.Results {
		assert.Equal(t, i, result.Index)
		assert.Equal(t, []int{202, 429}[i%2], result.Status)
	}
}

func TestAnErrorOfKinesisIsTold(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{})
	const message = "arn:aws:kinesis:eu-west-1:111122223333:stream/events"
	for _, c := range []struct{ backend, body, status, code, retryAfter string }{
		{"400", `{"__type":"ProvisionedThroughputExceededException","message":"` + message + `"}`, "429", "throttled", "1"},
		{"400", `{"__type":"com.amazonaws.kinesis.v20131202#ProvisionedThroughputExceededException","message":"` + message + `"}`, "429", "throttled", "1"},
		{"400", `{"__type":"LimitExceededException","message":"` + message + `"}`, "429", "throttled", "1"},
		{"400", `{"__type":"KMSThrottlingException","message":"` + message + `"}`, "429", "throttled", "1"},
		{"400", `{"__type":"ThrottlingException"}`, "429", "throttled", "1"},
		// The two texts by which Kinesis refuses a record and a request for their size.
		{"400", `{"__type":"ValidationException","message":"1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to 1048576"}`, "413", "too_large", ""},
		{"400", `{"__type":"InvalidArgumentException","message":"Records size exceeds 5 MB limit"}`, "413", "too_large", ""},
		{"400", `{"__type":"ValidationException","message":"` + message + `"}`, "400", "refused", ""},
		{"400", `{"__type":"ValidationException"}`, "400", "refused", ""},
		{"400", `{"__type":"KMSAccessDeniedException","message":"` + message + `"}`, "502", "backend_error", ""},
		{"400", `{"__type":"KMSDisabledException","message":"` + message + `"}`, "502", "backend_error", ""},
		{"400", `{"__type":"AccessDeniedException","Message":"` + message + `"}`, "502", "backend_error", ""},
		{"400", `{"__type":"ResourceNotFoundException","message":"` + message + `"}`, "502", "backend_error", ""},
		{"400", `{"__type":"SerializationException"}`, "502", "backend_error", ""},
		{"400", `{"__type":null}`, "502", "backend_error", ""},
		{"400", `{}`, "502", "backend_error", ""},
		{"403", `{"__type":"InvalidSignatureException"}`, "502", "backend_error", ""},
		{"404", `<html>`, "502", "backend_error", ""},
		{"413", `<html>`, "413", "too_large", ""},
		{"429", `{}`, "429", "throttled", "1"},
		{"500", `{"__type":"InternalFailure"}`, "503", "unavailable", "1"},
		{"503", ``, "503", "unavailable", "1"},
		{"504", `<html>`, "503", "unavailable", "1"},
	} {
		for _, action := range []string{"PutRecord", "PutRecords"} {
			t.Run(action+" "+c.backend+" "+c.body, func(t *testing.T) {
				status, headers, body := a.answer(t, action, c.backend, c.body)
				assert.Equal(t, c.status, status)
				assert.Equal(t, c.retryAfter, headers["Retry-After"])
				assert.Equal(t, "application/json", headers["Content-Type"])
				assertFailure(t, c.code, body)
			})
		}
	}
}

// assertFailure holds body against the one shape of an error, which names nothing
// of what stands behind the API.
func assertFailure(t *testing.T, code string, body []byte) {
	t.Helper()
	got := decode[failure](t, string(body))
	assert.Equal(t, code, got.Error.Code)
	assert.NotEmpty(t, got.Error.Message)
	assert.Equal(t, requestID, got.Error.RequestID)
	for _, internal := range []string{"arn:", "events\"", "111122223333", "Exception", "shardId"} {
		assert.NotContains(t, string(body), internal)
	}
}
