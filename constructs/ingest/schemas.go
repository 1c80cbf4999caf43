package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// maxBatch is how many records PutRecords takes.
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
	maxBatch = 500

	// draft4 is the JSON Schema that models have.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
	draft4 = "http://json-schema.org/draft-04/schema#"

	// maxModelSize is "Maximum size of a model" in bytes.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
	maxModelSize = 400 << 10

	// definitions is where a schema keeps what it refers to.
	definitions = "#/definitions/"
)

// schema is the JSON Schema of a call's body.
func (c call) schema() map[string]any {
	if c.batch {
		return c.batchSchema()
	}
	return c.eventSchema()
}

// eventSchema is, without one of the user's, any JSON object: the members that millrace knows are all optional and
// the rest is the client's. Whosever it is, it asks for a member: an empty object is no event, and to
// refuse it is also to refuse an empty body, which API Gateway takes as {}.
func (r Route) eventSchema() map[string]any {
	if r.Schema == nil {
		return map[string]any{"$schema": draft4, "title": "One event", "type": "object", "minProperties": 1}
	}
	schema := maps.Clone(r.Schema)
	schema["$schema"] = draft4
	if least, ok := schema["minProperties"]; !ok || isZero(least) {
		schema["minProperties"] = 1
	}
	return schema
}

// isZero is whether a value is JSON's 0, of whichever of Go's types.
func isZero(value any) bool {
	text, err := json.Marshal(value)
	if err != nil {
		return false // validateSchema says what is wrong
	}
	number, err := strconv.ParseFloat(string(text), 64)
	return err == nil && number == 0
}

// batchSchema takes no member beside events, since it would be dropped silently. The definitions of the event's
// schema stand at its root: references to them lead from there.
func (r Route) batchSchema() map[string]any {
	event := r.eventSchema()
	for _, ofTheRoot := range []string{"$schema", "title", "definitions"} {
		delete(event, ofTheRoot)
	}
	batch := map[string]any{
		"$schema":              draft4,
		"title":                "A batch of events",
		"type":                 "object",
		"additionalProperties": false,
		"required":             []any{"events"},
		"properties": map[string]any{"events": map[string]any{
			"type":     "array",
			"minItems": 1,
			"maxItems": maxBatch,
			"items":    event,
		}},
	}
	if shared, ok := r.Schema["definitions"]; ok {
		batch["definitions"] = shared
	}
	return batch
}

// validateSchema reports what would fail the deployment of the user's schema or change its meaning in a batch.
func (r Route) validateSchema(who string) []error {
	if r.Schema == nil {
		return nil
	}
	var errs []error
	if kind := r.Schema["type"]; kind != "object" {
		errs = append(errs, fmt.Errorf("%sschema's type must be \"object\", which an event is, got %v", who, kind))
	}
	if draft, ok := r.Schema["$schema"]; ok && draft != draft4 && draft != strings.TrimSuffix(draft4, "#") {
		errs = append(errs, fmt.Errorf("%sschema's $schema must be %s or left out, got %v", who, draft4, draft))
	}
	if _, ok := r.Schema["$ref"]; ok {
		errs = append(errs, fmt.Errorf("%sschema must not be a $ref as a whole: draft 4 ignores what stands beside one; put it into allOf", who))
	}
	text, err := json.Marshal(r.batchSchema()) // it has all of the event's, and more
	if err != nil {
		return append(errs, fmt.Errorf("%sschema must be JSON: %w", who, err))
	}
	if len(text) > maxModelSize {
		errs = append(errs, fmt.Errorf("%sschema must be smaller: a model may have %d bytes, got %d", who, maxModelSize, len(text)))
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return append(errs, fmt.Errorf("%sschema must be JSON: %w", who, err))
	}
	if problems := strays(schema); len(problems) > 0 {
		return append(errs, fmt.Errorf("%sschema must refer to nothing but %s…, and have no id at which references would begin: got %s", who, definitions, strings.Join(problems, ", ")))
	}
	if problems := unknownInRoot(schema); len(problems) > 0 {
		return append(errs, fmt.Errorf("%sschema must have keywords of JSON Schema draft 4 only, since API Gateway enforces no other: got %s", who, strings.Join(problems, ", ")))
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	const url = "schema:batch"
	if err := compiler.AddResource(url, schema); err != nil {
		return append(errs, fmt.Errorf("%sschema must be JSON Schema draft 4: %w", who, err))
	}
	if _, err := compiler.Compile(url); err != nil {
		errs = append(errs, fmt.Errorf("%sschema must be JSON Schema draft 4: %w", who, err))
	}
	return errs
}

// strays are the references of a schema that lead elsewhere once it is part of another. A member of an event may
// be called $ref or id too: what is described by an object is no reference.
func strays(schema any) []string {
	var found []string
	switch schema := schema.(type) {
	case map[string]any:
		if ref, ok := schema["$ref"].(string); ok && !strings.HasPrefix(ref, definitions) {
			found = append(found, fmt.Sprintf("$ref %q", ref))
		}
		if id, ok := schema["id"].(string); ok {
			found = append(found, fmt.Sprintf("id %q", id))
		}
		for _, member := range schema {
			found = append(found, strays(member)...)
		}
	case []any:
		for _, element := range schema {
			found = append(found, strays(element)...)
		}
	}
	return found
}
