package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// document is the OpenAPI document that the synth of what is deployed wrote.
type document struct {
	validator.Validator
	Paths map[string]map[string]struct {
		RequestBody struct {
			Content map[string]struct {
				Examples map[string]struct{ Value json.RawMessage }
			}
		}
	}
}

func contract(t *testing.T) document {
	t.Helper()
	path := os.Getenv("OPENAPI") // of a real environment: millrace openapi --env=… > FILE
	if path == "" {
		onlyLocal(t)
		path = filepath.Join(root, ".millrace", "cdk.out", "Millrace-local-Pipeline.openapi.json")
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	parsed, err := libopenapi.NewDocument(text)
	require.NoError(t, err)
	var d document
	var errs []error
	d.Validator, errs = validator.NewValidator(parsed)
	require.Empty(t, errs)
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// holds fails the test unless the document has an answer of this status, with such a body.
func (d document) holds(t *testing.T, r reply) {
	t.Helper()
	// The document's paths begin behind the API's address.
	request, err := http.NewRequestWithContext(t.Context(), r.method, "https://events.example.com"+r.path, nil)
	require.NoError(t, err)
	valid, problems := d.ValidateHttpResponse(request, &http.Response{
		StatusCode: r.status, Header: r.header, Body: io.NopCloser(strings.NewReader(r.body)),
	})
	assert.True(t, valid, "%d %s: %v", r.status, r.body, problems)
}

func TestTheExamplesOfTheContractAreTakenAndTheAnswersAreAsItSays(t *testing.T) {
	d := contract(t)
	tried := 0
	for path, operations := range d.Paths {
		for method, operation := range operations {
			method = strings.ToUpper(method)
			if method == http.MethodGet {
				answer := exchange(t, method, path, nil, nil)
				assert.Equal(t, http.StatusOK, answer.status, "%s is open to all: %s", path, answer.body)
				d.holds(t, answer)
				tried++
			}
			for name, example := range operation.RequestBody.Content["application/json"].Examples {
				answer := exchange(t, method, path, example.Value, map[string]string{"Content-Type": "application/json", "X-Api-Key": os.Getenv("API_KEY")})
				assert.Equal(t, http.StatusAccepted, answer.status, "%s %s: %s", path, name, answer.body)
				d.holds(t, answer)
				tried++
			}
		}
	}
	assert.GreaterOrEqual(t, tried, 3, "an event, a batch, and more")
}
