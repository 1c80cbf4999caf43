package gateway_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The tables of https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html.
// Example 1 has one template, for application/json; example 2 one for application/xml; example 3 both
// templates; the last column is an integration with none.
func TestTheContentTypeAndThePassthroughBehaviorDecide(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	const template = `{"statusCode": 200}`
	behaviors := []string{"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"}
	examples := map[string]map[string]string{
		"json": {"application/json": template}, "xml": {"application/xml": template},
		"both": {"application/json": template, "application/xml": template}, "none": nil,
	}
	for example, templates := range examples {
		for _, behavior := range behaviors {
			a.add(t, method{verb: "POST", path: "/" + example + "/" + behavior, pass: behavior, request: templates, responses: []answer{
				{status: "200", pattern: "200", template: "transformed"}, {status: "202", template: "as-is"},
			}})
		}
	}
	a.deploy(t)

	// The body stands for itself when it gets to the mock as it is.
	const asIs = `{"statusCode": 299}`
	transformed, passed, refused := "200 transformed", "202 as-is", `415 {"message":"Unsupported Media Type"}`
	for _, tt := range []struct {
		example, contentType string
		want                 [3]string // by behavior
	}{
		{"json", "", [3]string{transformed, transformed, transformed}},
		{"json", "application/json", [3]string{transformed, transformed, transformed}},
		{"json", "application/xml", [3]string{passed, refused, refused}},
		{"xml", "", [3]string{passed, refused, refused}},
		{"xml", "application/json", [3]string{passed, refused, refused}},
		{"xml", "application/xml", [3]string{transformed, transformed, transformed}},
		{"both", "", [3]string{transformed, transformed, transformed}},
		{"both", "application/xml", [3]string{transformed, transformed, transformed}},
		{"both", "text/plain", [3]string{passed, refused, refused}},
		{"none", "application/json", [3]string{passed, passed, refused}},
		// Not documented: parameters and the case of letters make no difference.
		{"json", "application/json; charset=utf-8", [3]string{transformed, transformed, transformed}},
		{"json", "Application/JSON;charset=UTF-8", [3]string{transformed, transformed, transformed}},
		{"json", "application/json;", [3]string{transformed, transformed, transformed}},
		// A type that only looks like it is another one.
		{"json", "application/json+problem", [3]string{passed, refused, refused}},
		{"json", "application/*", [3]string{passed, refused, refused}},
		{"json", "application/x-www-form-urlencoded", [3]string{passed, refused, refused}},
	} {
		for i, behavior := range behaviors {
			t.Run(fmt.Sprintf("%s template, %q, %s", tt.example, tt.contentType, behavior), func(t *testing.T) {
				got := a.do(t, "POST", "/"+tt.example+"/"+behavior, asIs, "Content-Type", tt.contentType)
				assert.Equal(t, tt.want[i], fmt.Sprint(got.status, " ", got.body))
			})
		}
	}
}
