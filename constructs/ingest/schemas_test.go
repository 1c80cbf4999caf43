package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// clickSchema is a schema as a user has it, in Go's own types and with definitions.
func clickSchema() map[string]any {
	return map[string]any{
		"title":      "A click",
		"type":       "object",
		"required":   []string{"page"},
		"properties": map[string]any{"page": map[string]any{"$ref": "#/definitions/page"}, "x": map[string]any{"type": "integer", "maximum": 100, "exclusiveMaximum": true}},
		"definitions": map[string]any{
			"page": map[string]any{"type": "string", "maxLength": 20},
			"tree": map[string]any{"type": "object", "additionalProperties": map[string]any{"$ref": "#/definitions/tree"}},
		},
	}
}

// model is the deployed schema of a method.
func model(t *testing.T, models map[string]deletable, m method) *jsonschema.Schema {
	t.Helper()
	name, ok := m.Properties.RequestModels["application/json"].(map[string]any)
	require.True(t, ok)
	text, err := json.Marshal(models[name["Ref"].(string)].Properties["Schema"])
	require.NoError(t, err)
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("deployed:schema", schema))
	return compiler.MustCompile("deployed:schema")
}

func accepts(t *testing.T, schema *jsonschema.Schema, body string) bool {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	require.NoError(t, err)
	return schema.Validate(value) == nil
}

func TestBodyAndParametersAreValidated(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::RequestValidator"), map[string]any{
		"ValidateRequestBody": true, "ValidateRequestParameters": true,
	})
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::Model"), map[string]any{
		"ContentType": "application/json",
		"Schema": map[string]any{
			"$schema": "http://json-schema.org/draft-04/schema#", "title": "One event", "type": "object", "minProperties": 1,
		},
	})
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::Model"), map[string]any{
		"ContentType": "application/json",
		"Schema": map[string]any{
			"$schema": "http://json-schema.org/draft-04/schema#", "title": "A batch of events", "type": "object",
			"required": []any{"events"}, "additionalProperties": false,
			"properties": map[string]any{"events": map[string]any{
				"type": "array", "minItems": 1, "maxItems": 500,
				"items": map[string]any{"type": "object", "minProperties": 1},
			}},
		},
	})
	for action, m := range methods(t, stack) {
		assert.NotNil(t, m.Properties.RequestValidatorId, action)
		assert.Len(t, m.Properties.RequestModels, 1, action)
		assert.Contains(t, m.Properties.RequestModels, "application/json", action)
	}
}

func TestASchemaOfTheUsersHoldsForSingleEventsAndForThoseOfABatch(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/clicks", Schema: clickSchema()}, {Path: "/views"}}})
	models := find[deletable](t, stack, "AWS::ApiGateway::Model")
	deployed := methodsByPath(t, stack)
	require.Len(t, models, 4)

	single, batch := model(t, models, deployed["POST /clicks"]), model(t, models, deployed["POST /clicks/batch"])
	assert.Equal(t, 4, single.DraftVersion)
	assert.Equal(t, 4, batch.DraftVersion)
	for event, fits := range map[string]bool{
		`{"page":"/"}`:                    true,
		`{"page":"/","x":99,"more":null}`: true,
		`{"page":"/","x":100}`:            false, // exclusiveMaximum is a boolean in draft 4
		`{}`:                              false,
		`{"page":7}`:                      false,
		`{"page":"` + strings.Repeat("/", 21) + `"}`: false,
		`[]`: false,
	} {
		assert.Equal(t, fits, accepts(t, single, event), event)
		assert.Equal(t, fits, accepts(t, batch, `{"events":[{"page":"/"},`+event+`]}`), event)
	}
	assert.False(t, accepts(t, batch, `{"events":[{"page":"/"}],"more":1}`))
	assert.False(t, accepts(t, batch, `{"events":[]}`))
	assert.True(t, accepts(t, model(t, models, deployed["POST /views"]), `{"anything":1}`))
}

func TestASchemaIsRefusedAtSynthWhereAPIGatewayWouldRefuseItOrABatchChangeIt(t *testing.T) {
	for name, c := range map[string]struct {
		schema map[string]any
		says   string
	}{
		"no type":                 {map[string]any{}, `schema's type must be "object"`},
		"another type":            {map[string]any{"type": "array"}, `got array`},
		"a reference as a whole":  {map[string]any{"type": "object", "$ref": "#/definitions/a", "definitions": map[string]any{"a": map[string]any{}}}, "put it into allOf"},
		"a later keyword":         {within(map[string]any{"const": 1}), `got "const" (in draft 4: enum with one value)`},
		"one of a condition":      {map[string]any{"type": "object", "allOf": []any{map[string]any{"if": map[string]any{}}}}, `"if" (in draft 4: anyOf and not)`},
		"later definitions":       {map[string]any{"type": "object", "$defs": map[string]any{}}, `"$defs" (in draft 4: definitions)`},
		"examples":                {map[string]any{"type": "object", "examples": []any{}}, `"examples"`},
		"a typo":                  {map[string]any{"type": "object", "propertys": map[string]any{}}, `got "propertys"`},
		"a typo in a definition":  {map[string]any{"type": "object", "definitions": map[string]any{"a": map[string]any{"items": []any{map[string]any{"maximun": 1}}}}}, `got "maximun"`},
		"a typo in a dependency":  {map[string]any{"type": "object", "dependencies": map[string]any{"a": []any{"b"}, "c": map[string]any{"not": map[string]any{"requires": 1}}}}, `got "requires"`},
		"a draft within":          {within(map[string]any{"$schema": "http://json-schema.org/draft-04/schema#"}), `"$schema" (in draft 4: say it at the root only)`},
		"another draft":           {map[string]any{"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema"}, "draft-04"},
		"not draft 4":             {map[string]any{"type": "object", "required": true}, "JSON Schema draft 4"},
		"a missing definition":    {map[string]any{"type": "object", "additionalProperties": map[string]any{"$ref": "#/definitions/none"}}, "JSON Schema draft 4"},
		"a reference to the root": {map[string]any{"type": "object", "additionalProperties": map[string]any{"$ref": "#"}}, `$ref "#"`},
		"a reference outside":     {map[string]any{"type": "object", "allOf": []any{map[string]any{"$ref": "http://example.com/schema"}}}, `$ref "http://example.com/schema"`},
		"an id":                   {map[string]any{"type": "object", "id": "http://example.com/click"}, `id "http://example.com/click"`},
		"not JSON":                {map[string]any{"type": "object", "maxProperties": math.Inf(1)}, "must be JSON"},
		"too large":               {map[string]any{"type": "object", "description": strings.Repeat("x", 400<<10)}, "409600 bytes"},
	} {
		err := (&ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/clicks", Schema: c.schema}}}).Validate()
		require.Error(t, err, name)
		assert.ErrorContains(t, err, `route 0 ("/clicks"): schema`, name)
		assert.ErrorContains(t, err, c.says, name)
	}
	stream := theirStream(cdktest.NewStack(), "clicks")
	named := clickSchema()
	named["properties"] = map[string]any{"id": map[string]any{"type": "string"}, "$ref": map[string]any{"type": "string"}}
	// Members may be called as any keyword is, and values hold what they like.
	asKeywords := map[string]any{
		"type": "object", "$schema": "http://json-schema.org/draft-04/schema#",
		"properties":   map[string]any{"const": map[string]any{}, "propertys": map[string]any{"enum": []any{map[string]any{"if": 1}}, "default": map[string]any{"const": 1}}},
		"dependencies": map[string]any{"contains": []any{"if"}},
	}
	for _, schema := range []map[string]any{clickSchema(), named, asKeywords} {
		assert.NoError(t, (&ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/clicks", Stream: stream, Schema: schema}}}).Validate())
	}
}

// within is a schema with another one for a member.
func within(schema map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": map[string]any{"a": schema}}
}

func TestAnEmptyEventIsRefusedWhateverTheSchema(t *testing.T) {
	for name, c := range map[string]struct {
		schema map[string]any
		least  int
	}{
		"none":               {nil, 1},
		"one of any object":  {map[string]any{"type": "object"}, 1},
		"one that says zero": {map[string]any{"type": "object", "minProperties": 0.0}, 1},
		"one that says more": {map[string]any{"type": "object", "minProperties": int64(2)}, 2},
	} {
		stack, api := newAPI(ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/a", Schema: c.schema}}})
		models, deployed := find[deletable](t, stack, "AWS::ApiGateway::Model"), methodsByPath(t, stack)
		single, batch := model(t, models, deployed["POST /a"]), model(t, models, deployed["POST /a/batch"])
		for event, fits := range map[string]bool{`{}`: false, `{"a":1}`: c.least < 2, `{"a":1,"b":2}`: true} {
			assert.Equal(t, fits, accepts(t, single, event), "%s: %s", name, event)
			assert.Equal(t, fits, accepts(t, batch, `{"events":[`+event+`]}`), "%s: %s", name, event)
		}
		document, err := api.OpenAPI()
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(strings.Join(strings.Fields(string(document)), ""), fmt.Sprintf(`"minProperties":%d`, c.least)), name)
	}
}

func TestASchemaIsNotChanged(t *testing.T) {
	schema := clickSchema()
	newAPI(ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/clicks", Schema: schema}}})
	assert.Equal(t, clickSchema(), schema)
}

func TestANewSchemaIsANewDeployment(t *testing.T) {
	deployment := func(schema map[string]any) string {
		stack, _ := newAPI(ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/clicks", Schema: schema}}})
		for id := range find[any](t, stack, "AWS::ApiGateway::Deployment") {
			return id
		}
		return ""
	}
	narrower := clickSchema()
	narrower["additionalProperties"] = false
	before, same := deployment(clickSchema()), deployment(clickSchema())
	assert.Equal(t, before, same)
	assert.NotEqual(t, before, deployment(narrower), "a stage keeps the models of its deployment")
}
