package gateway_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest/corpus"
	"github.com/millrace-cdk/millrace/local/gateway"
	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
)

var (
	fuzzRequests = flag.Int("fuzzrequests", 2_000, "how many random requests go through the gateway")
	fuzzSeed     = flag.Uint64("fuzzseed", 1, "what the requests are made from")
)

// TestNoRequestIsAnsweredWithAnErrorOfTheServer posts random bodies and headers to the routes of
// constructs/ingest, as its golden template has them. Kinesis is a stub that takes what Kinesis takes, since the
// emulator takes more, and is slow.
func TestNoRequestIsAnsweredWithAnErrorOfTheServer(t *testing.T) {
	config := emulatortest.Start(t)
	stub := &strictKinesis{}
	config.BaseEndpoint = aws.String(stub.before(t, *config.BaseEndpoint))
	g, err := gateway.Start(t.Context(), gateway.Config{AWS: config, Log: log(t)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.Close()) })
	a := newAPI(t, config, g)
	routes, preflights := addIngestRoutes(t, a)
	a.deploy(t)

	t.Logf("seed %d (-fuzzseed), %d requests (-fuzzrequests)", *fuzzSeed, *fuzzRequests)
	contentTypes := []string{"application/json", "text/plain", "", "application/x-www-form-urlencoded", "*/*", "a", "application/JSON; charset=latin1"}
	fuzz, statuses, asks, started := corpus.NewFuzz(*fuzzSeed), map[int]int{}, map[int]int{}, time.Now()
	for n := range *fuzzRequests {
		route, random := routes[n%len(routes)], fuzz.NewRandom(uint64(n))
		body, headers := random.Event(), []string{}
		for _, name := range route.headers {
			headers = append(headers, name, random.Header())
		}
		if route.batch {
			body = random.Batch()
		}
		if random.IntN(3) == 0 {
			body = random.Damaged(body)
		}
		asked := a.do(t, http.MethodOptions, preflights[n%len(preflights)], body, "Content-Type", contentTypes[n%len(contentTypes)])
		require.Contains(t, []int{http.StatusNoContent, http.StatusBadRequest, http.StatusUnsupportedMediaType}, asked.status, "request %d: OPTIONS: %s\nbody %.4000q", n, asked.body, body)
		asks[asked.status]++
		stub.stored, stub.refused = nil, false
		got := a.post(t, route.path, body, headers...)
		statuses[got.status]++

		context := fmt.Sprintf("request %d: %s\nheaders %q\nanswer %d %s\nstored %.2000q", n, route.path, headers, got.status, got.body, stub.stored)
		require.Less(t, got.status, 500, "%s\nbody %.4000q", context, body)
		require.True(t, json.Valid([]byte(got.body)), "%s\nbody %.4000q", context, body)
		switch {
		case got.status >= 400:
			require.False(t, route.takes(body) && !stub.refused, "%s\nbody %.4000q", context, body)
			require.Empty(t, stub.stored, context)
		case route.batch:
			require.Len(t, stub.stored, events(body), "%s\nbody %.4000q", context, body)
		default:
			require.Equal(t, []string{body}, stub.stored, context)
		}
	}
	assert.Positive(t, statuses[http.StatusAccepted])
	assert.Positive(t, statuses[http.StatusBadRequest])
	assert.Positive(t, asks[http.StatusNoContent])
	assert.Positive(t, asks[http.StatusUnsupportedMediaType])
	t.Logf("preflights: %v; statuses: %v; %.0f requests/s", asks, statuses, float64(*fuzzRequests)/time.Since(started).Seconds())
}

func events(body string) int {
	var batch struct{ Events []json.RawMessage }
	if json.Unmarshal([]byte(body), &batch) != nil {
		return -1
	}
	return len(batch.Events)
}

type ingestRoute struct {
	path    string
	batch   bool
	headers []string // that its request template reads
	model   *jsonschema.Schema
}

// takes is whether body is UTF-8, JSON and what the model asks for.
func (r ingestRoute) takes(body string) bool {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	return err == nil && utf8.ValidString(body) && r.model.Validate(value) == nil
}

// addIngestRoutes adds what the golden template has of methods that call Kinesis, without their authorization, and of
// CORS preflights.
func addIngestRoutes(t *testing.T, a *api) (routes []ingestRoute, preflights []string) {
	t.Helper()
	text, err := os.ReadFile("../../constructs/ingest/testdata/everything.template.json")
	require.NoError(t, err)
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(text, &template))
	for id, resource := range template.Resources {
		if resource.Type != "AWS::ApiGateway::Method" {
			continue
		}
		var m struct {
			HttpMethod  string
			Integration struct {
				Uri                  any
				PassthroughBehavior  string
				RequestParameters    map[string]string
				RequestTemplates     map[string]any
				IntegrationResponses []struct {
					StatusCode, SelectionPattern string
					ResponseParameters           map[string]string
					ResponseTemplates            map[string]any
				}
			}
			RequestModels map[string]struct{ Ref string }
		}
		require.NoError(t, json.Unmarshal(resource.Properties, &m))
		uri := plainText(m.Integration.Uri)
		answers := func() (all []answer) {
			for _, r := range m.Integration.IntegrationResponses {
				headers := map[string]string{}
				for parameter, value := range r.ResponseParameters {
					headers[strings.TrimPrefix(parameter, "method.response.header.")] = value
				}
				all = append(all, answer{
					status: r.StatusCode, pattern: r.SelectionPattern, template: responseTemplate(r.ResponseTemplates), headers: headers,
				})
			}
			return all
		}
		request := map[string]string{"application/json": plainText(m.Integration.RequestTemplates["application/json"])}
		if m.HttpMethod == http.MethodOptions {
			preflights = append(preflights, "/"+id)
			a.add(t, method{verb: m.HttpMethod, path: "/" + id, pass: m.Integration.PassthroughBehavior, request: request, responses: answers()})
		}
		if !strings.Contains(uri, ":kinesis:action/") {
			continue
		}
		var model struct{ Schema json.RawMessage }
		name := m.RequestModels["application/json"].Ref
		require.NoError(t, json.Unmarshal(template.Resources[name].Properties, &model))
		a.addModel(t, name, string(model.Schema))

		deployed := method{
			verb: "POST", path: "/" + id, uri: putRecord, model: name, pass: m.Integration.PassthroughBehavior,
			mapped: m.Integration.RequestParameters, request: request, responses: answers(),
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(model.Schema))
		require.NoError(t, err)
		compiler := jsonschema.NewCompiler()
		require.NoError(t, compiler.AddResource("model.json", schema))
		route := ingestRoute{path: deployed.path, batch: strings.HasSuffix(uri, "/PutRecords"), model: compiler.MustCompile("model.json")}
		for _, found := range regexp.MustCompile(`equalsIgnoreCase\("(.*?)"\)`).FindAllStringSubmatch(deployed.request["application/json"], -1) {
			route.headers = append(route.headers, found[1])
		}
		if route.batch {
			deployed.uri = putRecords
		}
		a.add(t, deployed)
		routes = append(routes, route)
	}
	require.NotEmpty(t, routes)
	require.NotEmpty(t, preflights)
	slices.Sort(preflights)
	slices.SortFunc(routes, func(x, y ingestRoute) int { return strings.Compare(x.path, y.path) })
	return routes, preflights
}

// responseTemplate is empty where there is none, as in a preflight.
func responseTemplate(templates map[string]any) string {
	template, ok := templates["application/json"]
	if !ok {
		return ""
	}
	return plainText(template)
}

// plainText is a template's text, in which references to its stream may be.
func plainText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		if parts, ok := v["Fn::Join"].([]any); ok {
			var joined strings.Builder
			for _, part := range parts[1].([]any) {
				joined.WriteString(plainText(part))
			}
			return joined.String()
		}
	}
	return "events"
}

// strictKinesis takes a well-formed PutRecord or PutRecords within the limits of Kinesis and no other.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html and API_PutRecords.html
type strictKinesis struct {
	stored  []string // of the last request
	refused bool     // the last request, as a client can bring about
}

// before starts the stub and returns the address at which it and, for all but Kinesis, the emulator answer.
func (k *strictKinesis) before(t *testing.T, emulator string) string {
	t.Helper()
	target, err := url.Parse(emulator)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action, isKinesis := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "Kinesis_20131202.")
		if !isKinesis {
			forward.ServeHTTP(w, r)
			return
		}
		status, answer := k.put(action, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

type kinesisRecord struct {
	Data                          []byte
	PartitionKey, ExplicitHashKey string
}

// put answers 500 to what the front door must never send.
func (k *strictKinesis) put(action string, body io.Reader) (int, string) {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	var records []kinesisRecord
	var stream string
	var err error
	switch action {
	case "PutRecord":
		var request struct {
			StreamName string
			kinesisRecord
		}
		err = decoder.Decode(&request)
		stream, records = request.StreamName, []kinesisRecord{request.kinesisRecord}
	case "PutRecords":
		var request struct {
			StreamName string
			Records    []kinesisRecord
		}
		err = decoder.Decode(&request)
		stream, records = request.StreamName, request.Records
	}
	if err != nil || decoder.More() || stream == "" || len(records) < 1 || len(records) > 500 {
		return 500, fmt.Sprintf(`{"__type":"SerializationException","message":%q}`, err)
	}
	for _, r := range records {
		if length := utf8.RuneCountInString(r.PartitionKey); length < 1 || length > 256 {
			return 500, `{"__type":"ValidationException"}`
		}
		if len(r.Data)+len(r.PartitionKey) > 1<<20 {
			k.refused = true
			return 400, `{"__type":"ValidationException","message":"Member must have length less than or equal to 1048576"}`
		}
		hash, isNumber := new(big.Int).SetString(cmp.Or(r.ExplicitHashKey, "0"), 10)
		if !isNumber || hash.Sign() < 0 || hash.BitLen() > 128 {
			return 500, `{"__type":"ValidationException"}`
		}
	}
	for _, r := range records {
		k.stored = append(k.stored, string(r.Data))
	}
	const stored = `{"SequenceNumber":"1","ShardId":"shardId-000000000000"}`
	if action == "PutRecord" {
		return 200, stored
	}
	return 200, `{"FailedRecordCount":0,"Records":[` + strings.TrimSuffix(strings.Repeat(stored+",", len(records)), ",") + `]}`
}
