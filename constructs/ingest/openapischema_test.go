package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/cdktest"
)

// deviceSchema is a draft 4 schema with what draft 2020-12 says otherwise.
func deviceSchema() map[string]any {
	return map[string]any{
		"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": []string{"device_id"},
		"definitions": map[string]any{
			"id": map[string]any{"type": "string", "minLength": 1, "definitions": map[string]any{"inner": map[string]any{"enum": []any{"definitions"}}}},
		},
		"properties": map[string]any{
			"device_id":   map[string]any{"$ref": "#/definitions/id", "maxLength": 1}, // ignored beside $ref
			"celsius":     map[string]any{"type": "number", "minimum": -273.15, "exclusiveMinimum": true, "maximum": 1000, "exclusiveMaximum": false},
			"pair":        map[string]any{"type": "array", "items": []any{map[string]any{"type": "string"}, map[string]any{"type": "integer"}}, "additionalItems": false},
			"list":        map[string]any{"type": "array", "items": map[string]any{"$ref": "#/definitions/id/definitions/inner"}},
			"definitions": map[string]any{"type": "boolean"}, // a member of this name, not a keyword
			"second":      map[string]any{"$ref": "#/definitions/id"},
		},
		"dependencies": map[string]any{
			"second": []string{"celsius"},
			"pair":   map[string]any{"required": []string{"list"}},
		},
		"anyOf": []any{map[string]any{"not": map[string]any{"required": []string{"forbidden"}}}},
	}
}

func TestASchemaOfDraft4MeansTheSameInTheDocument(t *testing.T) {
	_, held := document(t, manyRoutes(cdktest.NewStack()))
	old := compileDraft4(t, deviceSchema())
	takenOnce, refusedOnce := false, false
	for _, event := range []string{
		`{"device_id":"a"}`,
		`{"device_id":""}`,
		`{"device_id":"longer than maxLength beside $ref"}`,
		`{}`,
		`{"device_id":"a","celsius":-273.15}`,
		`{"device_id":"a","celsius":-273.14}`,
		`{"device_id":"a","celsius":1000}`,
		`{"device_id":"a","celsius":1000.1}`,
		`{"device_id":"a","list":[],"pair":["a",1]}`,
		`{"device_id":"a","list":[],"pair":["a","b"]}`,
		`{"device_id":"a","list":[],"pair":["a",1,2]}`,
		`{"device_id":"a","pair":["a",1]}`,
		`{"device_id":"a","list":["definitions"]}`,
		`{"device_id":"a","list":["$defs"]}`,
		`{"device_id":"a","second":"b"}`,
		`{"device_id":"a","second":"b","celsius":1}`,
		`{"device_id":"a","definitions":true}`,
		`{"device_id":"a","definitions":1}`,
		`{"device_id":"a","forbidden":1}`,
	} {
		taken := old(event)
		takenOnce, refusedOnce = takenOnce || taken, refusedOnce || !taken
		for path, body := range map[string]string{"/devices": event, "/devices/batch": fmt.Sprintf(`{"events":[%s]}`, event)} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://events.example.com"+path, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Api-Key", "key")
			valid, problems := held.ValidateHttpRequest(r)
			assert.Equal(t, taken, valid, "%s %s: %v", path, body, problems)
		}
	}
	assert.True(t, takenOnce && refusedOnce)
}

// compileDraft4 returns whether a JSON text fits a schema of draft 4.
func compileDraft4(t *testing.T, schema map[string]any) func(text string) bool {
	t.Helper()
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	require.NoError(t, compiler.AddResource("schema:event", parsed))
	compiled, err := compiler.Compile("schema:event")
	require.NoError(t, err)
	return func(text string) bool {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err)
		return compiled.Validate(value) == nil
	}
}
