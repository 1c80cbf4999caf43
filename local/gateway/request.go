package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/google/uuid"
)

// maxPayload is "Payload size: 10 MB", which cannot be raised.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const maxPayload = 10 << 20

// maxDrained is how much of a body that is too large is still read: without that a
// client may see its connection break instead of the answer.
const maxDrained = 64 << 20

// exchange is one request on its way through.
type exchange struct {
	*http.Request
	id       string // $context.requestId
	started  time.Time
	stage    *stage
	resource *resource
	method   *method
	path     map[string]string // parameters
	key      apiKey
	body     []byte
}

// response is an answer to the client.
type response struct {
	status int
	header map[string]string
	body   []byte
}

// ServeHTTP answers a request for /{apiId}/{stage}/{path}.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Request: r, id: uuid.NewString(), started: time.Now()}
	answer := g.respond(x)
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("x-amzn-RequestId", x.id)
	w.WriteHeader(answer.status)
	if _, err := w.Write(answer.body); err != nil {
		g.log.Debug("writing an answer", "request", x.id, "error", err) // the client has gone
	}
}

// respond makes an answer of whatever becomes of a request.
func (g *Gateway) respond(x *exchange) (answer response) {
	defer func() {
		if trouble := recover(); trouble != nil { // our own bug: the trace is for the log only
			g.log.Error("answering a request", "request", x.id, "panic", trouble, "stack", string(debug.Stack()))
			answer = g.refuse(x, failed(types.GatewayResponseTypeDefault5xx, nil))
		}
	}()
	if !g.route(x) {
		// Neither the API nor the stage is there to ask for a gateway response: AWS's edge
		// answers so (observed, not documented).
		return response{http.StatusForbidden, map[string]string{"Content-Type": "application/json", "x-amzn-ErrorType": "ForbiddenException"}, []byte(`{"message":"Forbidden"}`)}
	}
	answer, err := g.process(x)
	if err == nil {
		return answer
	}
	var r *refusal
	if !errors.As(err, &r) {
		r = failed(types.GatewayResponseTypeDefault5xx, err)
	}
	if r.cause != nil {
		g.log.Warn("a request failed", "request", x.id, "method", x.Method, "path", x.URL.Path, "type", string(r.kind), "error", r.cause)
	}
	return g.refuse(x, r)
}

// route finds the stage.
func (g *Gateway) route(x *exchange) bool {
	parts := strings.SplitN(strings.TrimPrefix(x.URL.EscapedPath(), "/"), "/", 3)
	if len(parts) < 2 {
		return false
	}
	id := stageID{parts[0], parts[1]}
	if x.stage = g.deployed.Load().stages[id]; x.stage == nil {
		g.refresh(x.Context())
		x.stage = g.deployed.Load().stages[id]
	}
	return x.stage != nil
}

// process takes a request through its steps. In which order the checks are made is not
// documented: who may not call learns nothing of what is wrong with the body.
func (g *Gateway) process(x *exchange) (response, error) {
	if err := x.findMethod(); err != nil {
		return response{}, err
	}
	if err := g.authorize(x); err != nil {
		return response{}, err
	}
	if err := g.throttle(x); err != nil {
		return response{}, err
	}
	if err := x.readBody(); err != nil {
		return response{}, err
	}
	if x.method.broken != nil {
		return response{}, failed(types.GatewayResponseTypeApiConfigurationError, x.method.broken)
	}
	if err := x.validate(); err != nil {
		return response{}, err
	}
	// The service's work is not undone when the client goes, so it is not cut short either.
	return g.integrate(context.WithoutCancel(x.Context()), x)
}

// findMethod finds the resource of the path and its method. An unknown path or method is
// answered MISSING_AUTHENTICATION_TOKEN: "The gateway response for a missing authentication
// token error, including the cases when the client attempts to invoke an unsupported API
// method or resource."
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func (x *exchange) findMethod() error {
	unknown := refused(types.GatewayResponseTypeMissingAuthenticationToken, "Missing Authentication Token")
	_, path, _ := strings.Cut(strings.TrimPrefix(x.URL.EscapedPath(), "/"), "/") // after the API
	_, path, _ = strings.Cut(path, "/")                                          // after the stage
	parts := segments(path)
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return unknown
		}
	}
	if x.resource, x.path = x.stage.match(parts); x.resource == nil {
		return unknown
	}
	if x.method = x.resource.methods[x.Method]; x.method == nil {
		x.method = x.resource.methods["ANY"]
	}
	if x.method == nil {
		return unknown
	}
	return nil
}

func (x *exchange) readBody() error {
	var err error
	x.body, err = io.ReadAll(io.LimitReader(x.Body, maxPayload+1))
	if err != nil {
		return refused(types.GatewayResponseTypeBadRequestBody, "The request's body ended early")
	}
	if len(x.body) > maxPayload {
		_, _ = io.CopyN(io.Discard, x.Body, maxDrained) // the answer is the same however that ends
		return refused(types.GatewayResponseTypeRequestTooLarge, "HTTP content length exceeded 10485760 bytes.")
	}
	return nil
}

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
