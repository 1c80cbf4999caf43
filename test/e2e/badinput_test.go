package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
)

func TestBadInputGetsItsStatusAndASentenceAndLeavesNothingInTheStream(t *testing.T) {
	client := kinesis.NewFromConfig(awsConfig(t))
	before, err := atrest.StreamRecords(t.Context(), client, os.Getenv("STREAM_NAME"))
	require.NoError(t, err)

	const contentType, key = "Content-Type", "X-Api-Key"
	good := map[string]string{contentType: "application/json", key: os.Getenv("API_KEY")}
	for _, c := range []struct {
		name, method, path string
		body               []byte
		headers            map[string]string
		status             int
		says               string
	}{
		{"not JSON", "POST", "/events", []byte(`{"a":`), good, 400, "JSON"},
		{"no body", "POST", "/events", nil, good, 400, "JSON"},
		{"not UTF-8", "POST", "/events", []byte("{\"a\":\"\xff\"}"), good, 400, "JSON"},
		{"an array", "POST", "/events", []byte(`[{"a":1}]`), good, 400, "object"},
		{"a string", "POST", "/events", []byte(`"a"`), good, 400, "object"},
		{"null", "POST", "/events", []byte(`null`), good, 400, "object"},
		{"batch not JSON", "POST", "/events/batch", []byte(`{"events":[}`), good, 400, "JSON"},
		{"batch without events", "POST", "/events/batch", []byte(`{"a":1}`), good, 400, "events"},
		{"batch of strings", "POST", "/events/batch", []byte(`{"events":["a"]}`), good, 400, "object"},
		{"empty batch", "POST", "/events/batch", []byte(`{"events":[]}`), good, 400, "500"},
		{"batch of 501", "POST", "/events/batch", batch(bytes.Split(bytes.Repeat([]byte(",{}"), 501)[1:], []byte(","))...), good, 400, "500"},
		{"no key", "POST", "/events", []byte(`{}`), map[string]string{contentType: "application/json"}, 403, "x-api-key"},
		{"wrong key", "POST", "/events", []byte(`{}`), map[string]string{contentType: "application/json", key: "guessed"}, 403, "x-api-key"},
		{"wrong content type", "POST", "/events", []byte(`a=1`), map[string]string{contentType: "application/x-www-form-urlencoded", key: os.Getenv("API_KEY")}, 415, "application/json"},
		{"above API Gateway's limit", "POST", "/events", oversized(10<<20 + 1), good, 413, ""},
		{"above a record's limit", "POST", "/events", oversized(1<<20 + 1), good, 413, "1 MiB"},
		{"unknown path", "POST", "/event", []byte(`{}`), good, 404, "/events"},
		{"unknown method", "GET", "/events", nil, good, 404, "POST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, answer := send(t, c.method, c.path, c.body, c.headers)
			assert.Equal(t, c.status, status, answer)
			var shape struct {
				Error struct {
					Code      string `json:"code"`
					Message   string `json:"message"`
					RequestID string `json:"request_id"`
				} `json:"error"`
			}
			require.NoError(t, json.Unmarshal([]byte(answer), &shape), answer)
			assert.NotEmpty(t, shape.Error.Code, answer)
			assert.NotEmpty(t, shape.Error.RequestID, answer)
			assert.Contains(t, shape.Error.Message, c.says, answer)
			assert.NotContains(t, answer, "goroutine")
			assert.NotContains(t, answer, "node_modules")
			assert.NotContains(t, answer, "arn:")
		})
	}

	after, err := atrest.StreamRecords(t.Context(), client, os.Getenv("STREAM_NAME"))
	require.NoError(t, err)
	assert.Equal(t, before, after, "records in the stream")
}

// oversized is an event of n bytes.
func oversized(n int) []byte {
	const head, tail = `{"text":"`, `"}`
	return []byte(head + string(bytes.Repeat([]byte("x"), n-len(head)-len(tail))) + tail)
}

func TestARecordOfJustTheLimitIsTaken(t *testing.T) {
	// A record's limit counts data and partition key together.
	status, answer := post(t, "/events", oversized(1<<20-256))
	assert.Equal(t, http.StatusAccepted, status, answer)
}
