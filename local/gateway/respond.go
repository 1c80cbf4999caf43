package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// respondWith is the client's answer to what an integration answered.
func (g *Gateway) respondWith(ctx context.Context, x *exchange, answered backendResponse) (response, error) {
	misconfigured := func(err error) (response, error) {
		return response{}, failed(types.GatewayResponseTypeApiConfigurationError, err)
	}
	selected, ok := x.method.choose(answered.status)
	if !ok {
		return misconfigured(fmt.Errorf("no integration response of %s is for status %d and none is the default", x.method.name, answered.status))
	}
	answer := response{header: map[string]string{}, body: answered.body}
	var err error
	if answer.status, err = strconv.Atoi(*selected.StatusCode); err != nil {
		return misconfigured(fmt.Errorf("integration response %q: %w", *selected.StatusCode, err))
	}
	// Which template of several is taken is not documented: it is the one that the client accepts,
	// else JSON's. The answer is of its type.
	kind, template := choose(selected.ResponseTemplates, "application/json")
	if accepted := mediaType(x.Header.Get("Accept")); selected.ResponseTemplates[accepted] != "" {
		kind, template = accepted, selected.ResponseTemplates[accepted]
	}
	answer.header["Content-Type"] = "application/json"
	if kind != "" {
		answer.header["Content-Type"] = kind
	}
	if err := x.mapHeaders(answer.header, selected, answered); err != nil {
		return misconfigured(err)
	}
	if template == "" { // without a template the body passes through
		return answer, nil
	}
	variables := x.context()
	variables["status"] = *selected.StatusCode
	rendered, err := g.render(ctx, x, "response template "+*selected.StatusCode+" "+kind, template, answered.body, variables)
	var unreadable *refusal
	if errors.As(err, &unreadable) && unreadable.kind == types.GatewayResponseTypeBadRequestBody {
		return misconfigured(fmt.Errorf("the integration's response, status %d: %s", answered.status, unreadable.detail)) // not the client's body
	}
	if err != nil {
		return response{}, err
	}
	answer.body = []byte(rendered.Text)
	// "Mapping template overrides" win over the mapped status and headers.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html
	for name, value := range rendered.Headers {
		answer.header[canonical(answer.header, name)] = value
	}
	if rendered.Status != 0 {
		if rendered.Status < 200 || rendered.Status > 599 {
			return misconfigured(fmt.Errorf("responseOverride.status of %s is %d", x.method.name, rendered.Status))
		}
		answer.status = rendered.Status
	}
	return answer, nil
}

// choose is the integration response of a backend's status: the one whose pattern matches the
// whole of it, else the one without a pattern. Which of several patterns wins is not
// documented: it is the lowest status's.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
func (m *method) choose(status int) (integrationResponse, bool) {
	var fallback integrationResponse
	found := false
	for _, r := range m.responses {
		if r.pattern == nil && !found {
			fallback, found = r, true
		}
		if r.pattern != nil && r.pattern.MatchString(strconv.Itoa(status)) {
			return r, true
		}
	}
	return fallback, found
}

// mapHeaders puts the mapped response parameters into a header.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
func (x *exchange) mapHeaders(header map[string]string, selected integrationResponse, answered backendResponse) error {
	for to, from := range selected.ResponseParameters {
		name, ok := strings.CutPrefix(to, "method.response.header.")
		if !ok {
			return fmt.Errorf("parameter mapping to %s: only method.response.header.* can be mapped", to)
		}
		var value string
		if source, isHeader := strings.CutPrefix(from, "integration.response.header."); isHeader {
			value, ok = only(answered.header.Values(source))
		} else if strings.HasPrefix(from, "integration.response.body") {
			return fmt.Errorf("parameter mapping %s from %s is not served by the local gateway", to, from)
		} else {
			value, ok = x.value(from)
		}
		if ok { // what the integration did not send is left out
			header[canonical(header, name)] = value
		}
	}
	return nil
}

// canonical is name as header has it, if it does.
func canonical(header map[string]string, name string) string {
	for known := range header {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return name
}
