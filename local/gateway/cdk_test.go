package gateway_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What decides a client's answer must survive the emulator's CloudFormation, which the launcher in local/cloud mends.
// testdata/cdk.template.json has the resources as the CDK's L2 constructs synthesize them:
// AddCorsPreflight with three origins, a stage's and a usage plan's throttles by method, gateway
// responses, keys.
func TestAnAPIAsTheCDKSynthesizesIt(t *testing.T) {
	config, g := startGateway(t)
	template, err := os.ReadFile("testdata/cdk.template.json")
	require.NoError(t, err)
	stack := deployStack(t, cloudformation.NewFromConfig(config), string(template))
	a := &api{id: stack["Api"], stage: "live", gateway: g, key: "key-of-a-client-0123456789"}

	// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
	for origin, allowed := range map[string]string{
		"https://one.example": "https://one.example", "https://two.example": "https://two.example", "https://three.example": "https://three.example",
		"https://evil.example": "https://one.example", // the browser compares
	} {
		t.Run("a preflight from "+origin, func(t *testing.T) {
			got := a.do(t, "OPTIONS", "/events", "", "Origin", origin, "Access-Control-Request-Method", "POST", "x-api-key", "")
			assert.Equal(t, http.StatusNoContent, got.status, got.body)
			assert.Equal(t, []string{allowed}, got.header.Values("Access-Control-Allow-Origin"))
			assert.Equal(t, "Content-Type,x-api-key", got.header.Get("Access-Control-Allow-Headers"))
			assert.Equal(t, "POST", got.header.Get("Access-Control-Allow-Methods"))
			assert.Equal(t, "600", got.header.Get("Access-Control-Max-Age"))
			assert.Equal(t, "Origin", got.header.Get("Vary"))
			assert.Empty(t, got.body)
		})
	}
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
	for name, tt := range map[string]struct {
		verb, path, body, key, contentType string
		status                             int
		code                               string
	}{
		"no key":               {"POST", "/events", "{}", "", "", 403, "INVALID_API_KEY"},
		"a disabled key":       {"POST", "/events", "{}", "key-that-is-disabled-0123456789", "", 403, "INVALID_API_KEY"},
		"another method":       {"PUT", "/events", "{}", a.key, "", 403, "MISSING_AUTHENTICATION_TOKEN"},
		"another path":         {"POST", "/nope", "{}", a.key, "", 403, "MISSING_AUTHENTICATION_TOKEN"},
		"a body of no model":   {"POST", "/events", "[]", a.key, "", 400, "BAD_REQUEST_BODY"},
		"another content type": {"POST", "/events", "{}", a.key, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"},
	} {
		t.Run("an error has CORS headers too: "+name, func(t *testing.T) {
			got := a.do(t, tt.verb, tt.path, tt.body, "x-api-key", tt.key, "Content-Type", tt.contentType)
			assert.Equal(t, tt.status, got.status)
			assert.Equal(t, "https://one.example", got.header.Get("Access-Control-Allow-Origin"))
			assert.Equal(t, "Origin", got.header.Get("Vary"))
			assert.Equal(t, fmt.Sprintf(`{"error":{"code":"%s","request_id":"%s"}}`, tt.code, got.header.Get("X-Amzn-Requestid")), got.body)
		})
	}
	t.Run("a response is compressed", func(t *testing.T) { // the two refused above took a token each of the five
		got := a.post(t, "/events", "{}", "Accept-Encoding", "gzip")
		assert.Equal(t, http.StatusAccepted, got.status, got.body)
		assert.Equal(t, "gzip", got.header.Get("Content-Encoding"))
	})
	t.Run("a client is throttled by method", func(t *testing.T) {
		var statuses []int
		var last reply
		for range 3 {
			last = a.post(t, "/events", "{}")
			statuses = append(statuses, last.status)
		}
		assert.Equal(t, []int{202, 202, 429}, statuses)
		assert.Equal(t, "slow down", last.body)
		assert.Equal(t, "1", last.header.Get("Retry-After"))
		assert.Empty(t, last.header.Get("Access-Control-Allow-Origin"), "a response of its own inherits nothing")
	})
	t.Run("a stage's method has a throttle of its own", func(t *testing.T) {
		var statuses []int
		for range 3 {
			statuses = append(statuses, a.do(t, "GET", "/events", "").status)
		}
		assert.Equal(t, []int{200, 200, 429}, statuses)
	})
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
	t.Run("a key from an authorizer is not taken from a header", func(t *testing.T) {
		other := &api{id: stack["Other"], stage: "live", gateway: g, key: a.key}
		assert.Equal(t, http.StatusInternalServerError, other.do(t, "GET", "/", "").status)
	})
	t.Run("a validator can be switched off", func(t *testing.T) {
		changed := strings.NewReplacer(`"ValidateRequestBody": true`, `"ValidateRequestBody": false`, `"Deployment"`, `"NextDeployment"`,
			`"BurstLimit": 5`, `"BurstLimit": 500`, `"RateLimit": 0.1`, `"RateLimit": 500`).Replace(string(template))
		deployStack(t, cloudformation.NewFromConfig(config), changed)
		time.Sleep(600 * time.Millisecond) // twice as long as a deployment may go unnoticed
		assert.Equal(t, http.StatusAccepted, a.post(t, "/events", "[]").status)
	})
}

// deployStack makes or updates the test's stack and returns its outputs.
func deployStack(t *testing.T, client *cloudformation.Client, template string) map[string]string {
	t.Helper()
	name := aws.String("api")
	found := &cloudformation.DescribeStacksInput{StackName: name}
	if _, err := client.DescribeStacks(t.Context(), found); err != nil {
		_, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateBody: &template})
		require.NoError(t, err)
		require.NoError(t, cloudformation.NewStackCreateCompleteWaiter(client).Wait(t.Context(), found, time.Minute))
	} else {
		_, err := client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: name, TemplateBody: &template})
		require.NoError(t, err)
		require.NoError(t, cloudformation.NewStackUpdateCompleteWaiter(client).Wait(t.Context(), found, time.Minute))
	}
	stacks, err := client.DescribeStacks(t.Context(), found)
	require.NoError(t, err)
	outputs := map[string]string{}
	for _, output := range stacks.Stacks[0].Outputs {
		outputs[*output.OutputKey] = *output.OutputValue
	}
	return outputs
}
