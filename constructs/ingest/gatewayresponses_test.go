package ingest_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
)

// failure is the one shape of an error.
type failure struct {
	Error struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		RequestID string `json:"request_id"`
	} `json:"error"`
}

type deployedGatewayResponse struct {
	Properties struct {
		ResponseType       string
		StatusCode         string
		ResponseTemplates  map[string]string
		ResponseParameters map[string]string
	}
}

func TestWhatAPIGatewayAnswersByItselfHasTheOneShape(t *testing.T) {
	for auth, unknown := range map[ingest.Auth]string{ingest.AuthIAM: "403", ingest.AuthAPIKey: "404", ingest.AuthNone: "404"} {
		want := map[string]string{ // by response type: its status, "" as API Gateway has it
			"DEFAULT_4XX":                    "",
			"DEFAULT_5XX":                    "",
			"BAD_REQUEST_BODY":               "400",
			"BAD_REQUEST_PARAMETERS":         "400",
			"MISSING_AUTHENTICATION_TOKEN":   unknown, // an unknown path, and under IAM an unsigned request
			"RESOURCE_NOT_FOUND":             "404",
			"INVALID_API_KEY":                "403",
			"UNAUTHORIZED":                   "401",
			"ACCESS_DENIED":                  "403",
			"INVALID_SIGNATURE":              "403",
			"EXPIRED_TOKEN":                  "403",
			"UNSUPPORTED_MEDIA_TYPE":         "415",
			"REQUEST_TOO_LARGE":              "413",
			"THROTTLED":                      "429",
			"QUOTA_EXCEEDED":                 "429",
			"INTEGRATION_TIMEOUT":            "504",
			"INTEGRATION_FAILURE":            "502",
			"WAF_FILTERED":                   "403",
			"AUTHORIZER_FAILURE":             "500",
			"AUTHORIZER_CONFIGURATION_ERROR": "500",
			"API_CONFIGURATION_ERROR":        "500",
		}
		require.Len(t, want, 21, "all that API Gateway has: see supported-gateway-response-types")
		stack, _ := newAPI(ingest.IngestApiProps{Auth: auth})
		got := map[string]string{}
		for _, r := range find[deployedGatewayResponse](t, stack, "AWS::ApiGateway::GatewayResponse") {
			p := r.Properties
			got[p.ResponseType] = p.StatusCode

			require.Len(t, p.ResponseTemplates, 1, p.ResponseType)
			// There is no VTL in these: the text is the body but for $context variables.
			var body failure
			require.NoError(t, json.Unmarshal([]byte(p.ResponseTemplates["application/json"]), &body), p.ResponseType)
			assert.NotEmpty(t, body.Error.Code, p.ResponseType)
			assert.NotEmpty(t, body.Error.Message, p.ResponseType)
			assert.NotContains(t, body.Error.Message, "$", "%s: API Gateway's own messages hold quotes and client text", p.ResponseType)
			assert.Equal(t, "$context.requestId", body.Error.RequestID, p.ResponseType)
			// A used-up quota is not to be tried again in a second, nor does API Gateway know when.
			assert.Equal(t, p.ResponseType == "THROTTLED", p.ResponseParameters["gatewayresponse.header.Retry-After"] == "'1'", p.ResponseType)
		}
		assert.Equal(t, want, got)
	}
}

func TestAnUnknownPathIsToldTheRoutes(t *testing.T) {
	for _, auth := range []ingest.Auth{ingest.AuthIAM, ingest.AuthAPIKey} {
		stack, _ := newAPI(ingest.IngestApiProps{Auth: auth})
		for _, r := range find[deployedGatewayResponse](t, stack, "AWS::ApiGateway::GatewayResponse") {
			if r.Properties.ResponseType == "MISSING_AUTHENTICATION_TOKEN" {
				assert.Contains(t, r.Properties.ResponseTemplates["application/json"], "POST /events and POST /events/batch")
			}
		}
	}
}

func TestTheBodyThatIsAskedForIsTold(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/a"}, {Path: "/b", SkipBatch: true, Schema: clickSchema()}}})
	for _, r := range find[deployedGatewayResponse](t, stack, "AWS::ApiGateway::GatewayResponse") {
		if r.Properties.ResponseType == "BAD_REQUEST_BODY" {
			for _, part := range []string{"POST /a and POST /b", "POST /a/batch", "1 to 500", "schema of its route"} {
				assert.Contains(t, r.Properties.ResponseTemplates["application/json"], part)
			}
		}
	}
}

// TestFailuresAreAllThatAClientCanGet holds the list, which documents are made of, against what is deployed.
func TestFailuresAreAllThatAClientCanGet(t *testing.T) {
	props := ingest.IngestApiProps{}
	stack, _ := newAPI(props)
	deployed := map[string]bool{}
	for _, r := range find[deployedGatewayResponse](t, stack, "AWS::ApiGateway::GatewayResponse") {
		deployed[r.Properties.ResponseTemplates["application/json"]] = true
	}
	one := regexp.MustCompile(`\{"error":\{"code":".*`)
	for _, m := range methods(t, stack) {
		for _, r := range m.Properties.Integration.IntegrationResponses {
			for _, body := range one.FindAllString(r.ResponseTemplates["application/json"], -1) {
				deployed[body] = true
			}
		}
	}
	listed := map[string]bool{}
	for _, f := range props.Failures() {
		assert.Regexp(t, `^[45](\d\d|XX)$`, f.Status)
		assert.Equal(t, f.Code == "throttled" || f.Code == "unavailable", f.RetryAfter == 1, f.Code)
		listed[f.Body()] = true
	}
	assert.Equal(t, deployed, listed)
}
