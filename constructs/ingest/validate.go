package ingest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Validate reports all that is wrong with the props at once. It changes nothing.
func (p *IngestApiProps) Validate() error {
	if p == nil {
		p = &IngestApiProps{}
	}
	return errors.Join(append(p.validateRoutes(), p.validateEdge()...)...)
}

var (
	// pathPattern is of resources with names that stand: no {parameter} is among them, and
	// nothing that a mapping template or a JSON text would read.
	pathPattern = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	// jsonPathPattern is the part of JSONPath that names one value, whatever the event.
	jsonPathPattern = regexp.MustCompile(`^\$(\.[A-Za-z_][A-Za-z0-9_]*)+$`)
	// headerPattern leaves out those characters of RFC 9110's tokens that a mapping template reads.
	headerPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
)

// reservedPaths are API Gateway's own, for its health checks.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
var reservedPaths = []string{"/ping", "/sping"}

// secretHeaders prove who a client is. A key is stored with each event for everyone who reads the stream.
var secretHeaders = []string{"authorization", "cookie", "x-api-key", "x-amz-security-token"}

// validateRoutes reports what is wrong with the routes and with what stands in their templates.
func (p *IngestApiProps) validateRoutes() []error {
	var errs []error
	if len(p.Routes) == 0 && p.Stream == nil {
		errs = append(errs, errors.New("stream is required: pass the stream that events are written to"))
	}
	taken, names := map[string]bool{}, p.constructNames()
	checkPath := func(what, path string) {
		switch {
		case !pathPattern.MatchString(path):
			errs = append(errs, fmt.Errorf("%s must be /name or /name/name of letters, digits, dots, hyphens and underscores, got %q", what, path))
		case slices.Contains(reservedPaths, path):
			errs = append(errs, fmt.Errorf("%s must not be %s, which is API Gateway's own", what, path))
		case slices.ContainsFunc(segments(path), func(s string) bool { return slices.Contains(notSegments, s) }):
			errs = append(errs, fmt.Errorf("%s must have none of the names %s between its slashes: constructs of CDK's below a resource have them, or clients resolve them; got %q", what, strings.Join(notSegments, ", "), path))
		case slices.Contains(names, segments(path)[0]):
			errs = append(errs, fmt.Errorf("%s must not begin with /%s, since a construct of the API has that name, got %q", what, segments(path)[0], path))
		case taken[path]:
			errs = append(errs, fmt.Errorf("%s must be no other's, got %q twice", what, path))
		}
		taken[path] = true
	}
	for i, r := range p.routes() {
		who := fmt.Sprintf("route %d (%q): ", i, r.Path)
		if r.Stream == nil && p.Stream == nil && len(p.Routes) > 0 {
			errs = append(errs, fmt.Errorf("%sstream is required: give the route one, or the API", who))
		}
		checkPath(who+"path", r.Path)
		switch {
		case !r.SkipBatch:
			checkPath(who+"batch path", r.batchPath())
		case r.BatchPath != "":
			errs = append(errs, fmt.Errorf("%sbatch path must be left out where batches are skipped, got %q", who, r.BatchPath))
		}
		errs = append(errs, r.PartitionKey.validate(who+"partition key")...)
		errs = append(errs, r.ExplicitHashKey.validate(who+"explicit hash key")...)
		errs = append(errs, r.validateSchema(who)...)
		errs = append(errs, limitErrors(who, r.RateLimit, r.BurstLimit, "the API's")...)
	}
	if p.HealthPath != "" {
		checkPath("health path", p.HealthPath)
	}
	return append(errs, p.validateCors()...)
}

// notSegments are names that no resource can have: its construct's id is its name, and Default, Resource and the methods
// are ids that CDK gives. The dots are directories to most clients.
var notSegments = []string{".", "..", "Default", "Resource", "GET", "OPTIONS", "POST"}

// segments of a path that pathPattern matches; there is one at least.
func segments(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// constructNames are the ids of what is beside the root resource. CDK leaves the root's own, Default,
// out of logical ids, so the resource of a name and what has that id would be one.
func (p *IngestApiProps) constructNames() []string {
	names := []string{"CustomDomain", "DeploymentStage." + StageName, "Key", "UsagePlan", "Validator"}
	for _, c := range p.Clients {
		names = append(names, "Key-"+c.Name, "UsagePlan-"+c.Name)
	}
	d := p.withDefaults()
	for _, r := range d.gatewayResponses() {
		names = append(names, r.kind)
	}
	return names
}

func (s KeySource) validate(what string) []error {
	var errs []error
	if s.JSONPath != "" && !jsonPathPattern.MatchString(s.JSONPath) {
		errs = append(errs, fmt.Errorf("%s's JSON path must be like $.device_id or $.user.id, of members with letters, digits and underscores, got %q", what, s.JSONPath))
	}
	if s.Header != "" && !headerPattern.MatchString(s.Header) {
		errs = append(errs, fmt.Errorf("%s's header must be 1 to 128 letters, digits, hyphens and underscores, got %q", what, s.Header))
	}
	if slices.Contains(secretHeaders, strings.ToLower(s.Header)) {
		errs = append(errs, fmt.Errorf("%s's header must not be %s: it holds a secret, and keys are stored with the events", what, s.Header))
	}
	return errs
}
