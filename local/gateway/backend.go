package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

// integrationURI is what arn:aws:apigateway:{region}:{service}:action/{action} or …:path/{path} names.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html#apigw-PutIntegration-request-uri
type integrationURI struct{ region, service, path, target string }

func parseURI(uri string) (integrationURI, error) {
	parts := strings.SplitN(uri, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "apigateway" {
		return integrationURI{}, fmt.Errorf("integration URI %q is not arn:aws:apigateway:{region}:{service}:{action|path}/…", uri)
	}
	_, service, hasSubdomain := strings.Cut(parts[4], ".")
	if !hasSubdomain {
		service = parts[4]
	}
	if service == "lambda" {
		return integrationURI{}, errors.New("lambda integrations are not served by the local gateway")
	}
	parsed := integrationURI{region: parts[3], service: service, path: "/"}
	kind, name, _ := strings.Cut(parts[5], "/")
	switch {
	case kind == "path":
		parsed.path = "/" + strings.TrimPrefix(name, "/")
	case kind != "action":
		return integrationURI{}, fmt.Errorf("integration URI %q names neither action/ nor path/", uri)
	case target(service) == "":
		return integrationURI{}, fmt.Errorf("integration URI %q: the local gateway does not know how actions of %s are called", uri, service)
	default:
		parsed.target = target(service) + "." + name
	}
	return parsed, nil
}

// target is a JSON service's prefix of the header X-Amz-Target, by the service's name in
// an integration's URI; it is the targetPrefix of the service's model. Add what you need.
func target(service string) string {
	return map[string]string{
		"dynamodb": "DynamoDB_20120810",
		"events":   "AWSEvents",
		"firehose": "Firehose_20150804",
		"kinesis":  "Kinesis_20131202",
		"states":   "AWSStepFunctions",
	}[service]
}

// parameters of an integration request.
type parameters struct {
	header http.Header
	query  url.Values
	path   map[string]string
}

func (p parameters) set(kind, name, value string) {
	switch kind {
	case "header":
		p.header.Set(name, value)
	case "querystring":
		p.query.Set(name, value)
	case "path":
		p.path[name] = value
	}
}

// mapParameters is the mapped parameters, and over them what the template overrode.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
func (x *exchange) mapParameters(overrides vtl.Overrides) (parameters, error) {
	p := parameters{http.Header{"Content-Type": {"application/json"}}, url.Values{}, map[string]string{}}
	for to, from := range x.method.MethodIntegration.RequestParameters {
		if strings.HasPrefix(from, "method.request.body") {
			return p, fmt.Errorf("parameter mapping %s from %s is not served by the local gateway", to, from)
		}
		if value, ok := x.value(from); ok { // else the client did not send it
			kind, name, _ := strings.Cut(strings.TrimPrefix(to, "integration.request."), ".")
			p.set(kind, name, value)
		}
	}
	for kind, values := range map[string]map[string]string{"header": overrides.Headers, "querystring": overrides.Query, "path": overrides.Path} {
		for name, value := range values {
			p.set(kind, name, value)
		}
	}
	return p, nil
}
