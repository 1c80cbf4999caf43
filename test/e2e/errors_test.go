package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
	"github.com/millrace-cdk/millrace/local/faultproxy"
	"github.com/millrace-cdk/millrace/test/mdtable"
)

// errorCase makes the deployed API answer with an error. It returns several answers where one row has several ways to it.
type errorCase func(t *testing.T) []reply

// errorCases are by what docs/ingest.md calls them.
func errorCases(t *testing.T) map[string]errorCase {
	const kind, key = "Content-Type", "X-Api-Key"
	good := map[string]string{kind: "application/json", key: os.Getenv("API_KEY")}
	with := func(name, value string) map[string]string {
		changed := maps.Clone(good)
		changed[name] = value
		return changed
	}
	request := func(path, body string, headers map[string]string) errorCase {
		return func(t *testing.T) []reply { return []reply{exchange(t, http.MethodPost, path, []byte(body), headers)} }
	}
	posts := func(path string, bodies ...string) errorCase {
		return func(t *testing.T) (all []reply) {
			for _, body := range bodies {
				all = append(all, exchange(t, http.MethodPost, path, []byte(body), good))
			}
			return all
		}
	}
	const one, many, event, two = "/events", "/events/batch", `{"a":1}`, `{"events":[{"a":1},{"a":2}]}`
	stream := newTrouble(t)
	// both routes meet the trouble.
	both := func(codes ...string) errorCase {
		return func(t *testing.T) (all []reply) {
			for _, code := range codes {
				all = append(all,
					stream.meet(t, faultproxy.Rule{Error: code}, one, event),
					stream.meet(t, faultproxy.Rule{Error: code}, many, two))
			}
			return all
		}
	}
	failing := func(fail func(int) string) errorCase {
		return func(t *testing.T) []reply {
			return []reply{stream.meet(t, faultproxy.Rule{FailRecord: fail}, many, two)}
		}
	}
	return map[string]errorCase{
		"a body that is not JSON": posts(one, `{"a":`, `a=1`, `{'a':1}`),

		"no body": func(t *testing.T) []reply { return append(posts(one, "", " ")(t), posts(many, "")(t)...) },

		"a body that is not UTF-8": posts(one, "{\"a\":\"\xff\"}"),

		"an event that is an array, a string or null": posts(one, `[{"a":1}]`, `"a"`, `null`, `1`),

		"an event without a member": posts(one, `{}`),

		"a batch that is not JSON": posts(many, `{"events":[}`),

		"a batch without `events`": posts(many, `{"a":1}`, `{}`, `[]`),

		"a batch with another member": posts(many, `{"events":[{"a":1}],"b":1}`),

		"a batch of what is not objects": posts(many, `{"events":["a"]}`, `{"events":{"a":1}}`, `{"events":[{"a":1},null]}`),

		"a batch with an empty event": posts(many, `{"events":[{"a":1},{}]}`),

		"an empty batch": posts(many, `{"events":[]}`),

		"a batch of more than 500 events": posts(many, `{"events":[`+strings.Repeat(event+",", 500)+event+`]}`),

		"Kinesis refuses the request for another reason than its size": func(t *testing.T) (all []reply) {
			const pattern = `1 validation error detected: Value '340282366920938463463374607431768211456' at 'explicitHashKey' failed to satisfy constraint: ` +
				`Member must satisfy regular expression pattern: 0|([1-9]\d{0,38})`
			for _, code := range []string{faultproxy.Validation, faultproxy.InvalidArgument} {
				rule := faultproxy.Rule{Error: code, Message: pattern}
				all = append(all, stream.meet(t, rule, one, event), stream.meet(t, rule, many, two))
			}
			return all
		},

		"no key":         request(one, event, map[string]string{kind: "application/json"}),
		"a wrong key":    request(one, event, with(key, "guessed")),
		"no such path":   request("/event", event, good),
		"no such method": func(t *testing.T) []reply { return []reply{exchange(t, http.MethodGet, one, nil, good)} },

		"an event above 1 MiB":              posts(one, string(oversized(1<<20+1))),
		"a batch with an event above 1 MiB": posts(many, `{"events":[`+event+`,`+string(oversized(1<<20+1))+`]}`),
		"a batch above what Kinesis takes at once": func(t *testing.T) []reply {
			onlyLocal(t) // on AWS as much as a request may have
			return posts(many, `{"events":[`+strings.Repeat(string(oversized(1_000_000))+",", 5)+string(oversized(1_000_000))+`]}`)(t)
		},
		"a request above 10 MB": posts(one, string(oversized(10<<20+1))),
		"another content type than JSON": func(t *testing.T) []reply {
			return append(request(one, "a=1", with(kind, "application/x-www-form-urlencoded"))(t), request(many, two, with(kind, "text/plain"))(t)...)
		},
		"a content coding other than gzip and deflate, or a body that is not in it": func(t *testing.T) []reply {
			return append(request(one, event, with("Content-Encoding", "br"))(t), request(one, event, with("Content-Encoding", "gzip"))(t)...)
		},

		"more requests than the key's or the API's rate": func(t *testing.T) []reply {
			return []reply{throttled(t, with(key, slowKey(t)))}
		},
		"the stream takes no more":                           both(faultproxy.Throttled),
		"the stream takes nothing of a batch":                failing(faultproxy.EveryRecord(faultproxy.Throttled)),
		"KMS takes no more":                                  both(faultproxy.KMSThrottled),
		"every event of a batch fails, not all for the rate": failing(func(i int) string { return []string{faultproxy.Throttled, faultproxy.Internal}[i] }),
		"Kinesis fails":                                      both(faultproxy.Internal, faultproxy.Unavailable),
		"the API may not write to the stream":                both(faultproxy.AccessDenied, faultproxy.KMSAccessDenied),
		"the stream is not there":                            both(faultproxy.NoStream),
		"the stream's key may not be used":                   both(faultproxy.KMSDisabled),
		"Kinesis does not answer in 29 s": func(t *testing.T) []reply {
			return []reply{stream.meet(t, faultproxy.Rule{Hang: true}, one, event)}
		},
	}
}

func TestEveryErrorOfDocsIngestIsAnsweredSoAndLeavesNothingInTheStream(t *testing.T) {
	client := kinesis.NewFromConfig(awsConfig(t))
	before, err := atrest.StreamRecords(t.Context(), client, os.Getenv("STREAM_NAME"))
	require.NoError(t, err)

	page := filepath.Join(root, "docs", "ingest.md")
	rows, messages := mdtable.Rows(t, page, "errors"), mdtable.Rows(t, page, "messages")
	cases := errorCases(t)
	promised := contract(t)
	for _, row := range rows {
		when, status, code := row[0], row[1], row[2]
		t.Run(when, func(t *testing.T) {
			answers, ok := cases[when]
			require.True(t, ok, "docs/ingest.md has a row that no case is for")
			delete(cases, when)
			status, retry := strings.CutSuffix(status, ", Retry-After")
			for _, answer := range answers(t) {
				said := answer.failure(t)
				assert.Equal(t, status, strconv.Itoa(answer.status), answer.body)
				assert.Equal(t, code, said.Code, answer.body)
				assert.Contains(t, messages, []string{code, said.Message}, "docs/ingest.md has another message")
				assert.NotEmpty(t, said.RequestID, answer.body)
				assert.Equal(t, said.RequestID, answer.header.Get("x-amzn-RequestId"))
				assert.Equal(t, "application/json", answer.header.Get("Content-Type"))
				assert.Equal(t, retry, answer.header.Get("Retry-After") != "", "Retry-After is %q", answer.header.Get("Retry-After"))
				for _, internal := range []string{"arn:", "shardId-", os.Getenv("STREAM_NAME"), "000000000000", "node_modules", "goroutine"} {
					assert.NotContains(t, answer.body, internal)
				}
				if answer.status != http.StatusNotFound { // which is of what the contract does not have
					promised.holds(t, answer)
				}
			}
		})
	}
	for when := range cases {
		t.Errorf("docs/ingest.md has no row for the case %q", when)
	}

	after, err := atrest.StreamRecords(t.Context(), client, os.Getenv("STREAM_NAME"))
	require.NoError(t, err)
	assert.Equal(t, before, after, "records in the stream")
}

func TestOfABatchThatFailsInPartEachEventHasItsResult(t *testing.T) {
	db := database(t)
	var ids []string
	var bodies [][]byte
	for i := range 4 {
		id, body := newEvent(fmt.Sprintf(`"i":%d`, i))
		ids, bodies = append(ids, id), append(bodies, body)
	}
	answer := newTrouble(t).meet(t, faultproxy.Rule{FailRecord: func(i int) string {
		return []string{"", faultproxy.Throttled, "", faultproxy.Internal}[i]
	}}, "/events/batch", string(batch(bodies...)))

	assert.Equal(t, http.StatusMultiStatus, answer.status)
	var told struct {
		RequestID string `json:"request_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer.body), &told))
	assert.JSONEq(t, fmt.Sprintf(`{"accepted":2,"failed":2,"request_id":%q,"results":[
		{"index":0,"status":202,"error":null,"retryable":false},
		{"index":1,"status":429,"error":"throttled","retryable":true},
		{"index":2,"status":202,"error":null,"retryable":false},
		{"index":3,"status":503,"error":"unavailable","retryable":true}]}`, told.RequestID), answer.body)
	contract(t).holds(t, answer)

	// What has to be sent again is sent again, and all are there once.
	status, text := post(t, "/events/batch", batch(bodies[1], bodies[3]))
	require.Equal(t, http.StatusAccepted, status, text)
	for i, id := range ids {
		assertSameValue(t, bodies[i], []byte(payload(t, db, id)), "in Postgres")
	}
}

// failure is the one shape of every error.
type failure struct{ Code, Message, RequestID string }

func (r reply) failure(t *testing.T) failure {
	t.Helper()
	var shape struct {
		Error struct {
			Code      string `json:"code"`
			Message   string `json:"message"`
			RequestID string `json:"request_id"`
		} `json:"error"`
	}
	decoder := json.NewDecoder(strings.NewReader(r.body))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&shape), r.body)
	return failure(shape.Error)
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

func TestACompressedEventIsStoredAsItWasBefore(t *testing.T) {
	id, body := newEvent(`"n":1.10`)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write(body)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	answer := exchange(t, http.MethodPost, "/events", packed.Bytes(), map[string]string{
		"Content-Type": "application/json", "Content-Encoding": "gzip", "X-Api-Key": os.Getenv("API_KEY"),
	})
	require.Equal(t, http.StatusAccepted, answer.status, answer.body)
	assertOneMemberMore(t, body, lake(t, []string{id})[id])
}
