package gateway

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// refusal ends a request with a gateway response.
type refusal struct {
	kind    types.GatewayResponseType
	message string // $context.error.message
	detail  string // $context.error.validationErrorString
	cause   error  // for our log only; nil if it is the client's doing
}

func (r *refusal) Error() string { return string(r.kind) + ": " + r.message }

// refused is a refusal that is the client's doing.
func refused(kind types.GatewayResponseType, message string) *refusal {
	return &refusal{kind: kind, message: message}
}

// failed is one that is not; the cause does not reach the client.
func failed(kind types.GatewayResponseType, cause error) *refusal {
	return &refusal{kind: kind, message: "Internal server error", cause: cause}
}

// defaultStatus is the status of each gateway response that is not customized.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func defaultStatus(kind types.GatewayResponseType) int {
	switch kind {
	case types.GatewayResponseTypeUnauthorized:
		return http.StatusUnauthorized
	case types.GatewayResponseTypeAccessDenied, types.GatewayResponseTypeExpiredToken, types.GatewayResponseTypeInvalidApiKey,
		types.GatewayResponseTypeInvalidSignature, types.GatewayResponseTypeMissingAuthenticationToken, types.GatewayResponseTypeWafFiltered:
		return http.StatusForbidden
	case types.GatewayResponseTypeResourceNotFound:
		return http.StatusNotFound
	case types.GatewayResponseTypeRequestTooLarge:
		return http.StatusRequestEntityTooLarge
	case types.GatewayResponseTypeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case types.GatewayResponseTypeThrottled, types.GatewayResponseTypeQuotaExceeded:
		return http.StatusTooManyRequests
	case types.GatewayResponseTypeIntegrationFailure, types.GatewayResponseTypeIntegrationTimeout:
		return http.StatusGatewayTimeout
	case types.GatewayResponseTypeBadRequestBody, types.GatewayResponseTypeBadRequestParameters, types.GatewayResponseTypeDefault4xx:
		return http.StatusBadRequest
	default: // API_CONFIGURATION_ERROR, AUTHORIZER_FAILURE, AUTHORIZER_CONFIGURATION_ERROR, DEFAULT_5XX
		return http.StatusInternalServerError
	}
}

// refuse renders a gateway response: the customized one of the type, else what a customized DEFAULT_4XX or
// DEFAULT_5XX says, else API Gateway's own. "Changing the status code of this fallback gateway
// response changes the status codes of all other 4XX responses to the new value." (same page)
func (g *Gateway) refuse(x *exchange, r *refusal) response {
	status := defaultStatus(r.kind)
	family := types.GatewayResponseTypeDefault4xx
	if status >= 500 {
		family = types.GatewayResponseTypeDefault5xx
	}
	custom, ok := x.stage.responses[r.kind]
	if !ok {
		custom = x.stage.responses[family]
	}
	if code, err := strconv.Atoi(aws.ToString(custom.StatusCode)); err == nil {
		status = code
	}
	contentType, template := choose(custom.ResponseTemplates, "application/json")
	if template == "" {
		contentType, template = "application/json", `{"message":$context.error.messageString}`
	}
	answer := response{status: status, header: map[string]string{"Content-Type": contentType}}
	if name := errorTypes[r.kind]; name != "" {
		answer.header["x-amzn-ErrorType"] = name
	}
	for target, source := range custom.ResponseParameters {
		if name, ok := strings.CutPrefix(target, "gatewayresponse.header."); ok {
			if v, ok := x.value(source); ok {
				answer.header[name] = v
			}
		}
	}
	answer.body = []byte(x.substitute(template, r))
	return answer
}

// errorTypes are the header x-amzn-ErrorType by gateway response; observed, not documented.
var errorTypes = map[types.GatewayResponseType]string{
	types.GatewayResponseTypeMissingAuthenticationToken: "MissingAuthenticationTokenException",
	types.GatewayResponseTypeInvalidApiKey:              "ForbiddenException",
	types.GatewayResponseTypeBadRequestBody:             "BadRequestException",
	types.GatewayResponseTypeBadRequestParameters:       "BadRequestException",
	types.GatewayResponseTypeThrottled:                  "TooManyRequestsException",
	types.GatewayResponseTypeApiConfigurationError:      "InternalServerErrorException",
	types.GatewayResponseTypeDefault5xx:                 "InternalServerErrorException",
}

var variable = regexp.MustCompile(`\$(?:\{(context|stageVariables)((?:\.\w+)+)\}|(context|stageVariables)((?:\.\w+)+))`)

// substitute fills a gateway response's template in: "simple variable substitution", which is
// "not processed by the Velocity Template Language engine". What is not known is empty.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html
func (x *exchange) substitute(template string, r *refusal) string {
	detail := quote(r.detail)
	variables := x.context()
	variables["error"] = map[string]any{
		"message":       r.message,
		"messageString": quote(r.message),
		"responseType":  string(r.kind),
		// Escaped, since it stands between a template's own quotes.
		"validationErrorString": detail[1 : len(detail)-1],
	}
	return variable.ReplaceAllStringFunc(template, func(reference string) string {
		name := strings.Trim(reference, "${}")
		if name, ok := strings.CutPrefix(name, "context."); ok {
			v, _ := lookUp(variables, name)
			return v
		}
		return x.stage.settings.Variables[strings.TrimPrefix(name, "stageVariables.")]
	})
}

// choose is the template for a content type, else the first by name.
func choose(templates map[string]string, contentType string) (string, string) {
	if template, ok := templates[contentType]; ok {
		return contentType, template
	}
	for _, kind := range slices.Sorted(maps.Keys(templates)) {
		return kind, templates[kind]
	}
	return "", ""
}

// quote is s as a JSON string.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSpace(b.String())
}
