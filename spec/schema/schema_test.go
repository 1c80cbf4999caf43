package schema_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/spec/schema"
)

func TestCheckNamesTheSchemaAndItsTrouble(t *testing.T) {
	for text, problem := range map[string]string{
		`{"type":"object","required":["a"]}`:                    "",
		`{"type":"thing"}`:                                      "schema 2: compiling the schema",
		`{"properties":{"a":{"pattern":"("}}}`:                  "schema 2: compiling the schema",
		`{"$ref":"https://example.com/other.json"}`:             "https://example.com/other.json is another document",
		`{"$ref":"file:///etc/passwd"}`:                         "is another document",
		`{"$schema":"http://json-schema.org/draft-04/schema#"}`: "",
		`7`: "schema 2: compiling the schema",
	} {
		err := schema.Check(json.RawMessage(`{}`), json.RawMessage(text))
		if problem == "" {
			assert.NoError(t, err, text)
			continue
		}
		assert.ErrorContains(t, err, problem, text)
	}
}
