package ingest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
)

// maxCompressionSize and maxRequestSize are API Gateway's: 10 MB, both.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
const (
	maxCompressionSize = 10 << 20
	maxRequestSize     = 10 << 20
)

// The requests that a rate-based rule of WAF may allow.
// https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
const (
	minWafRateLimit = 10
	maxWafRateLimit = 2_000_000_000
)

// clientName is what may stand in a construct id and be read aloud.
var clientName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// validateEdge reports what is wrong with everything before and around the routes.
func (p *IngestApiProps) validateEdge() []error {
	var errs []error
	errs = append(errs, limitErrors("", p.RateLimit, p.BurstLimit, "the default")...)
	errs = append(errs, p.validateAuth()...)
	errs = append(errs, p.validateClients()...)
	errs = append(errs, p.validateEndpoint()...)
	errs = append(errs, p.validateDomain()...)
	errs = append(errs, p.validateWaf()...)
	if p.Cors != nil && (p.Cors.AllowOrigins == nil || len(*p.Cors.AllowOrigins) == 0) {
		errs = append(errs, errors.New("cors must allow an origin: name it in AllowOrigins"))
	}
	for i, action := range p.AlarmActions {
		if action == nil {
			errs = append(errs, fmt.Errorf("alarm action %d must be an action, got nil", i))
		}
	}
	if bytes, known := sizeInBytes(p.MinCompressionSize); known && (bytes < 0 || bytes > maxCompressionSize) {
		errs = append(errs, fmt.Errorf("minimum compression size must be 0 bytes to 10 MiB, got %.0f bytes", bytes))
	}
	return errs
}

func (p *IngestApiProps) validateAuth() []error {
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(p.Auth < AuthIAM || p.Auth > AuthNone, "auth must be AuthIAM, AuthAPIKey, AuthCognito, AuthAuthorizer or AuthNone, got %d", int(p.Auth))
	problem(p.Auth != AuthAPIKey && len(p.Clients) > 0, "clients have keys, which only AuthAPIKey reads, got %d clients under %s", len(p.Clients), p.Auth)

	problem(p.Auth == AuthCognito && len(p.UserPools) == 0, "user pools are required under AuthCognito: pass those whose tokens are taken")
	problem(p.Auth != AuthCognito && len(p.UserPools) > 0, "user pools are read under AuthCognito only, got %d under %s", len(p.UserPools), p.Auth)
	for i, pool := range p.UserPools {
		problem(pool == nil, "user pool %d must be a user pool, got nil", i)
	}

	problem(p.Auth == AuthAuthorizer && p.Authorizer == nil, "authorizer is required under AuthAuthorizer: pass the one that decides")
	problem(p.Auth != AuthAuthorizer && p.Authorizer != nil, "authorizer is asked under AuthAuthorizer only, got one under %s", p.Auth)

	byCognito := p.Auth == AuthCognito || p.Auth == AuthAuthorizer && p.Authorizer != nil &&
		p.Authorizer.AuthorizationType() == awsapigateway.AuthorizationType_COGNITO
	problem(len(p.AuthorizationScopes) > 0 && !byCognito,
		"authorization scopes are of Cognito's access tokens: they need AuthCognito or an authorizer of Cognito's, got %q under %s", p.AuthorizationScopes, p.Auth)
	problem(slices.Contains(p.AuthorizationScopes, ""), "authorization scopes must not be empty, got %q", p.AuthorizationScopes)
	return errs
}

func (p *IngestApiProps) validateClients() []error {
	var errs []error
	seen := map[string]bool{}
	for i, c := range p.Clients {
		who := fmt.Sprintf("client %d (%q): ", i, c.Name)
		if !clientName.MatchString(c.Name) {
			errs = append(errs, fmt.Errorf("%sname must be 1 to 64 letters, digits, hyphens and underscores, the first a letter or digit", who))
		}
		if seen[c.Name] {
			errs = append(errs, fmt.Errorf("%sname must be one client's alone", who))
		}
		seen[c.Name] = true
		errs = append(errs, limitErrors(who, c.RateLimit, c.BurstLimit, "the API's")...)
		if c.Quota < 0 {
			errs = append(errs, fmt.Errorf("%squota must be at least 1 request, or 0 for none, got %d", who, c.Quota))
		}
		if periods := []awsapigateway.Period{"", awsapigateway.Period_DAY, awsapigateway.Period_WEEK, awsapigateway.Period_MONTH}; !slices.Contains(periods, c.QuotaPeriod) {
			errs = append(errs, fmt.Errorf("%squota period must be DAY, WEEK or MONTH, got %q", who, c.QuotaPeriod))
		} else if c.QuotaPeriod != "" && c.Quota == 0 {
			errs = append(errs, fmt.Errorf("%squota period %s needs a quota", who, c.QuotaPeriod))
		}
	}
	return errs
}

func (p *IngestApiProps) validateEndpoint() []error {
	if p.Endpoint == nil {
		return nil
	}
	if p.Endpoint.Types == nil || len(*p.Endpoint.Types) != 1 {
		return []error{errors.New("endpoint must have exactly one type: an API has one")}
	}
	var errs []error
	if p.private() {
		if p.Policy == nil || *p.Policy.IsEmpty() {
			errs = append(errs, errors.New("policy with a statement is required with a private endpoint: without one API Gateway denies every call; say which VPC or VPC endpoint may invoke it"))
		}
	} else if p.Endpoint.VpcEndpoints != nil && len(*p.Endpoint.VpcEndpoints) > 0 {
		errs = append(errs, fmt.Errorf("endpoint's VPC endpoints are of a private one only, got them with %s", (*p.Endpoint.Types)[0]))
	}
	return errs
}

// private says whether only VPC endpoints reach the API.
func (p *IngestApiProps) private() bool {
	return p.Endpoint != nil && p.Endpoint.Types != nil && slices.Contains(*p.Endpoint.Types, awsapigateway.EndpointType_PRIVATE)
}

func (p *IngestApiProps) validateDomain() []error {
	if p.Domain == nil {
		return nil
	}
	var errs []error
	if p.Domain.DomainName == nil || *p.Domain.DomainName == "" {
		errs = append(errs, errors.New("domain must have a domain name"))
	}
	if p.Domain.Certificate == nil {
		errs = append(errs, errors.New("domain must have a certificate"))
	}
	if p.Domain.SecurityPolicy == awsapigateway.SecurityPolicy_TLS_1_0 {
		errs = append(errs, errors.New("domain's security policy must be TLS_1_2 or newer, got TLS_1_0"))
	}
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
	if p.Domain.Mtls != nil && p.Domain.EndpointType == awsapigateway.EndpointType_EDGE {
		errs = append(errs, errors.New("domain's mutual TLS needs a regional domain, got EDGE"))
	}
	if p.private() {
		errs = append(errs, errors.New("domain must be left out with a private endpoint: a private API takes a private domain name (AWS::ApiGateway::DomainNameV2), which is yours to make"))
	}
	return errs
}

func (p *IngestApiProps) validateWaf() []error {
	if p.Waf == nil {
		return nil
	}
	var errs []error
	if limit := p.Waf.RateLimit; limit != 0 && (limit < minWafRateLimit || limit > maxWafRateLimit) {
		errs = append(errs, fmt.Errorf("waf rate limit must be %d to %d requests in five minutes, or 0 for the default of %d, got %d", minWafRateLimit, maxWafRateLimit, DefaultWafRateLimit, limit))
	}
	if bytes, known := sizeInBytes(p.Waf.MaxBodySize); known && (bytes < 1 || bytes > maxRequestSize) {
		errs = append(errs, fmt.Errorf("waf maximum body size must be 1 byte to the 10 MiB that API Gateway takes, got %.0f bytes", bytes))
	}
	return errs
}

// limitErrors are of a rate and a burst; otherwise names what 0 stands for.
func limitErrors(who string, rate, burst int, otherwise string) []error {
	var errs []error
	if rate < 0 {
		errs = append(errs, fmt.Errorf("%srate limit must be at least 1 request a second, or 0 for %s, got %d", who, otherwise, rate))
	}
	if burst < 0 {
		errs = append(errs, fmt.Errorf("%sburst limit must be at least 1 request, or 0 for %s, got %d", who, otherwise, burst))
	}
	return errs
}

// sizeInBytes returns size in bytes; known is false for none and for a token.
func sizeInBytes(size awscdk.Size) (bytes float64, known bool) {
	if size == nil || *size.IsUnresolved() {
		return 0, false
	}
	return *size.ToBytes(nil), true
}
