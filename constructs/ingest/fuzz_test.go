package ingest_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest/corpus"
	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

var (
	fuzzBodies = flag.Int("fuzzbodies", 4_000, "how many bodies go through the request templates")
	fuzzSeed   = flag.Uint64("fuzzseed", 1, "what the bodies are made from")
)

// renderers is how many bodies are on their way at once: the engine renders while others are checked.
const renderers = 8

// TestNoBodyBreaksOutOfATemplate sends random bodies and headers through the deployed request
// templates and reads what comes out as Kinesis does.
func TestNoBodyBreaksOutOfATemplate(t *testing.T) {
	engine, err := vtl.New(t.Context(), vtl.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })
	var templates []mapping
	for _, m := range mappings(t) {
		if m.action != "" && !m.response {
			templates = append(templates, m)
		}
	}
	require.NotEmpty(t, templates)
	t.Logf("seed %d (-fuzzseed), %d bodies (-fuzzbodies), %d templates", *fuzzSeed, *fuzzBodies, len(templates))

	var (
		workers          sync.WaitGroup
		next, ok, broken atomic.Int64
		mu               sync.Mutex
		failures         []error
		fuzz             = corpus.NewFuzz(*fuzzSeed)
		started          = time.Now()
	)
	for range renderers {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(*fuzzBodies); n = next.Add(1) - 1 {
				refused, err := tryOne(t, engine, templates[int(n)%len(templates)], fuzz.NewRandom(uint64(n)))
				switch {
				case err != nil:
					mu.Lock()
					failures = append(failures, fmt.Errorf("body %d: %w", n, err))
					mu.Unlock()
				case refused:
					broken.Add(1)
				default:
					ok.Add(1)
				}
				if n > 0 && n%20_000 == 0 {
					t.Logf("%d bodies in %s", n, time.Since(started).Round(time.Second))
				}
			}
		})
	}
	workers.Wait()
	assertNone(t, failures)
	assert.Positive(t, ok.Load())
	assert.Positive(t, broken.Load(), "no body was one that is refused")
	t.Logf("%d requests to Kinesis, %d bodies refused, %.0f bodies/s", ok.Load(), broken.Load(), float64(*fuzzBodies)/time.Since(started).Seconds())
}

// TestTheFuzzSeesABreakOut is the test of the one above, with a template that splices what a client sent.
func TestTheFuzzSeesABreakOut(t *testing.T) {
	engine, err := vtl.New(t.Context(), vtl.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })
	fuzz := corpus.NewFuzz(1)
	for name, text := range map[string]string{
		"a key as it is":      `{"StreamName": "path", "Data": "$util.base64Encode($input.body)", "PartitionKey": "$input.path('$.device_id')"}`,
		"a body anew":         `{"StreamName": "request-id", "Data": "$util.base64Encode($input.json('$'))", "PartitionKey": "$context.requestId"}`,
		"a key as JavaScript": `{"StreamName": "header", "Data": "$util.base64Encode($input.body)", "PartitionKey": "$util.escapeJavaScript($input.params('X-Device-Id'))"}`,
	} {
		m := mapping{name: name, text: text, action: "PutRecord", stream: regexp.MustCompile(`"StreamName": "(.*?)"`).FindStringSubmatch(text)[1]}
		seen := 0
		for n := range uint64(300) {
			if _, err := tryOne(t, engine, m, fuzz.NewRandom(n)); err != nil {
				seen++
			}
		}
		assert.Positive(t, seen, name)
	}
}

// tryOne renders one random body, a third of them damaged, and holds the result against it.
func tryOne(t *testing.T, engine *vtl.Engine, m mapping, random *corpus.Random) (refused bool, err error) {
	body, header := random.Event(), random.Header()
	if m.action == "PutRecords" {
		body = random.Batch()
	}
	if random.IntN(3) == 0 {
		body = random.Damaged(body)
	}
	headers := map[string]string{}
	if random.IntN(4) > 0 {
		headers[corpus.KeyHeader] = header
	}
	rendered, err := engine.Render(t.Context(), vtl.Request{
		Name: m.name, Template: m.text, Body: []byte(body), Headers: headers, Context: map[string]any{"requestId": requestID},
	})
	var unreadable *vtl.BodyError
	switch {
	case errors.As(err, &unreadable):
		if json.Valid([]byte(body)) && utf8.ValidString(body) {
			return false, fmt.Errorf("JSON is refused: %w: %.2000q", err, body)
		}
		return true, nil // the gateway answers 400
	case err != nil:
		return false, fmt.Errorf("%w: %.2000q", err, body)
	}
	if err := checkRequest(m, rendered.Text, body, headers[corpus.KeyHeader]); err != nil {
		return false, fmt.Errorf("%s: %w\nbody:   %.2000q\nheader: %.600q\nrequest: %.3000s", m.name, err, body, headers[corpus.KeyHeader], rendered.Text)
	}
	return false, nil
}
