package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// validate does basic request validation: required parameters are there and not blank, the
// body is JSON and adheres to the model of its content type.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
func (x *exchange) validate() error {
	var missing []string
	for _, parameter := range x.method.parameters {
		if v, _ := x.value(parameter); strings.TrimSpace(v) == "" {
			missing = append(missing, parameter[strings.LastIndex(parameter, ".")+1:])
		}
	}
	if len(missing) > 0 {
		return refused(types.GatewayResponseTypeBadRequestParameters,
			fmt.Sprintf("Missing required request parameters: [%s]", strings.Join(missing, ", ")))
	}
	if !utf8.Valid(x.body) { // not documented; templates could not carry it unchanged
		return invalidBody("the body is not valid UTF-8")
	}
	if !x.method.validateBody {
		return nil
	}
	// "If API Gateway can't find a matching content type, it doesn't perform request
	// validation. To use the same model regardless of the content type, enter $default." (same page)
	schema, ok := x.method.models[x.contentType()]
	if !ok {
		schema, ok = x.method.models["$default"]
	}
	if !ok {
		return nil
	}
	return check(schema, x.body)
}

func check(schema *jsonschema.Schema, body []byte) (err error) {
	defer func() {
		// The library compares numbers as fractions, and 1e1000001 is none for Go.
		if recover() != nil {
			err = invalidBody("a number is out of range")
		}
	}()
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}") // API Gateway takes no body for an empty object; not documented
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body)) // with exact numbers
	if err != nil {
		return invalidBody("the body is not JSON: " + err.Error())
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(value); errors.As(err, &invalid) {
		return invalidBody(strings.Join(problems(invalid), ", "))
	} else if err != nil {
		return invalidBody(err.Error())
	}
	return nil
}

func invalidBody(detail string) *refusal {
	r := refused(types.GatewayResponseTypeBadRequestBody, "Invalid request body")
	r.detail = "[" + detail + "]"
	return r
}

// maxProblems bounds $context.error.validationErrorString.
const maxProblems = 10

func problems(e *jsonschema.ValidationError) []string {
	if len(e.Causes) == 0 {
		at := "/" + strings.Join(e.InstanceLocation, "/")
		return []string{at + ": " + e.ErrorKind.LocalizedString(message.NewPrinter(language.English))}
	}
	var all []string
	for _, cause := range e.Causes {
		if all = append(all, problems(cause)...); len(all) >= maxProblems {
			return all[:maxProblems]
		}
	}
	return all
}

// contentType is the request's without parameters; without the header it is JSON.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
func (x *exchange) contentType() string {
	return mediaType(x.Header.Get("Content-Type"))
}

func mediaType(header string) string {
	if strings.TrimSpace(header) == "" {
		return "application/json"
	}
	if kind, _, err := mime.ParseMediaType(header); err == nil {
		return kind
	}
	kind, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
