package gateway

// Limit is something that API Gateway does and a [Gateway] does not.
type Limit struct {
	// Name is it in a word or two.
	Name string
	// Here is what becomes of it instead.
	Here string
}

// Limits lists what decides a client's answer on AWS and does not here.
func Limits() []Limit {
	return []Limit{
		{"IAM policies", "a signature must be there but is not verified, and no policy is evaluated, a resource policy neither"},
		{"authorizers", "a method that needs a Lambda or Cognito authorizer, or an API key from one, answers 500"},
		{"WAF", "ignored, as are mutual TLS, custom domains, private endpoints, client certificates, canaries and caching"},
		{"quotas", "a usage plan's are not counted; neither is the account's throttle of 10,000 requests per second"},
		{"logs and metrics", "no access log, execution log or trace is written; of the metrics, Count, 4XXError, 5XXError and Latency are published"},
		{"Lambda and HTTP integrations", "a method with one answers 500: only AWS services and MOCK are served"},
		{"binary bodies", "bodies are UTF-8 text: binary media types and content handling are ignored"},
		{"parameters mapped from bodies", "a request or response that has one answers 500"},
		{"case-sensitive header names", "a template finds a header however it is written, which it may not count on"},
		{"header size", "the request line and headers may have more than 10,240 bytes; what API Gateway answers to that is not documented"},
		{"nesting", "JSON nested deeper than 500 is refused with 400; how deep API Gateway reads is not documented"},
		{"a deployment's exact moment", "what is changed within 250 ms after one may be taken for part of it"},
	}
}
