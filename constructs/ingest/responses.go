package ingest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// Failure is an error as clients of an [IngestApi] see it. Its texts are constants of ours. API Gateway's own
// ($context.error.message and the validator's) stay out: they hold quotes and
// client text, and what escapes them is not documented.
type Failure struct {
	// Status is the HTTP status; "4XX" and "5XX" are of all that have no Failure of their own.
	Status string
	// Code is for programs.
	Code string
	// Message says what to do. It holds nothing that VTL reads ($ and #).
	Message string
	// RetryAfter is the header Retry-After in seconds, 0 where there is none.
	RetryAfter int
}

// retryAfter is when to try again, in seconds: Kinesis counts a shard's throughput, and API Gateway a rate, by the second.
const retryAfter = 1

var (
	throttled = Failure{
		"429", "throttled",
		"More is coming than the stream takes. Wait for the seconds in Retry-After, then send the same request again.",
		retryAfter,
	}
	unavailable = Failure{
		"503", "unavailable",
		"The stream did not take this request. Send it again; where events have an event_id, a repeat does no harm.",
		retryAfter,
	}
	tooLarge = Failure{
		"413", "too_large",
		"An event may have up to 1 MiB (1,048,576 bytes, its partition key included) and a request up to 10 MiB (10,485,760 bytes). " +
			"Send smaller events, or fewer in a batch; nothing of this request was stored.",
		0,
	}
	refused = Failure{
		"400", "refused",
		"The stream refused this request; nothing of it was stored. Check the events and send them again.",
		0,
	}
	backend = Failure{
		"502", "backend_error",
		"The API cannot write to its stream; no change to the request helps. Report the request_id, and send the events again later.",
		0,
	}
)

// Failures are all errors that a client of such an API may get, by status and code: Kinesis's, those
// that API Gateway makes by itself, and those of [IngestApiProps].Waf.
func (p *IngestApiProps) Failures() []Failure {
	all := []Failure{throttled, unavailable, tooLarge, refused, backend}
	d := p.withDefaults()
	for _, r := range d.gatewayResponses() {
		all = append(all, r.failure)
	}
	all = slices.AppendSeq(all, maps.Values(d.wafFailures()))
	slices.SortFunc(all, func(a, b Failure) int {
		return cmp.Or(strings.Compare(a.Status, b.Status), strings.Compare(a.Code, b.Code), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(all)
}

// Body is the one shape of every error, as text of a mapping template.
func (f Failure) Body() string {
	text, err := json.Marshal(map[string]any{
		"error": map[string]string{"code": f.Code, "message": f.Message, "request_id": "$context.requestId"},
	})
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	return string(text)
}

// answer is an integration response: what a client gets for the HTTP statuses of
// Kinesis that pattern matches. API Gateway holds one for each status, and matches
// a pattern against the whole of Kinesis's status; it takes the response without a
// pattern for whatever no pattern matches, hence that one is an error.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
type answer struct {
	pattern    string
	status     string
	template   string
	retryAfter int
	// overrides are further statuses that the template may set.
	overrides []string
}

func (f Failure) answer(pattern string) answer {
	return answer{pattern: pattern, status: f.Status, template: f.Body(), retryAfter: f.RetryAfter}
}

// answers to a call. Patterns do not overlap: which of two would win is not documented.
func answers(c call) []answer {
	failures := map[string]Failure{
		"Throttled": throttled, "Unavailable": unavailable, "TooLarge": tooLarge, "Refused": refused, "Backend": backend,
	}
	accepted := answer{pattern: `2\d{2}`, status: "202", template: render("event.accepted.vtl", nil)}
	if c.batch {
		accepted.template = render("batch.accepted.vtl", failures)
		accepted.overrides = []string{"207", throttled.Status, unavailable.Status}
	}
	return []answer{
		accepted,
		{
			pattern: "400", status: refused.Status, template: render("refused.vtl", failures),
			overrides: []string{tooLarge.Status, throttled.Status, backend.Status},
		},
		tooLarge.answer("413"),
		throttled.answer("429"),
		unavailable.answer(`5\d{2}`),
		backend.answer(""),
	}
}

func (p *IngestApiProps) integrationResponses(answers []answer) *[]*awsapigateway.IntegrationResponse {
	var list []*awsapigateway.IntegrationResponse
	for _, r := range answers {
		parameters := map[string]*string{"method.response.header.Content-Type": jsii.String("'application/json'")}
		for name, value := range p.corsHeaders() {
			parameters["method.response.header."+name] = jsii.Sprintf("'%s'", value)
		}
		if r.retryAfter > 0 {
			parameters["method.response.header.Retry-After"] = jsii.Sprintf("'%d'", r.retryAfter)
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

// methodResponses declares every status and header that an answer maps or a
// template sets; API Gateway answers 500 to one that is not declared.
func (p *IngestApiProps) methodResponses(answers []answer) *[]*awsapigateway.MethodResponse {
	var list []*awsapigateway.MethodResponse
	declared := map[string]bool{}
	for _, r := range answers {
		for _, status := range append([]string{r.status}, r.overrides...) {
			if declared[status] {
				continue
			}
			declared[status] = true
			parameters := map[string]*bool{
				"method.response.header.Content-Type": jsii.Bool(true),
				"method.response.header.Retry-After":  jsii.Bool(false),
			}
			for name := range p.corsHeaders() {
				parameters["method.response.header."+name] = jsii.Bool(true)
			}
			list = append(list, &awsapigateway.MethodResponse{StatusCode: jsii.String(status), ResponseParameters: &parameters})
		}
	}
	return &list
}
