package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/spec"
)

func TestSpecDecidesWhatIsDone(t *testing.T) {
	for text, want := range map[string]string{
		"": `{"a":1,"_millrace":`, // no spec: the construct declares no steps
		`{"steps":[{"redact":{"paths":["/a"]}}]}`: `{"a":"REDACTED","_millrace":`,
	} {
		t.Setenv(spec.Variable, text)
		f, err := assemble(t.Context())
		require.NoError(t, err)
		result, err := f(t.Context(), transformer.Record{Payload: []byte(`{"a":1}`), ArrivedAt: time.UnixMilli(1)})
		require.NoError(t, err)
		assert.Contains(t, string(result.Data), want)
	}
}

func TestSpecThatCannotBeObeyedStopsTheStart(t *testing.T) {
	for text, problem := range map[string]string{
		`{`:              "decoding " + spec.Variable,
		`{"tables":[]}`:  "unknown field",
		`{"steps":[{}]}`: "step 1: exactly one",
	} {
		t.Setenv(spec.Variable, text)
		_, err := assemble(t.Context())
		assert.ErrorContains(t, err, problem)
	}
}
