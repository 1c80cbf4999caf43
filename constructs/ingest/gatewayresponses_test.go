package ingest_test

import (
	"encoding/json"
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
	for auth, unknown := range map[ingest.Auth]string{ingest.AuthIAM: "403", ingest.AuthAPIKey: "404"} {
		want := map[string]string{ // by response type: its status, "" as API Gateway has it
			"DEFAULT_4XX":                  "",
			"DEFAULT_5XX":                  "",
			"BAD_REQUEST_BODY":             "400",
			"BAD_REQUEST_PARAMETERS":       "400",
			"MISSING_AUTHENTICATION_TOKEN": unknown, // an unknown path, and under IAM an unsigned request
			"RESOURCE_NOT_FOUND":           "404",
			"INVALID_API_KEY":              "403",
			"UNAUTHORIZED":                 "401",
			"ACCESS_DENIED":                "403",
			"INVALID_SIGNATURE":            "403",
			"EXPIRED_TOKEN":                "403",
			"UNSUPPORTED_MEDIA_TYPE":       "415",
			"REQUEST_TOO_LARGE":            "413",
			"THROTTLED":                    "429",
			"QUOTA_EXCEEDED":               "429",
			"INTEGRATION_TIMEOUT":          "504",
			"INTEGRATION_FAILURE":          "502",
		}
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
