package ingest

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// failure is an error as clients see it: a code for programs, a message that says
// what to change. Both are constants of ours. API Gateway's own texts
// ($context.error.message and the validator's) stay out: they hold quotes and
// client text, and what escapes them is not documented.
type failure struct{ code, message string }

var (
	throttled = failure{
		"throttled",
		"More is coming than the stream takes. Wait for the seconds in Retry-After, then send the same request again.",
	}
	unavailable = failure{
		"unavailable",
		"The stream did not take this request. Send it again; where events have an event_id, a repeat does no harm.",
	}
	tooLarge = failure{
		"too_large",
		"An event may have up to 1 MiB and a request a few MiB. Send smaller events, or fewer in a batch; nothing of this request was stored.",
	}
	refused = failure{
		"refused",
		"The stream refused this request; nothing of it was stored. Check the events and send them again.",
	}
	backend = failure{
		"backend_error",
		"The API cannot write to its stream; no change to the request helps. Report the request_id, and send the events again later.",
	}
)

// body is the one shape of every error, as text of a mapping template: the
// message must hold nothing that VTL reads ($ and #).
func (f failure) body() string {
	text, err := json.Marshal(map[string]any{
		"error": map[string]string{"code": f.code, "message": f.message, "request_id": "$context.requestId"},
	})
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	return string(text)
}

// response is an integration response: what a client gets for the HTTP statuses of
// Kinesis that pattern matches. API Gateway holds one for each status, and matches
// a pattern against the whole of Kinesis's status; it takes the response without a
// pattern for whatever no pattern matches, hence that one is an error.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
type response struct {
	pattern    string
	status     string
	template   string
	retryAfter bool
	// overrides are further statuses that the template may set.
	overrides []string
}

// responses of a route. Patterns do not overlap: which of two would win is not documented.
func responses(r route) []response {
	bodies := map[string]string{
		"THROTTLED":   throttled.body(),
		"UNAVAILABLE": unavailable.body(),
		"TOO_LARGE":   tooLarge.body(),
		"REFUSED":     refused.body(),
		"BACKEND":     backend.body(),
	}
	accepted := response{pattern: `2\d{2}`, status: "202", template: template(r.accepted, bodies)}
	if r.path == batchPath {
		accepted.overrides = []string{"207", "429", "503"}
	}
	return []response{
		accepted,
		{pattern: "400", status: "400", template: template("refused.vtl", bodies), overrides: []string{"413", "429", "502"}},
		{pattern: "413", status: "413", template: tooLarge.body()},
		{pattern: "429", status: "429", template: throttled.body(), retryAfter: true},
		{pattern: `5\d{2}`, status: "503", template: unavailable.body(), retryAfter: true},
		{status: "502", template: backend.body()},
	}
}

func integrationResponses(responses []response) *[]*awsapigateway.IntegrationResponse {
	var list []*awsapigateway.IntegrationResponse
	for _, r := range responses {
		parameters := map[string]*string{
			"method.response.header.Content-Type": jsii.String("'application/json'"),
		}
		if r.retryAfter {
			parameters["method.response.header.Retry-After"] = jsii.String("'1'")
		}
		response := &awsapigateway.IntegrationResponse{
			StatusCode:         jsii.String(r.status),
			ResponseParameters: &parameters,
			ResponseTemplates:  &map[string]*string{"application/json": jsii.String(r.template)},
		}
		if r.pattern != "" {
			response.SelectionPattern = jsii.String(r.pattern)
		}
		list = append(list, response)
	}
	return &list
}

// methodResponses declares every status and header that a response maps or a
// template sets; API Gateway answers 500 to one that is not declared.
func methodResponses(responses []response) *[]*awsapigateway.MethodResponse {
	var list []*awsapigateway.MethodResponse
	declared := map[string]bool{}
	for _, r := range responses {
		for _, status := range append([]string{r.status}, r.overrides...) {
			if declared[status] {
				continue
			}
			declared[status] = true
			list = append(list, &awsapigateway.MethodResponse{
				StatusCode: jsii.String(status),
				ResponseParameters: &map[string]*bool{
					"method.response.header.Content-Type": jsii.Bool(true),
					"method.response.header.Retry-After":  jsii.Bool(false),
				},
			})
		}
	}
	return &list
}

// gatewayResponse is what API Gateway answers by itself, without a call to Kinesis.
type gatewayResponse struct {
	kind       awsapigateway.ResponseType
	status     string // empty: as API Gateway has it
	failure    failure
	retryAfter bool
}

// addGatewayResponses gives every answer that API Gateway makes by itself the shape
// of ours. Their texts take $context variables and no VTL.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func (a *IngestApi) addGatewayResponses(p IngestApiProps) {
	routes := fmt.Sprintf("The routes are POST %s and POST %s.", eventPath, batchPath)
	// API Gateway answers to an unknown path and to an unsigned request in one way.
	unknown := gatewayResponse{
		awsapigateway.ResponseType_MISSING_AUTHENTICATION_TOKEN(), "403",
		failure{"not_signed_or_not_found", "The request is not signed, or no such route exists. Sign it with AWS Signature Version 4 for the service execute-api. " + routes},
		false,
	}
	if p.Auth == AuthAPIKey {
		unknown = gatewayResponse{
			awsapigateway.ResponseType_MISSING_AUTHENTICATION_TOKEN(), "404",
			failure{"not_found", "No such route. " + routes},
			false,
		}
	}
	denied := failure{"access_denied", "The caller may not post here. It needs execute-api:Invoke on this route."}
	for _, r := range []gatewayResponse{
		{
			awsapigateway.ResponseType_DEFAULT_4XX(), "",
			failure{"bad_request", "The request was refused as it stands: check its path, headers and signature. " + routes},
			false,
		},
		{
			awsapigateway.ResponseType_DEFAULT_5XX(), "",
			failure{"internal_error", "The API failed. Send the request again; report the request_id if it goes on."},
			false,
		},
		{
			awsapigateway.ResponseType_BAD_REQUEST_BODY(), "400",
			failure{"invalid_body", fmt.Sprintf("The body does not fit. POST %s takes one JSON object that is not empty; "+
				"POST %s takes an object with the one member \"events\", an array of 1 to %d such objects.", eventPath, batchPath, maxBatch)},
			false,
		},
		{
			awsapigateway.ResponseType_BAD_REQUEST_PARAMETERS(), "400",
			failure{"invalid_parameters", "A header or query parameter is missing or wrong."},
			false,
		},
		unknown,
		{awsapigateway.ResponseType_RESOURCE_NOT_FOUND(), "404", failure{"not_found", "No such route. " + routes}, false},
		{
			awsapigateway.ResponseType_INVALID_API_KEY(), "403",
			failure{"invalid_api_key", "The header x-api-key is missing, or its key is not one of this API's."},
			false,
		},
		{
			awsapigateway.ResponseType_UNAUTHORIZED(), "401",
			failure{"unauthorized", "The credentials are missing or not valid."},
			false,
		},
		{awsapigateway.ResponseType_ACCESS_DENIED(), "403", denied, false},
		{
			awsapigateway.ResponseType_INVALID_SIGNATURE(), "403",
			failure{"invalid_signature", "The signature does not match the request. Check the keys, the clock and the region, and sign for the service execute-api."},
			false,
		},
		{
			awsapigateway.ResponseType_EXPIRED_TOKEN(), "403",
			failure{"expired_token", "The security token has expired. Get new credentials and sign the request again."},
			false,
		},
		{
			awsapigateway.ResponseType_UNSUPPORTED_MEDIA_TYPE(), "415",
			failure{"unsupported_media_type", "Send the header Content-Type: application/json."},
			false,
		},
		{awsapigateway.ResponseType_REQUEST_TOO_LARGE(), "413", tooLarge, false},
		{awsapigateway.ResponseType_THROTTLED(), "429", throttled, true},
		{
			awsapigateway.ResponseType_QUOTA_EXCEEDED(), "429",
			failure{"quota_exceeded", "This key's quota is used up. Wait for its next period, or ask for a larger one."},
			false,
		},
		{
			awsapigateway.ResponseType_INTEGRATION_TIMEOUT(), "504",
			failure{"timeout", "The stream took too long; whether it has the request is not known. Send it again; where events have an event_id, a repeat does no harm."},
			false,
		},
		{awsapigateway.ResponseType_INTEGRATION_FAILURE(), "502", backend, false},
	} {
		a.addGatewayResponse(r)
	}
}

func (a *IngestApi) addGatewayResponse(r gatewayResponse) {
	options := &awsapigateway.GatewayResponseOptions{
		Type:      r.kind,
		Templates: &map[string]*string{"application/json": jsii.String(r.failure.body())},
	}
	if r.status != "" {
		options.StatusCode = jsii.String(r.status)
	}
	if r.retryAfter {
		options.ResponseHeaders = &map[string]*string{"Retry-After": jsii.String("'1'")}
	}
	a.RestApi.AddGatewayResponse(r.kind.ResponseType(), options)
}
