package ingest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/ingest/corpus"
	"github.com/millrace-cdk/millrace/local/gateway/vtl"
	"github.com/millrace-cdk/millrace/local/gateway/vtl/velocity"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// keySources are those that a route can have, by the name of the stream that it writes to.
func keySources() map[string]ingest.Route {
	var (
		path   = ingest.KeySource{JSONPath: corpus.KeyPath}
		deep   = ingest.KeySource{JSONPath: corpus.DeepKeyPath}
		header = ingest.KeySource{Header: corpus.KeyHeader}
		both   = ingest.KeySource{JSONPath: corpus.KeyPath, Header: corpus.KeyHeader}
	)
	return map[string]ingest.Route{
		"request-id":        {},
		"path":              {PartitionKey: path},
		"deep-path":         {PartitionKey: deep},
		"length":            {PartitionKey: ingest.KeySource{JSONPath: corpus.KeyPath + ".length"}}, // which JavaScript's texts and lists have
		"header":            {PartitionKey: header},
		"path-then-header":  {PartitionKey: both},
		"hash-key":          {ExplicitHashKey: path},
		"hash-key-by-heads": {PartitionKey: path, ExplicitHashKey: header},
		"everything":        {PartitionKey: both, ExplicitHashKey: ingest.KeySource{JSONPath: corpus.DeepKeyPath, Header: corpus.KeyHeader}},
	}
}

// mapping is a deployed mapping template.
type mapping struct {
	name, text string
	action     string // of Kinesis, empty if the integration is a mock
	response   bool
	stream     string
}

// mappings are the mapping templates of an API with a route for each of keySources,
// each text once.
func mappings(t *testing.T) (all []mapping) {
	t.Helper()
	stack := cdktest.NewStack()
	props := ingest.IngestApiProps{HealthPath: "/health"}
	for name, route := range keySources() {
		route.Path, route.Stream = "/"+name, theirStream(stack, name)
		props.Routes = append(props.Routes, route)
	}
	ingest.NewIngestApi(stack, "Ingest", &props)

	type deployed struct {
		Properties struct {
			Integration struct {
				Uri                  any
				RequestTemplates     map[string]string
				IntegrationResponses []struct {
					StatusCode        string
					ResponseTemplates map[string]string
				}
			}
		}
	}
	for id, m := range find[deployed](t, stack, "AWS::ApiGateway::Method") {
		integration := m.Properties.Integration
		uri, err := json.Marshal(integration.Uri)
		require.NoError(t, err)
		var action, stream string
		add := func(name, text string, response bool) {
			if !slices.ContainsFunc(all, func(m mapping) bool { return m.text == text && m.action == action }) {
				all = append(all, mapping{id + " " + name, text, action, response, stream})
			}
		}
		if found := regexp.MustCompile(`:kinesis:action/(\w+)"`).FindSubmatch(uri); found != nil {
			action = string(found[1])
		}
		for kind, text := range integration.RequestTemplates {
			if found := regexp.MustCompile(`"StreamName": "(.*)"`).FindStringSubmatch(text); found != nil {
				stream = found[1]
			}
			add("request "+kind, text, false)
		}
		for _, r := range integration.IntegrationResponses {
			for kind, text := range r.ResponseTemplates {
				add("response "+r.StatusCode+" "+kind, text, true)
			}
		}
	}
	return all
}

// rendering is what a mapping is applied to.
type rendering struct {
	vtl.Request
	events []corpus.Event   // of a batch, in its order
	keyed  corpus.Rewriting // what may happen to the keys
}

func (m mapping) renderings() (all []rendering) {
	headers, events := corpus.Headers(), corpus.Events()
	add := func(name, body, header string, keyed corpus.Rewriting, events ...corpus.Event) {
		all = append(all, rendering{vtl.Request{
			Name: m.name + ", " + name, Template: m.text, Body: []byte(body),
			Headers: map[string]string{corpus.KeyHeader: header}, Context: map[string]any{"requestId": requestID},
		}, events, keyed})
	}
	switch {
	case m.response:
		for _, a := range corpus.Answers() {
			add(fmt.Sprintf("%d %.200s", a.Status, a.Body), a.Body, "", corpus.Agreed)
		}
	case m.action == "PutRecords":
		bodies := make([]string, len(events))
		for i, e := range events {
			bodies[i] = e.Body
			add(e.Name, `{"events":[`+e.Body+`]}`, "device-17", e.Keyed, e)
		}
		for _, h := range headers {
			add("header "+h.Name, `{"events":[{"device_id":null},{"a":1}]}`, h.Value, h.Keyed, corpus.Event{}, corpus.Event{})
		}
		if m.stream == "request-id" { // the keys are the same for all
			add("all events", `{"events":[`+strings.Join(bodies, " ,\n")+`]}`, "", corpus.Agreed, events...)
		}
	default:
		for _, e := range events {
			add(e.Name, e.Body, "device-17", e.Keyed)
		}
		for _, h := range headers {
			add("header "+h.Name, `{"a":1}`, h.Value, h.Keyed)
		}
		add("no body", "", "", corpus.Agreed)
	}
	return all
}

// startVelocity skips the test where there is no Java.
func startVelocity(t *testing.T) *velocity.Engine {
	t.Helper()
	java, err := velocity.New(t.Context())
	if errors.Is(err, velocity.ErrNoJava) {
		t.Skipf("the templates are not held against Apache Velocity: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, java.Close()) })
	return java
}

// TestTwoEnginesAgreeOnEveryTemplate renders by velocityjs, as the local gateway does, and by Apache
// Velocity. All they write must be the same, but for what becomes of a batch's events and of keys
// by being parsed, of which the corpus says what it is for each of them.
func TestTwoEnginesAgreeOnEveryTemplate(t *testing.T) {
	java := startVelocity(t)
	laptop, err := vtl.New(t.Context(), vtl.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, laptop.Close()) })

	renderings := 0
	keyed := map[corpus.Rewriting]int{}
	for _, m := range mappings(t) {
		var failures []error
		for _, r := range m.renderings() {
			renderings++
			ours, err := laptop.Render(t.Context(), r.Request)
			theirs, javaErr := java.Render(r.Request)
			if err != nil || javaErr != nil {
				failures = append(failures, fmt.Errorf("%s:\nvelocityjs: %w\nVelocity: %w", r.Name, err, javaErr))
				continue
			}
			key, err := agree(ours, theirs, r.events)
			if err == nil {
				err = agreeOfVersions(java, r.Request, theirs)
			}
			if err == nil && key != corpus.Agreed && key != r.keyed {
				err = fmt.Errorf("the key's rewriting is %d, the corpus says %d:\n%s\n%s", key, r.keyed, ours.Text, theirs.Text)
			}
			if err != nil {
				failures = append(failures, fmt.Errorf("%s: %w", r.Name, err))
			}
			keyed[key]++
		}
		assertNone(t, failures)
	}
	assert.Greater(t, renderings, 1000)
	t.Logf("%d renderings by each engine; keys by rewriting: %v", renderings, keyed)
}

// agreeOfVersions holds Velocity 1 against 2: AWS does not say which it runs.
func agreeOfVersions(java *velocity.Engine, r vtl.Request, two vtl.Result) error {
	one, err := java.RenderAsVersion1(r)
	if err != nil {
		return fmt.Errorf("as version 1: %w", err)
	}
	key, err := agree(one, two, nil)
	if err == nil && key != corpus.Agreed {
		err = errors.New("the keys differ")
	}
	if err != nil {
		return fmt.Errorf("version 1 (first) against 2: %w", err)
	}
	return nil
}

// TestDisagreementIsSeen is the test of the one above: engines and texts that differ are told apart.
func TestDisagreementIsSeen(t *testing.T) {
	java := startVelocity(t)
	laptop, err := vtl.New(t.Context(), vtl.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, laptop.Close()) })

	request := vtl.Request{Template: `{"PartitionKey": "$input.path('$.price')"}`, Body: []byte(`{"price":1.10}`)}
	ours, err := laptop.Render(t.Context(), request)
	require.NoError(t, err)
	theirs, err := java.Render(request)
	require.NoError(t, err)
	key, err := agree(ours, theirs, nil)
	require.NoError(t, err)
	assert.Equal(t, corpus.Respelled, key, "a number as a key is spelled in two ways")
	request.Template = `{"StreamName": "$input.path('$.price')"}`
	ours, err = laptop.Render(t.Context(), request)
	require.NoError(t, err)
	theirs, err = java.Render(request)
	require.NoError(t, err)
	_, err = agree(ours, theirs, nil)
	assert.ErrorContains(t, err, `1.10`, "elsewhere that is not taken")

	request.Template = `#if($input.path('$.empty'))1#{else}2#end`
	request.Body = []byte(`{"empty":""}`)
	one, err := java.RenderAsVersion1(request)
	require.NoError(t, err)
	two, err := java.Render(request)
	require.NoError(t, err)
	assert.Equal(t, "1 2", one.Text+" "+two.Text, "an empty string is true in version 1 alone")

	for name, c := range map[string]struct {
		ours, theirs string
		batched      corpus.Rewriting
		want         bool
	}{
		"spelled otherwise":                 {`{"a":1.10,"b":"€"}`, `{"a":1.1,"b":"\u20AC"}`, corpus.Respelled, true},
		"spelled otherwise, not foreseen":   {`{"a":1.10}`, `{"a":1.1}`, corpus.Agreed, false},
		"foreseen, not so":                  {`{"a":1.10}`, `{"a":1.10}`, corpus.Respelled, false},
		"another number":                    {`{"a":9007199254740993}`, `{"a":9007199254740992}`, corpus.Respelled, false},
		"another order":                     {`{"a":1,"b":2}`, `{"b":2,"a":1}`, corpus.Respelled, false},
		"another order, foreseen":           {`{"a":1,"b":2}`, `{"b":2,"a":1}`, corpus.Reordered, true},
		"a loss":                            {`{"a":1e400}`, `{"a":null}`, corpus.Lossy, true},
		"a loss that Java does not explain": {`{"a":1.5}`, `{"a":null}`, corpus.Lossy, false},
		"a member less":                     {`{"a":1,"b":2}`, `{"a":1}`, corpus.Lossy, false},
	} {
		text := func(event string) vtl.Result {
			return vtl.Result{Text: `{"Data": "` + base64.StdEncoding.EncodeToString([]byte(event)) + `", "PartitionKey": "k"}`}
		}
		_, err := agree(text(c.ours), text(c.theirs), []corpus.Event{{Batched: c.batched}})
		assert.Equal(t, c.want, err == nil, "%s: %v", name, err)
	}
}

// assertNone shows the first failures: there may be as many as the corpus has members.
func assertNone(t *testing.T, failures []error) {
	t.Helper()
	assert.NoError(t, errors.Join(failures[:min(len(failures), 5)]...), "%d failures in all", len(failures))
}
