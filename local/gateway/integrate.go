package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

// defaultTimeout of an integration: "The default value is 29,000 milliseconds".
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html
const defaultTimeout = 29 * time.Second

// backendResponse is what an integration answered.
type backendResponse struct {
	status int
	header http.Header
	body   []byte
}

// integrate makes the integration request and turns its response into the client's.
func (g *Gateway) integrate(ctx context.Context, x *exchange) (response, error) {
	integration := x.method.MethodIntegration
	body, overrides, err := g.requestBody(ctx, x)
	if err != nil {
		return response{}, err
	}
	var answered backendResponse
	switch integration.Type {
	case types.IntegrationTypeMock:
		answered, err = mock(body)
	case types.IntegrationTypeAws:
		answered, err = g.call(ctx, x, body, overrides)
	default:
		err = failed(types.GatewayResponseTypeApiConfigurationError,
			fmt.Errorf("integration type %s is not served by the local gateway", integration.Type))
	}
	if err != nil {
		return response{}, err
	}
	answer, err := g.respondWith(ctx, x, answered)
	if err == nil {
		x.compress(&answer, answered)
	}
	return answer, err
}

// requestBody is the request through the mapping template of its content type, or as it is
// where the passthrough behavior lets it.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
func (g *Gateway) requestBody(ctx context.Context, x *exchange) ([]byte, vtl.Overrides, error) {
	integration := x.method.MethodIntegration
	contentType := x.contentType()
	for kind, template := range x.method.templates {
		if mediaType(kind) == contentType {
			rendered, err := g.render(ctx, x, "request template "+kind, template, x.body, x.context())
			return []byte(rendered.Text), rendered.Request, err
		}
	}
	switch behavior := cmp.Or(aws.ToString(integration.PassthroughBehavior), "WHEN_NO_MATCH"); {
	case behavior == "WHEN_NO_MATCH", behavior == "WHEN_NO_TEMPLATES" && len(x.method.templates) == 0:
		return x.body, vtl.Overrides{}, nil
	default: // NEVER, or WHEN_NO_TEMPLATES with templates for other types
		return nil, vtl.Overrides{}, refused(types.GatewayResponseTypeUnsupportedMediaType, "Unsupported Media Type")
	}
}

// render renders a template of the request's method. A body that the template cannot read is the
// client's fault, everything else is not.
func (g *Gateway) render(ctx context.Context, x *exchange, name, template string, body []byte, variables map[string]any) (vtl.Result, error) {
	rendered, err := g.templates.Render(ctx, vtl.Request{
		Name: x.method.name + " " + name, Template: template, Body: body,
		Headers: last(x.Header), Query: last(x.URL.Query()), Path: x.path,
		Context: variables, StageVariables: x.stage.settings.Variables,
	})
	var unreadable *vtl.BodyError
	var broken *vtl.TemplateError
	switch {
	case errors.As(err, &unreadable):
		return rendered, invalidBody(unreadable.Message)
	case errors.As(err, &broken):
		return rendered, failed(types.GatewayResponseTypeApiConfigurationError, err)
	}
	return rendered, err
}

// unquoted is a mock's request as CDK's AddCorsPreflight writes it, { statusCode: 200 }: API Gateway
// reads it though it is no JSON (not documented; CDK relies on it).
var unquoted = regexp.MustCompile(`^\s*\{\s*'?statusCode'?\s*:\s*(\d{3})\s*[,}]`)

// mock answers with the statusCode that the request template rendered: "the mapping template
// must contain statusCode".
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
func mock(body []byte) (backendResponse, error) {
	var rendered struct {
		StatusCode int `json:"statusCode"`
	}
	err := json.Unmarshal(body, &rendered)
	if err == nil && rendered.StatusCode == 0 {
		err = errors.New("it has no statusCode")
	}
	if status := unquoted.FindSubmatch(body); err != nil && status != nil {
		rendered.StatusCode, err = strconv.Atoi(string(status[1]))
	}
	if err != nil {
		return backendResponse{}, failed(types.GatewayResponseTypeApiConfigurationError,
			fmt.Errorf("reading the mock integration's request: %w", err))
	}
	return backendResponse{status: rendered.StatusCode, header: http.Header{}}, nil
}

// call sends the integration request to the service that the integration's URI names, at the emulator.
func (g *Gateway) call(ctx context.Context, x *exchange, body []byte, overrides vtl.Overrides) (backendResponse, error) {
	misconfigured := func(err error) (backendResponse, error) {
		return backendResponse{}, failed(types.GatewayResponseTypeApiConfigurationError, err)
	}
	integration := x.method.MethodIntegration
	uri, err := parseURI(aws.ToString(integration.Uri))
	if err != nil {
		return misconfigured(err)
	}
	mapped, err := x.mapParameters(overrides)
	if err != nil {
		return misconfigured(err)
	}
	timeout := time.Duration(integration.TimeoutInMillis) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(timeout, defaultTimeout))
	defer cancel()

	for name, value := range mapped.path {
		uri.path = strings.ReplaceAll(uri.path, "{"+name+"}", url.PathEscape(value))
	}
	address := strings.TrimSuffix(*g.aws.BaseEndpoint, "/") + uri.path
	request, err := http.NewRequestWithContext(ctx, cmp.Or(aws.ToString(integration.HttpMethod), http.MethodPost), address, bytes.NewReader(body))
	if err != nil {
		return misconfigured(err)
	}
	request.Header, request.URL.RawQuery = mapped.header, mapped.query.Encode()
	if uri.target != "" {
		request.Header.Set("X-Amz-Target", uri.target)
	}
	credentials, err := g.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return backendResponse{}, fmt.Errorf("signing an integration request: %w", err)
	}
	hash := sha256.Sum256(body)
	if err := g.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), uri.service, uri.region, time.Now()); err != nil {
		return backendResponse{}, fmt.Errorf("signing an integration request: %w", err)
	}
	answered, err := g.backend.Do(request)
	if err != nil {
		return backendResponse{}, unreachable(ctx, uri.service, err)
	}
	defer answered.Body.Close()
	content, err := io.ReadAll(answered.Body)
	if err != nil {
		return backendResponse{}, unreachable(ctx, uri.service, err)
	}
	return backendResponse{answered.StatusCode, answered.Header, content}, nil
}

func unreachable(ctx context.Context, service string, err error) error {
	err = fmt.Errorf("calling %s: %w", service, err)
	if ctx.Err() != nil {
		return &refusal{kind: types.GatewayResponseTypeIntegrationTimeout, message: "Endpoint request timed out", cause: err}
	}
	return &refusal{kind: types.GatewayResponseTypeIntegrationFailure, message: "Network error communicating with endpoint", cause: err}
}
