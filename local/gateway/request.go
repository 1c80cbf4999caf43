package gateway

import (
	"context"
	"errors"
	"io"
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
	g.measure(x, answer.status)
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("x-amzn-RequestId", x.id)
	w.WriteHeader(answer.status)
	if !hasBody(answer.status) {
		return
	}
	if _, err := w.Write(answer.body); err != nil {
		g.log.Debug("writing an answer", "request", x.id, "error", err) // the client has gone
	}
}

// hasBody is false for the statuses that HTTP sends without a body, such as a CORS preflight's 204.
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
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
		g.refresh(x.Context(), x.started)
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
	if err := x.checkSize(); err != nil {
		_, _ = io.CopyN(io.Discard, x.Body, maxDrained) // the answer is the same however that ends
		return err
	}
	return x.decompress()
}

func (x *exchange) checkSize() error {
	if len(x.body) <= maxPayload {
		return nil
	}
	return refused(types.GatewayResponseTypeRequestTooLarge, "HTTP content length exceeded 10485760 bytes.")
}
