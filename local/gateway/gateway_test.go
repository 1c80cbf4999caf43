package gateway_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/gateway"
)

// The templates are like those of constructs/ingest, whose own are tested there and end to end.
const (
	putRecord  = "arn:aws:apigateway:eu-west-1:kinesis:action/PutRecord"
	putRecords = "arn:aws:apigateway:eu-west-1:kinesis:action/PutRecords"

	eventRequest = `{"StreamName": "events", "Data": "$util.base64Encode($input.body)", "PartitionKey": "$context.requestId"}`
	batchRequest = `{"StreamName": "events", "Records": [
#foreach($e in $input.path('$.events'))
{"Data": "$util.base64Encode($input.json("$.events[$foreach.index]"))", "PartitionKey": "$context.requestId/$foreach.index"}#if($foreach.hasNext),#end

#end
]}`
	eventModel = `{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "minProperties": 1}`
	batchModel = `{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["events"], "additionalProperties": false,
		"properties": {"events": {"type": "array", "minItems": 1, "maxItems": 500, "items": {"$ref": "https://apigateway.amazonaws.com/restapis/API/models/event"}}}}`
)

// TestAnIngestAPI drives an API like the product's; what stays in the stream is looked at.
func TestAnIngestAPI(t *testing.T) {
	config, g := startGateway(t)
	stream := newStream(t, config)
	a := newAPI(t, config, g)
	a.addModel(t, "event", eventModel)
	a.addModel(t, "batch", strings.ReplaceAll(batchModel, "API", a.id))
	json := map[string]string{"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"}
	answers := []answer{
		{status: "202", pattern: `2\d{2}`, template: `{"accepted":1,"request_id":"$context.requestId"}`, headers: map[string]string{"Cache-Control": "'no-store'"}},
		{status: "400", pattern: "4..", template: `{"error":"$input.path('$.__type')"}`},
		{status: "502", template: `{"error":"backend"}`},
	}
	a.add(t, method{
		verb: "POST", path: "/events", uri: putRecord, model: "event", keyed: true, pass: "NEVER", mapped: json,
		request: map[string]string{"application/json": eventRequest}, responses: answers,
	})
	a.add(t, method{
		verb: "POST", path: "/events/batch", uri: putRecords, model: "batch", keyed: true, pass: "NEVER", mapped: json,
		request: map[string]string{"application/json": batchRequest}, responses: answers,
	})
	a.addGatewayResponse(t, types.GatewayResponseTypeDefault4xx, "", `{"error":{"code":"$context.error.responseType","message":$context.error.messageString,"detail":"$context.error.validationErrorString","request_id":"$context.requestId"}}`, nil)
	a.addKey(t, nil, nil)
	a.deploy(t)

	t.Run("an event's bytes are what is in the stream", func(t *testing.T) {
		event := "{ \"n\" : [9007199254740993, 1.10, 1e-7],\r\n \"s\":\"\\u00e9 é \u2028 $input.body #end \\\" \\\\ \\ud800\" }"
		got := a.post(t, "/events", event)
		assert.Equal(t, http.StatusAccepted, got.status, got.body)
		assert.Equal(t, []string{event}, stream.next(t))
		assert.Equal(t, fmt.Sprintf(`{"accepted":1,"request_id":"%s"}`, got.header.Get("X-Amzn-Requestid")), got.body)
		assert.Equal(t, "application/json", got.header.Get("Content-Type"))
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	})

	t.Run("a batch's events keep their numbers", func(t *testing.T) {
		got := a.post(t, "/events/batch", `{"events": [ {"n": 9007199254740993}, {"n": 123456789012345678901234567890, "x": {"$y": null}}, {"n": [1e-7, 1.10]} ]}`)
		assert.Equal(t, http.StatusAccepted, got.status, got.body)
		assert.Equal(t, []string{`{"n":9007199254740993}`, `{"n":123456789012345678901234567890,"x":{"$y":null}}`, `{"n":[1e-7,1.10]}`}, stream.next(t))
	})

	t.Run("a batch of 500 is taken", func(t *testing.T) {
		got := a.post(t, "/events/batch", `{"events":[`+strings.Repeat(`{"a":1},`, 499)+`{"a":1}]}`)
		assert.Equal(t, http.StatusAccepted, got.status, got.body)
		assert.Len(t, stream.next(t), 500)
	})

	t.Run("a trailing slash, a charset and no content type are as good", func(t *testing.T) {
		assert.Equal(t, http.StatusAccepted, a.post(t, "/events/", `{"a":1}`, "Content-Type", "application/json; charset=utf-8").status)
		assert.Equal(t, http.StatusAccepted, a.do(t, "POST", "/events", `{"a":1}`, "Content-Type", "").status)
		assert.Len(t, stream.next(t), 2)
	})

	refusals := []struct {
		name, path, body string
		headers          []string
		status           int
		code, says       string
	}{
		{"not JSON", "/events", `{"a":`, nil, 400, "BAD_REQUEST_BODY", "the body is not JSON"},
		{"an array", "/events", `[{"a":1}]`, nil, 400, "BAD_REQUEST_BODY", "got array, want object"},
		{"a string", "/events", `"a"`, nil, 400, "BAD_REQUEST_BODY", "got string, want object"},
		{"an empty object", "/events", `{}`, nil, 400, "BAD_REQUEST_BODY", "minProperties"},
		{"no body", "/events", ``, nil, 400, "BAD_REQUEST_BODY", "minProperties"},
		{"trailing text", "/events", `{"a":1}{}`, nil, 400, "BAD_REQUEST_BODY", "the body is not JSON"},
		{"invalid UTF-8", "/events", "{\"a\":\"\xff\"}", nil, 400, "BAD_REQUEST_BODY", "UTF-8"},
		{"nested too deeply", "/events", strings.Repeat(`{"a":`, 20000), nil, 400, "BAD_REQUEST_BODY", "the body is not JSON"},
		{"a batch without events", "/events/batch", `{"records":[]}`, nil, 400, "BAD_REQUEST_BODY", "missing property 'events'"},
		{"an empty batch", "/events/batch", `{"events":[]}`, nil, 400, "BAD_REQUEST_BODY", "/events: minItems: got 0, want 1"},
		{"a batch of 501", "/events/batch", `{"events":[` + strings.Repeat(`{"a":1},`, 500) + `{"a":1}]}`, nil, 400, "BAD_REQUEST_BODY", "/events: maxItems: got 501, want 500"},
		{"a batch with a number in it", "/events/batch", `{"events":[{"a":1},2]}`, nil, 400, "BAD_REQUEST_BODY", "/events/1: got number, want object"},
		{"another content type", "/events", `{"a":1}`, []string{"Content-Type", "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type"},
		{"a nonsense content type", "/events", `{"a":1}`, []string{"Content-Type", "application/json/x; y"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type"},
		{"no key", "/events", `{"a":1}`, []string{"x-api-key", ""}, 403, "INVALID_API_KEY", "Forbidden"},
		{"a wrong key", "/events", `{"a":1}`, []string{"x-api-key", "no-such-key-no-such-key"}, 403, "INVALID_API_KEY", "Forbidden"},
		{"an unknown path", "/event", `{"a":1}`, nil, 403, "MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token"},
		{"a path below", "/events/batch/x", `{"a":1}`, nil, 403, "MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token"},
		{"10 MB and a byte", "/events", `{"a":"` + strings.Repeat("x", 10<<20-7) + `"}`, nil, 413, "REQUEST_TOO_LARGE", "10485760 bytes"},
		{"30 MB", "/events", `{"a":"` + strings.Repeat("x", 30<<20) + `"}`, nil, 413, "REQUEST_TOO_LARGE", "10485760 bytes"},
	}
	for _, tt := range refusals {
		t.Run("refused: "+tt.name, func(t *testing.T) {
			got := a.post(t, tt.path, tt.body, tt.headers...)
			assert.Equal(t, tt.status, got.status)
			assert.Equal(t, "application/json", got.header.Get("Content-Type"))
			said := decode(t, got.body)["error"].(map[string]any)
			assert.Equal(t, tt.code, said["code"])
			assert.Contains(t, got.body, tt.says)
			assert.Equal(t, got.header.Get("X-Amzn-Requestid"), said["request_id"])
		})
	}
	t.Run("refused: another method", func(t *testing.T) {
		assert.Equal(t, http.StatusForbidden, a.do(t, "GET", "/events", "").status)
	})
	t.Run("exactly 10 MB goes through, and what Kinesis says of it comes back", func(t *testing.T) {
		got := a.post(t, "/events", `{"a":"`+strings.Repeat("x", 10<<20-8)+`"}`)
		assert.Equal(t, http.StatusBadRequest, got.status)
		assert.Equal(t, `{"error":"ValidationException"}`, got.body)
	})
	t.Run("nothing refused is in the stream", func(t *testing.T) {
		assert.Empty(t, stream.next(t))
	})
}

func TestWhatTheMethodDecides(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	ok := []answer{{status: "200"}}
	mock := map[string]string{"application/json": `{"statusCode": 200}`}
	echo := func(template string) []answer { return []answer{{status: "200", template: template}} }
	a.add(t, method{verb: "GET", path: "/health", request: mock, responses: []answer{{status: "200", template: `{"status":"ok"}`}}})
	a.add(t, method{verb: "GET", path: "/pets/{id}", request: mock, responses: echo(`$input.params('id') $context.resourcePath $context.path $stageVariables.color`)})
	a.add(t, method{verb: "GET", path: "/pets/mine", request: mock, responses: echo(`mine`)})
	a.add(t, method{verb: "ANY", path: "/{rest+}", request: mock, responses: echo(`$input.params('rest') $context.httpMethod`)})
	a.add(t, method{verb: "GET", path: "/signed", request: mock, responses: ok, auth: "AWS_IAM"})
	a.add(t, method{verb: "GET", path: "/authorized", request: mock, responses: ok, auth: "CUSTOM"})
	a.add(t, method{
		verb: "GET", path: "/required", request: mock, responses: ok,
		parameters: map[string]bool{"method.request.header.X-Tenant": true, "method.request.querystring.page": true, "method.request.querystring.size": false},
	})
	a.add(t, method{verb: "GET", path: "/selected", request: map[string]string{"application/json": `{"statusCode": $input.params('status')}`}, responses: []answer{
		{status: "200", pattern: `2\d\d`, template: "two"},
		{status: "404", pattern: `4`, template: "must match the whole status"},
		{status: "409", pattern: `409|429`, template: "four"},
		{status: "500", template: "default"},
	}})
	a.add(t, method{verb: "GET", path: "/undecided", request: mock, responses: []answer{{status: "400", pattern: "4.."}}})
	a.add(t, method{verb: "POST", path: "/overridden", request: mock, responses: []answer{
		{
			status: "200", headers: map[string]string{"X-Mapped": "'mapped'", "X-Context": "context.identity.sourceIp", "X-Absent": "integration.response.header.Nope", "X-Stage": "stageVariables.color", "X-Request": "method.request.header.X-In"},
			template: "#set($context.responseOverride.status = 418)#set($context.responseOverride.header.X-Mapped = 'overridden')#set($context.responseOverride.header.Retry-After = '7')teapot",
		},
	}})
	a.add(t, method{verb: "GET", path: "/broken/template", request: map[string]string{"application/json": `#set($x = )`}, responses: ok})
	a.add(t, method{verb: "GET", path: "/broken/mock", request: map[string]string{"application/json": `{}`}, responses: ok})
	a.add(t, method{verb: "GET", path: "/broken/pattern", request: mock, responses: []answer{{status: "200", pattern: "("}}})
	a.add(t, method{verb: "GET", path: "/broken/lambda", uri: "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/f/invocations", responses: ok})
	a.add(t, method{verb: "GET", path: "/broken/service", uri: "arn:aws:apigateway:eu-west-1:nonesuch:action/Do", responses: ok})
	a.add(t, method{verb: "POST", path: "/broken/body", request: map[string]string{"application/json": `#set($x = $input.path('$.a')){"statusCode": 200}`}, responses: ok})
	a.deploy(t)

	t.Run("a mock answers by itself", func(t *testing.T) {
		got := a.do(t, "GET", "/health", "")
		assert.Equal(t, http.StatusOK, got.status)
		assert.Equal(t, `{"status":"ok"}`, got.body)
	})
	t.Run("paths: static before parameter before greedy", func(t *testing.T) {
		assert.Equal(t, "mine", a.do(t, "GET", "/pets/mine", "").body)
		assert.Equal(t, "a b/c /pets/{id} /v1/pets/a%20b%2Fc blue", a.do(t, "GET", "/pets/a%20b%2Fc", "").body)
		assert.Equal(t, "pets/1/toys PUT", a.do(t, "PUT", "/pets/1/toys", "").body)
	})
	t.Run("a signature must be there", func(t *testing.T) {
		refused := a.do(t, "GET", "/signed", "")
		assert.Equal(t, http.StatusForbidden, refused.status)
		assert.Equal(t, "MissingAuthenticationTokenException", refused.header.Get("X-Amzn-Errortype"))
		assert.Equal(t, http.StatusOK, a.do(t, "GET", "/signed", "", "Authorization", "AWS4-HMAC-SHA256 Credential=x").status)
	})
	t.Run("an authorizer is not passed over", func(t *testing.T) {
		assert.Equal(t, http.StatusInternalServerError, a.do(t, "GET", "/authorized", "").status)
	})
	t.Run("required parameters", func(t *testing.T) {
		refused := a.do(t, "GET", "/required?page=", "")
		assert.Equal(t, http.StatusBadRequest, refused.status)
		assert.Equal(t, `{"message":"Missing required request parameters: [X-Tenant, page]"}`, refused.body)
		assert.Equal(t, http.StatusOK, a.do(t, "GET", "/required?page=1", "", "x-tenant", "t").status)
	})
	t.Run("the integration's status selects the response", func(t *testing.T) {
		for status, want := range map[string]string{"204": "200 two", "429": "409 four", "404": "500 default", "503": "500 default"} {
			got := a.do(t, "GET", "/selected?status="+status, "")
			assert.Equal(t, want, fmt.Sprint(got.status, " ", got.body), status)
		}
	})
	t.Run("no response for a status is the API's fault", func(t *testing.T) {
		assert.Equal(t, http.StatusInternalServerError, a.do(t, "GET", "/undecided", "").status)
	})
	t.Run("headers are mapped, and overridden by the template as the status is", func(t *testing.T) {
		got := a.post(t, "/overridden", "", "X-In", "in")
		assert.Equal(t, http.StatusTeapot, got.status)
		assert.Equal(t, "teapot", got.body)
		assert.Equal(t, []string{"overridden"}, got.header.Values("X-Mapped"))
		assert.Equal(t, "127.0.0.1", got.header.Get("X-Context"))
		assert.Equal(t, "blue", got.header.Get("X-Stage"))
		assert.Equal(t, "in", got.header.Get("X-Request"))
		assert.Equal(t, "7", got.header.Get("Retry-After"))
		assert.Empty(t, got.header.Values("X-Absent"))
	})
	t.Run("a broken API answers 500 and nothing of its insides", func(t *testing.T) {
		for _, path := range []string{"template", "mock", "pattern", "lambda", "service"} {
			got := a.do(t, "GET", "/broken/"+path, "")
			assert.Equal(t, http.StatusInternalServerError, got.status, path)
			assert.Equal(t, `{"message":"Internal server error"}`, got.body, path)
		}
	})
	t.Run("a body that a template cannot read is the client's fault", func(t *testing.T) {
		assert.Equal(t, http.StatusBadRequest, a.post(t, "/broken/body", "no json").status)
	})
	t.Run("an unknown stage or API", func(t *testing.T) {
		other := *a
		other.stage = "v2"
		got := other.do(t, "GET", "/health", "")
		assert.Equal(t, http.StatusForbidden, got.status)
		assert.Equal(t, `{"message":"Forbidden"}`, got.body)
	})
}

func TestGatewayResponsesInherit(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	mock := map[string]string{"application/json": `{"statusCode": 200}`}
	a.add(t, method{verb: "GET", path: "/keyed", request: mock, keyed: true, responses: []answer{{status: "200"}}})
	a.add(t, method{verb: "GET", path: "/never", request: mock, pass: "NEVER", responses: []answer{{status: "200"}}})
	a.add(t, method{verb: "GET", path: "/fails", request: mock})
	a.addGatewayResponse(t, types.GatewayResponseTypeDefault4xx, "", `{"type":"$context.error.responseType","message":$context.error.messageString,"path":"${context.resourcePath}","none":"$context.no.such"}`,
		map[string]string{"gatewayresponse.header.X-Static": "'4xx'", "gatewayresponse.header.X-Query": "method.request.querystring.q"})
	a.addGatewayResponse(t, types.GatewayResponseTypeInvalidApiKey, "401", `own`, nil)
	a.addGatewayResponse(t, types.GatewayResponseTypeDefault5xx, "503", "", nil)
	a.deploy(t)

	t.Run("a type of its own", func(t *testing.T) {
		got := a.do(t, "GET", "/keyed", "")
		assert.Equal(t, "401 own", fmt.Sprint(got.status, " ", got.body))
		assert.Empty(t, got.header.Get("X-Static"))
	})
	t.Run("the default's template and headers with the type's status", func(t *testing.T) {
		got := a.do(t, "GET", "/never?q=x", "", "Content-Type", "text/plain")
		assert.Equal(t, http.StatusUnsupportedMediaType, got.status)
		assert.Equal(t, `{"type":"UNSUPPORTED_MEDIA_TYPE","message":"Unsupported Media Type","path":"/never","none":""}`, got.body)
		assert.Equal(t, "4xx", got.header.Get("X-Static"))
		assert.Equal(t, "x", got.header.Get("X-Query"))
	})
	t.Run("the default's status where it has one", func(t *testing.T) {
		got := a.do(t, "GET", "/fails", "")
		assert.Equal(t, `503 {"message":"Internal server error"}`, fmt.Sprint(got.status, " ", got.body))
	})
	t.Run("they too take effect with a deployment only", func(t *testing.T) {
		a.addGatewayResponse(t, types.GatewayResponseTypeInvalidApiKey, "", `changed`, nil)
		time.Sleep(600 * time.Millisecond)
		assert.Equal(t, "own", a.do(t, "GET", "/keyed", "").body)
		a.deploy(t)
		got := a.do(t, "GET", "/keyed", "")
		assert.Equal(t, "403 changed", fmt.Sprint(got.status, " ", got.body))
	})
}

func TestATemplateChangesWithADeploymentOnly(t *testing.T) {
	config, g := startGateway(t)
	stream := newStream(t, config)
	a := newAPI(t, config, g)
	a.add(t, method{
		verb: "POST", path: "/events", uri: putRecord,
		request: map[string]string{"application/json": eventRequest}, responses: []answer{{status: "200"}},
	})
	a.deploy(t)
	resource := a.resource(t, "/events")
	changed := strings.ReplaceAll(eventRequest, "$util.base64Encode($input.body)", "$util.base64Encode('changed')")
	_, err := a.UpdateIntegration(t.Context(), &apigateway.UpdateIntegrationInput{
		RestApiId: &a.id, ResourceId: &resource, HttpMethod: aws.String("POST"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/requestTemplates/application~1json"), Value: &changed}},
	})
	require.NoError(t, err)
	time.Sleep(600 * time.Millisecond)

	require.Equal(t, http.StatusOK, a.post(t, "/events", `{"a":1}`).status)
	assert.Equal(t, []string{`{"a":1}`}, stream.next(t), "not deployed")

	a.deploy(t)
	require.Equal(t, http.StatusOK, a.post(t, "/events", `{"a":1}`).status)
	assert.Equal(t, []string{"changed"}, stream.next(t))
}

func TestAKeyOpensTheStagesOfItsUsagePlan(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	a.add(t, method{
		verb: "GET", path: "/keyed", keyed: true, request: map[string]string{"application/json": `{"statusCode": 200}`},
		responses: []answer{{status: "200", template: "$context.identity.apiKeyId"}},
	})
	a.deploy(t)
	id, plan := a.addKey(t, nil, nil)

	got := a.do(t, "GET", "/keyed", "")
	assert.Equal(t, "200 "+id, fmt.Sprint(got.status, " ", got.body), "at once, without a deployment")

	_, err := a.UpdateApiKey(t.Context(), &apigateway.UpdateApiKeyInput{ApiKey: &id, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/description"), Value: aws.String("still enabled")},
	}})
	require.NoError(t, err)
	_, err = a.DeleteUsagePlanKey(t.Context(), &apigateway.DeleteUsagePlanKeyInput{UsagePlanId: &plan, KeyId: &id})
	require.NoError(t, err)
	time.Sleep(600 * time.Millisecond)
	assert.Equal(t, http.StatusForbidden, a.do(t, "GET", "/keyed", "").status, "in no plan")
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	_, err := gateway.Start(t.Context(), gateway.Config{})
	assert.ErrorContains(t, err, "AWS.BaseEndpoint is required")

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = gateway.Start(t.Context(), gateway.Config{AWS: aws.Config{BaseEndpoint: aws.String("http://127.0.0.1:1")}, Listen: taken.Addr().String()})
	assert.ErrorContains(t, err, "address already in use")
}

func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// stream is a Kinesis stream of one shard that is read from where it was left.
type stream struct {
	*kinesis.Client
	iterator *string
}

func newStream(t testing.TB, config aws.Config) *stream {
	t.Helper()
	client := kinesis.NewFromConfig(config)
	_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("events"), ShardCount: aws.Int32(1)})
	require.NoError(t, err)
	require.NoError(t, kinesis.NewStreamExistsWaiter(client).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String("events")}, 20*time.Second))
	shards, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("events")})
	require.NoError(t, err)
	iterator, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: aws.String("events"), ShardId: shards.Shards[0].ShardId, ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
	})
	require.NoError(t, err)
	return &stream{client, iterator.ShardIterator}
}

// next is the data of the records since the last call.
func (s *stream) next(t testing.TB) []string {
	t.Helper()
	found, err := s.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: s.iterator, Limit: aws.Int32(10000)})
	require.NoError(t, err)
	s.iterator = found.NextShardIterator
	var data []string
	for _, record := range found.Records {
		data = append(data, string(record.Data))
	}
	return data
}
