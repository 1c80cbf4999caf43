package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/faultproxy"
	"github.com/millrace-cdk/millrace/local/gateway"
)

// What Kinesis says becomes the client's answer by templates like those of constructs/ingest.
const (
	refusedTemplate = `#set($type = $input.path('$.__type'))
#if($type.contains("Throughput"))#set($context.responseOverride.status = 429)#set($context.responseOverride.header.Retry-After = "1"){"error":"throttled"}
#elseif($type.contains("Validation")){"error":"refused"}
#else#set($context.responseOverride.status = 502){"error":"backend"}
#end`
	acceptedTemplate = `#set($failed = $input.path('$.FailedRecordCount'))
#set($throttled = 0)#set($total = 0)
#foreach($r in $input.path('$.Records'))#set($total = $total + 1)#if($r.ErrorCode == "ProvisionedThroughputExceededException")#set($throttled = $throttled + 1)#end#end
#if($failed == 0){"accepted":$total}
#elseif($throttled == $total)#set($context.responseOverride.status = 429)#set($context.responseOverride.header.Retry-After = "1"){"error":"throttled"}
#elseif($failed == $total)#set($context.responseOverride.status = 503){"error":"unavailable"}
#else#set($context.responseOverride.status = 207)[#foreach($r in $input.path('$.Records'))"#if($r.ErrorCode)$r.ErrorCode#else ok#end"#if($foreach.hasNext),#end#end]
#end`
)

func TestWhatKinesisAnswersUnderTroubleIsTheClients(t *testing.T) {
	config, _ := startGateway(t)
	stream := newStream(t, config)
	proxy, err := faultproxy.Start(t.Context(), *config.BaseEndpoint)
	require.NoError(t, err)
	url := proxy.URL()
	behind := config.Copy()
	behind.BaseEndpoint = &url
	g, err := gateway.Start(t.Context(), gateway.Config{AWS: behind, Log: log(t)})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, g.Close())
		assert.NoError(t, proxy.Close())
	})
	a := newAPI(t, config, g)
	for path, uri := range map[string]string{"/events": putRecord, "/events/batch": putRecords} {
		request, accepted := eventRequest, `{"accepted":1}`
		if uri == putRecords {
			request, accepted = batchRequest, acceptedTemplate
		}
		a.add(t, method{
			verb: "POST", path: path, uri: uri, timeout: 300, request: map[string]string{"application/json": request},
			responses: []answer{
				{status: "202", pattern: "2..", template: accepted},
				{status: "400", pattern: "4..", template: refusedTemplate},
				{status: "503", template: `{"error":"unavailable"}`},
			},
		})
	}
	a.deploy(t)
	batch := `{"events":[{"n":0},{"n":1},{"n":2},{"n":3}]}`

	for _, tt := range []struct {
		name   string
		rule   faultproxy.Rule
		path   string
		want   string
		retry  string
		stored []string
	}{
		{"a throttled event", faultproxy.Rule{Error: faultproxy.Throttled}, "/events", `429 {"error":"throttled"}`, "1", nil},
		{"a throttled request of a batch", faultproxy.Rule{Error: faultproxy.Throttled}, "/events/batch", `429 {"error":"throttled"}`, "1", nil},
		{"a partial failure", faultproxy.Rule{FailRecord: func(i int) string {
			return []string{"", faultproxy.Throttled, "", faultproxy.Internal}[i]
		}}, "/events/batch", `207 ["ok","ProvisionedThroughputExceededException","ok","InternalFailure"]`, "", []string{`{"n":0}`, `{"n":2}`}},
		{"every record throttled", faultproxy.Rule{FailRecord: faultproxy.EveryRecord(faultproxy.Throttled)}, "/events/batch", `429 {"error":"throttled"}`, "1", nil},
		{"every record failed", faultproxy.Rule{FailRecord: faultproxy.EveryRecord(faultproxy.Internal)}, "/events/batch", `503 {"error":"unavailable"}`, "", nil},
		{"validation", faultproxy.Rule{Error: faultproxy.Validation}, "/events", `400 {"error":"refused"}`, "", nil},
		{"no access to the stream", faultproxy.Rule{Error: faultproxy.AccessDenied}, "/events", `502 {"error":"backend"}`, "", nil},
		{"no access to the key", faultproxy.Rule{Error: faultproxy.KMSAccessDenied}, "/events/batch", `502 {"error":"backend"}`, "", nil},
		{"a disabled key", faultproxy.Rule{Error: faultproxy.KMSDisabled}, "/events", `502 {"error":"backend"}`, "", nil},
		{"no stream", faultproxy.Rule{Error: faultproxy.NoStream}, "/events", `502 {"error":"backend"}`, "", nil},
		{"an internal failure", faultproxy.Rule{Error: faultproxy.Internal}, "/events", `503 {"error":"unavailable"}`, "", nil},
		{"no service", faultproxy.Rule{Error: faultproxy.Unavailable}, "/events/batch", `503 {"error":"unavailable"}`, "", nil},
		// The integration's timeoutInMillis, 29 s by default.
		// https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html
		{"no answer within the integration's timeout", faultproxy.Rule{Hang: true}, "/events", `504 {"message":"Endpoint request timed out"}`, "", nil},
		{"a rule for the other operation", faultproxy.Rule{Operation: "PutRecords", Error: faultproxy.Throttled}, "/events", `202 {"accepted":1}`, "", []string{batch}},
		{"no trouble any more", faultproxy.Rule{}, "/events/batch", `202 {"accepted":4}`, "", []string{`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			proxy.Set(tt.rule)
			got := a.post(t, tt.path, batch)
			assert.Equal(t, tt.want, fmt.Sprint(got.status, " ", strings.TrimSpace(strings.ReplaceAll(got.body, `" ok`, `"ok`))))
			assert.Equal(t, tt.retry, got.header.Get("Retry-After"))
			assert.Equal(t, tt.stored, stream.next(t))
			for _, inside := range []string{"000000000000", "arn:", "shardId", "Exception:"} {
				assert.NotContains(t, got.body, inside)
			}
		})
	}

	proxy.Clear()
	require.NoError(t, proxy.Close())
	got := a.post(t, "/events", `{}`)
	assert.Equal(t, http.StatusGatewayTimeout, got.status)
	assert.Equal(t, `{"message":"Network error communicating with endpoint"}`, got.body, "the backend is gone")
}
