package gateway

import (
	"fmt"
	"net"
	"strings"
)

// last is parameters as templates see them: one value for a name, the last one (which of
// several is not documented).
func last(values map[string][]string) map[string]string {
	single := make(map[string]string, len(values))
	for name, v := range values {
		if len(v) > 0 {
			single[name] = v[len(v)-1]
		}
	}
	return single
}

// context is $context.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-template.html
func (x *exchange) context() map[string]any {
	sourceIP, _, err := net.SplitHostPort(x.RemoteAddr)
	if err != nil {
		sourceIP = x.RemoteAddr
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(x.URL.EscapedPath(), "/"), "/")
	variables := map[string]any{
		"accountId": accountID, "apiId": x.stage.id.api, "stage": x.stage.id.name, "deploymentId": x.stage.deployment.id,
		"requestId": x.id, "extendedRequestId": x.id, "domainName": x.Host, "protocol": x.Proto,
		"httpMethod": x.Method, "path": "/" + path,
		"requestTime":      x.started.UTC().Format("02/Jan/2006:15:04:05 -0700"),
		"requestTimeEpoch": x.started.UnixMilli(),
		"identity": map[string]any{
			"sourceIp": sourceIP, "userAgent": x.UserAgent(), "apiKey": x.key.value, "apiKeyId": x.key.id,
		},
	}
	if x.resource != nil {
		variables["resourceId"], variables["resourcePath"] = x.resource.id, x.resource.path
	}
	return variables
}

// accountID is the emulator's, which has no other.
const accountID = "000000000000"

// value is what a parameter mapping names: 'static', context.x, stageVariables.x or
// a parameter of the request (method.request.header.x and so on).
// https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
func (x *exchange) value(source string) (string, bool) {
	if static, ok := strings.CutPrefix(source, "'"); ok {
		return strings.TrimSuffix(static, "'"), true
	}
	if name, ok := strings.CutPrefix(source, "context."); ok {
		return lookUp(x.context(), name)
	}
	if name, ok := strings.CutPrefix(source, "stageVariables."); ok {
		v, ok := x.stage.settings.Variables[name]
		return v, ok
	}
	if name, ok := strings.CutPrefix(source, "method.request.header."); ok {
		return only(x.Header.Values(name))
	}
	if name, ok := strings.CutPrefix(source, "method.request.querystring."); ok {
		return only(x.URL.Query()[name])
	}
	if name, ok := strings.CutPrefix(source, "method.request.path."); ok {
		v, ok := x.path[name]
		return v, ok
	}
	return "", false
}

func only(values []string) (string, bool) {
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// lookUp is the text of a variable such as "identity.sourceIp".
func lookUp(variables map[string]any, name string) (string, bool) {
	first, rest, nested := strings.Cut(name, ".")
	v, ok := variables[first]
	if inner, isMap := v.(map[string]any); isMap && nested {
		return lookUp(inner, rest)
	}
	if !ok || nested {
		return "", false
	}
	return fmt.Sprint(v), true
}
