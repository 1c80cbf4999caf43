package ingest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// openAPIHeaders are an answer's headers beside Content-Type.
func (p *IngestApiProps) openAPIHeaders(retryAfter int) object {
	headers := object{"x-amzn-RequestId": object{"description": "The request's id, as in request_id.", "schema": object{"type": "string"}}}
	for name, value := range p.corsHeaders() {
		headers[name] = object{"schema": object{"type": "string"}, "example": value}
	}
	if retryAfter > 0 {
		headers["Retry-After"] = object{
			"description": "When to send the request again, in seconds.",
			"schema":      object{"type": "integer"}, "example": retryAfter,
		}
	}
	return headers
}

// failurePrefix begins the names of the components that are errors; their status follows.
const failurePrefix = "Error"

// openAPIFailures are all errors that a call to a route may be answered with, a component a status.
func (p *IngestApiProps) openAPIFailures() object {
	byStatus := map[string][]Failure{}
	for _, f := range p.failuresOfRoutes() {
		if !slices.Contains(byStatus[f.Status], f) {
			byStatus[f.Status] = append(byStatus[f.Status], f)
		}
	}
	all := object{}
	for status, failures := range byStatus {
		examples, codes, wait := object{}, []string{}, 0
		for _, f := range failures {
			name := f.Code
			for n := 2; examples[name] != nil; n++ { // one code, said by another
				name = fmt.Sprintf("%s_%d", f.Code, n)
			}
			examples[name] = object{"value": object{"error": object{"code": f.Code, "message": f.Message, "request_id": exampleID}}}
			if !slices.Contains(codes, f.Code) {
				codes = append(codes, f.Code)
			}
			wait = max(wait, f.RetryAfter)
		}
		all[failurePrefix+status] = object{
			"description": "An error with the code " + strings.Join(codes, " or ") + ".",
			"headers":     p.openAPIHeaders(wait),
			"content":     jsonContent("Error", examples),
		}
	}
	return all
}

// failuresOfRoutes are of [IngestApiProps.Failures] those that a call to a route can have: not that there is no
// such route, nor what other kinds of authentication answer.
func (p *IngestApiProps) failuresOfRoutes() []Failure {
	all := []Failure{throttled, unavailable, tooLarge, refused, backend}
	authorized := p.Auth == AuthCognito || p.Auth == AuthAuthorizer
	for _, r := range p.gatewayResponses() {
		applies := true
		switch r.kind {
		case "RESOURCE_NOT_FOUND":
			applies = false
		case "MISSING_AUTHENTICATION_TOKEN", "INVALID_SIGNATURE", "EXPIRED_TOKEN":
			applies = p.Auth == AuthIAM
		case "INVALID_API_KEY", "QUOTA_EXCEEDED":
			applies = p.Auth == AuthAPIKey
		case "UNAUTHORIZED", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR":
			applies = authorized
		case "ACCESS_DENIED":
			applies = p.Auth == AuthIAM || authorized || p.Policy != nil
		case "WAF_FILTERED":
			applies = p.Waf != nil
		}
		if applies {
			all = append(all, r.failure)
		}
	}
	for _, f := range p.wafFailures() {
		all = append(all, f)
	}
	return all
}

func jsonContent(schema string, examples object) object {
	return object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + schema}, "examples": examples}}
}

// answerSchemas are of the bodies of answers.
func answerSchemas() object {
	id := object{"type": "string", "description": "What to report with a question. Empty where the web application firewall answers."}
	count := object{"type": "integer", "minimum": 1, "maximum": maxBatch}
	of := func(required []string, properties object) object {
		return object{"type": "object", "required": required, "properties": properties}
	}
	status := func(f Failure) int {
		number, err := strconv.Atoi(f.Status)
		if err != nil {
			panic(err) // those below are numbers
		}
		return number
	}
	return object{
		"Accepted": of([]string{"accepted", "request_id"}, object{"accepted": count, "request_id": id}),
		"PartlyAccepted": of([]string{"accepted", "failed", "request_id", "results"}, object{
			"accepted": count, "failed": count, "request_id": id,
			"results": object{"type": "array", "minItems": 1, "maxItems": maxBatch, "items": of([]string{"index", "status", "error", "retryable"}, object{
				"index":     object{"type": "integer", "minimum": 0, "description": "The event's place in the request, from 0."},
				"status":    object{"enum": []int{202, status(throttled), status(unavailable)}},
				"error":     object{"enum": []any{nil, throttled.Code, unavailable.Code}},
				"retryable": object{"type": "boolean", "description": "Send this event again."},
			})},
		}),
		"Error": of([]string{"error"}, object{"error": of([]string{"code", "message", "request_id"}, object{
			"code":       object{"type": "string", "description": "For programs; there may be new ones."},
			"message":    object{"type": "string", "description": "Says what to do."},
			"request_id": id,
		})}),
	}
}

// exampleID stands for a request's id in examples.
const exampleID = "6d5f2c1e-8a35-4c1e-9d57-0a4f1c2b3d4e"

// examples are bodies that the call takes, if its schema is ours.
func (c call) examples() object {
	event := func(id string) object {
		e := object{"event_id": id, "event_type": "click", "occurred_at": "2026-01-02T03:04:05.678Z", "price": 12.5}
		place(e, c.PartitionKey.JSONPath, "device-17")
		place(e, c.ExplicitHashKey.JSONPath, "170141183460469231731687303715884105728")
		return e
	}
	if c.batch {
		return object{"events": object{"value": object{"events": []object{event("example-1"), event("example-2")}}}}
	}
	return object{
		"event":    object{"summary": "The members that millrace knows, and one of the client's", "value": event("example-1")},
		"anything": object{"summary": "Any object with a member is an event", "value": object{"any": "thing"}},
	}
}

// place puts value into event where path, in dot notation, leads.
func place(event object, path, value string) {
	members := strings.Split(strings.TrimPrefix(path, "$."), ".")
	for _, member := range members[:len(members)-1] {
		inner, ok := event[member].(object)
		if !ok {
			inner = object{}
			event[member] = inner
		}
		event = inner
	}
	if path != "" {
		event[members[len(members)-1]] = value
	}
}

// partlyAccepted is an answer to a batch of two of which one has to be sent again.
func partlyAccepted() object {
	return object{
		"accepted": 1, "failed": 1, "request_id": exampleID,
		"results": []object{
			{"index": 0, "status": 202, "error": nil, "retryable": false},
			{"index": 1, "status": 429, "error": throttled.Code, "retryable": true},
		},
	}
}
