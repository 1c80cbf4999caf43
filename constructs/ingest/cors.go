package ingest

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// exposed are the headers of our answers that a page could not read without leave.
var exposed = []string{"Retry-After", "x-amzn-RequestId"}

// corsHeaders are in each answer, or a browser would keep it from the page: CDK's preflight
// sets those of OPTIONS alone.
func (p *IngestApiProps) corsHeaders() map[string]string {
	if p.Cors == nil {
		return nil
	}
	origin := *(*p.Cors.AllowOrigins)[0] // the only one, see validateCors
	expose := slices.Clone(exposed)
	if p.Cors.ExposeHeaders != nil {
		for _, header := range *p.Cors.ExposeHeaders {
			expose = append(expose, *header)
		}
	}
	headers := map[string]string{
		"Access-Control-Allow-Origin":   origin,
		"Access-Control-Expose-Headers": strings.Join(expose, ","),
	}
	if origin != "*" {
		headers["Vary"] = "Origin"
	}
	if p.Cors.AllowCredentials != nil && *p.Cors.AllowCredentials {
		headers["Access-Control-Allow-Credentials"] = "true"
	}
	return headers
}

// preflight is p.Cors for a call's OPTIONS: without lists of the user's it allows what the call takes.
func (p *IngestApiProps) preflight(c call) *awsapigateway.CorsOptions {
	options := *p.Cors
	if options.AllowMethods == nil {
		options.AllowMethods = jsii.Strings("POST")
	}
	if options.AllowHeaders == nil {
		headers := map[string]bool{}
		for _, source := range []KeySource{c.PartitionKey, c.ExplicitHashKey} {
			if source.Header != "" {
				headers[source.Header] = true
			}
		}
		all := append(*awsapigateway.Cors_DEFAULT_HEADERS(), *jsii.Strings(slices.Sorted(maps.Keys(headers))...)...)
		options.AllowHeaders = &all
	}
	return &options
}

// addPreflight answers a browser's OPTIONS. CDK's mock would take a body of another content type than JSON as
// its own request, find no status code in it, and answer 500: NEVER makes that 415.
func (a *IngestApi) addPreflight(resource awsapigateway.Resource, options *awsapigateway.CorsOptions) {
	const property, value = "Integration.PassthroughBehavior", awsapigateway.PassthroughBehavior_NEVER
	method := resource.AddCorsPreflight(options).Node().DefaultChild().(awsapigateway.CfnMethod)
	method.AddPropertyOverride(jsii.String(property), string(value))
	a.RestApi.LatestDeployment().AddToLogicalId(property + string(value)) // which CDK makes of what it set itself
}

// validateCors asks for one origin: the errors that API Gateway makes by itself have constant
// headers, so they could name the first of several only.
func (p *IngestApiProps) validateCors() []error {
	if p.Cors == nil || p.Cors.AllowOrigins == nil {
		return nil
	}
	var errs []error
	origins := *p.Cors.AllowOrigins
	if len(origins) > 1 {
		errs = append(errs, fmt.Errorf("cors must allow one origin, or \"*\" for all, got %d: API Gateway's own errors can name no other; give each origin an API of its own, or its pages one domain", len(origins)))
	}
	for _, origin := range origins {
		if origin == nil || !originPattern.MatchString(*origin) {
			errs = append(errs, fmt.Errorf("cors must allow \"*\" or an origin such as https://app.example.com, got %q", text(origin)))
		}
	}
	if p.Cors.ExposeHeaders != nil {
		for _, header := range *p.Cors.ExposeHeaders {
			if header == nil || !headerPattern.MatchString(*header) {
				errs = append(errs, fmt.Errorf("cors must expose headers by name, got %q", text(header)))
			}
		}
	}
	if p.Cors.AllowHeaders != nil {
		for _, header := range *p.Cors.AllowHeaders {
			if text(header) != "*" && !headerPattern.MatchString(text(header)) {
				errs = append(errs, fmt.Errorf("cors must allow headers by name, or \"*\", got %q", text(header)))
			}
		}
	}
	if p.Cors.AllowMethods != nil {
		errs = append(errs, validateAllowMethods(*p.Cors.AllowMethods)...)
	}
	if status := p.Cors.StatusCode; status != nil && *status != 200 && *status != 204 {
		errs = append(errs, fmt.Errorf("cors must answer a preflight with the status 200 or 204, got %v", *status))
	}
	if p.Cors.MaxAge != nil && p.Cors.DisableCache != nil && *p.Cors.DisableCache {
		errs = append(errs, errors.New("cors must have a maximum age or disable the cache, not both"))
	}
	if p.Cors.AllowCredentials != nil && *p.Cors.AllowCredentials && slices.ContainsFunc(origins, func(o *string) bool { return text(o) == "*" }) {
		errs = append(errs, errors.New("cors must name its origin where it allows credentials: browsers refuse them with \"*\""))
	}
	return errs
}

func validateAllowMethods(methods []*string) []error {
	var errs []error
	var names []string
	for _, method := range methods {
		names = append(names, text(method))
	}
	if slices.Equal(names, []string{"ANY"}) { // CDK makes all methods of it
		return nil
	}
	for _, name := range names {
		if !slices.Contains([]string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}, name) {
			errs = append(errs, fmt.Errorf("cors must allow methods of HTTP in capitals, or ANY alone, got %q", name))
		}
	}
	if !slices.Contains(names, "POST") {
		errs = append(errs, fmt.Errorf("cors must allow POST, by which events come, got %q", names))
	}
	return errs
}

// originPattern is of RFC 6454's origins with a host, and *.
var originPattern = regexp.MustCompile(`^(\*|[a-z][a-z0-9+.-]*://[A-Za-z0-9.-]+(:[0-9]{1,5})?)$`)

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
