package ingest_test

import (
	"bytes"
	"encoding/json"
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
	for _, schema := range []map[string]any{clickSchema(), named} {
		assert.NoError(t, (&ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/clicks", Stream: stream, Schema: schema}}}).Validate())
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
