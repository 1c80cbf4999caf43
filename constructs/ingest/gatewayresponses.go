package ingest

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// gatewayResponse is what API Gateway answers by itself, without a call to Kinesis.
type gatewayResponse struct {
	kind    string
	failure Failure
}

// gatewayResponses give every answer that API Gateway makes by itself the shape
// of ours. Their texts take $context variables and no VTL.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func (p *IngestApiProps) gatewayResponses() []gatewayResponse {
	routes := "The routes are POST " + strings.Join(p.paths(), " and POST ") + "."
	// API Gateway answers to an unknown path and to an unsigned request in one way.
	unknown := Failure{"404", "not_found", "No such route. " + routes, 0}
	if p.Auth == AuthIAM {
		unknown = Failure{"403", "not_signed_or_not_found", "The request is not signed, or no such route exists. Sign it with AWS Signature Version 4 for the service execute-api. " + routes, 0}
	}
	misconfigured := Failure{"500", "internal_error", "The API failed. Send the request again; report the request_id if it goes on.", 0}
	return []gatewayResponse{
		{"DEFAULT_4XX", Failure{"4XX", "bad_request", "The request was refused as it stands: check its path, headers and signature. " + routes, 0}},
		{"DEFAULT_5XX", Failure{"5XX", misconfigured.Code, misconfigured.Message, 0}},
		{"BAD_REQUEST_BODY", Failure{"400", "invalid_body", p.bodies(), 0}},
		{"BAD_REQUEST_PARAMETERS", Failure{"400", "invalid_parameters", "A header or query parameter is missing or wrong.", 0}},
		{"MISSING_AUTHENTICATION_TOKEN", unknown},
		{"RESOURCE_NOT_FOUND", Failure{"404", "not_found", "No such route. " + routes, 0}},
		{"INVALID_API_KEY", Failure{"403", "invalid_api_key", "The header x-api-key is missing, or its key is not one of this API's.", 0}},
		{"UNAUTHORIZED", Failure{"401", "unauthorized", "The credentials are missing or not valid.", 0}},
		{"ACCESS_DENIED", Failure{"403", "access_denied", "The caller may not post here. It needs execute-api:Invoke on this route, and the API's resource policy and authorizer must let it.", 0}},
		{"INVALID_SIGNATURE", Failure{"403", "invalid_signature", "The signature does not match the request. Check the keys, the clock and the region, and sign for the service execute-api.", 0}},
		{"EXPIRED_TOKEN", Failure{"403", "expired_token", "The security token has expired. Get new credentials and sign the request again.", 0}},
		{"AUTHORIZER_FAILURE", Failure{"500", "authorizer_error", "The authorizer failed, so nothing was decided. Send the request again; report the request_id if it goes on.", 0}},
		{"AUTHORIZER_CONFIGURATION_ERROR", Failure{"500", "authorizer_error", "The authorizer failed, so nothing was decided. Send the request again; report the request_id if it goes on.", 0}},
		{"WAF_FILTERED", Failure{"403", "blocked", "The web application firewall refused this request, for its content or since its address sends too many. Report the request_id if it should pass.", 0}},
		{"UNSUPPORTED_MEDIA_TYPE", Failure{"415", "unsupported_media_type", "Send the header Content-Type: application/json, and no Content-Encoding but gzip or deflate.", 0}},
		{"REQUEST_TOO_LARGE", tooLarge},
		{"THROTTLED", throttled},
		// Without Retry-After: a quota's next period is hours or weeks away, and a gateway response's headers are constants.
		{"QUOTA_EXCEEDED", Failure{"429", "quota_exceeded", "This key's quota is used up. Wait for its next period, or ask for a larger one.", 0}},
		{"INTEGRATION_TIMEOUT", Failure{"504", "timeout", "The stream took too long; whether it has the request is not known. Send it again; where events have an event_id, a repeat does no harm.", 0}},
		{"INTEGRATION_FAILURE", backend},
		{"API_CONFIGURATION_ERROR", misconfigured},
	}
}

// bodies say what each route takes.
func (p *IngestApiProps) bodies() string {
	var single, batch []string
	own := ""
	for _, c := range p.calls() {
		if c.batch {
			batch = append(batch, "POST "+c.path())
		} else {
			single = append(single, "POST "+c.path())
		}
		if c.Schema != nil {
			own = " Each must fit the schema of its route."
		}
	}
	text := "The body does not fit: it must be JSON. To " + strings.Join(single, " and ") + " send one JSON object that is not empty."
	if len(batch) > 0 {
		text += fmt.Sprintf(" To %s send an object with the one member \"events\", an array of 1 to %d such objects.", strings.Join(batch, " and "), maxBatch)
	}
	return text + own
}

func (a *IngestApi) addGatewayResponses(p IngestApiProps) {
	for _, r := range p.gatewayResponses() {
		options := &awsapigateway.GatewayResponseOptions{
			Type:      awsapigateway.ResponseType_Of(&r.kind),
			Templates: &map[string]*string{"application/json": jsii.String(r.failure.Body())},
		}
		if !strings.HasSuffix(r.failure.Status, "XX") { // these keep the status of what went wrong
			options.StatusCode = jsii.String(r.failure.Status)
		}
		headers := map[string]*string{}
		for name, value := range p.corsHeaders() {
			headers[name] = jsii.Sprintf("'%s'", value)
		}
		if r.failure.RetryAfter > 0 {
			headers["Retry-After"] = jsii.Sprintf("'%d'", r.failure.RetryAfter)
		}
		if len(headers) > 0 {
			options.ResponseHeaders = &headers
		}
		a.RestApi.AddGatewayResponse(&r.kind, options)
	}
}
