package database

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database/reach"
)

// Path is a way by which a database could be reached, or its data taken, from outside.
type Path = reach.Path

// ProveUnreachable looks in synthesized templates, by the names of their stacks,
// for ways to their databases from outside; none is the proof that there is no
// way. It looks at routes, gateways and attachments, public addresses, network
// ACLs, security groups and whom they let in (and whom those let in, and what
// stands in them), proxies, load balancers, endpoint services, the Data API,
// shared snapshots, and the key, secret and vaults of copies. See [reach.Paths].
func ProveUnreachable(templates map[string]map[string]any) ([]Path, error) {
	return reach.Paths(templates)
}

// RequireUnreachable fails the synth of scope's app or stage when
// [ProveUnreachable] finds a path in its templates, and says it. An app without a
// database has nothing to prove, and passes.
func RequireUnreachable(scope constructs.IConstruct) {
	awscdk.Validations_Of(scope).AddPlugins(&proof{})
}

// proof is the validation that CDK runs on the templates that it has written.
type proof struct {
	_ byte // for an address of its own, by which jsii knows it
}

// Name is how CDK's report calls the proof.
func (*proof) Name() *string { return jsii.String("millrace-unreachable") }

// Version is of the proof's rules.
func (*proof) Version() *string { return jsii.String("1.0.0") }

// RuleIds are the rules of the proof.
func (*proof) RuleIds() *[]*string { return jsii.Strings(unreachableRule) }

const unreachableRule = "unreachable"

// Validate proves, or names the paths.
func (*proof) Validate(context awscdk.IPolicyValidationContext) *awscdk.PolicyValidationPluginReport {
	templates, databases, err := read(*context.TemplatePaths())
	var paths []Path
	if err == nil && len(databases) > 0 {
		paths, err = ProveUnreachable(templates)
	}
	violations := []*awscdk.PolicyViolation{}
	if err != nil {
		violations = append(violations, violation("cannot be proven: "+err.Error(), slices.Collect(maps.Values(databases))))
	}
	for _, path := range paths {
		at := []*awscdk.PolicyViolatingResource{databases[path.Database]}
		violations = append(violations, violation(path.Database+" could be reached: "+path.String(), at))
	}
	return &awscdk.PolicyValidationPluginReport{Success: jsii.Bool(len(violations) == 0), Violations: &violations}
}

// violation is one of resources: CDK leaves out of its report what is of none, and
// with nothing in the report lets the synth pass.
func violation(description string, resources []*awscdk.PolicyViolatingResource) *awscdk.PolicyViolation {
	return &awscdk.PolicyViolation{
		RuleName:           jsii.String(unreachableRule),
		Description:        &description,
		Severity:           jsii.String("fatal"), // which nobody can acknowledge
		ViolatingResources: &resources,
	}
}

// read reads templates that were written, and lists their databases by STACK/LOGICAL ID.
func read(files []*string) (map[string]map[string]any, map[string]*awscdk.PolicyViolatingResource, error) {
	templates, databases := map[string]map[string]any{}, map[string]*awscdk.PolicyViolatingResource{}
	for _, file := range files {
		text, err := os.ReadFile(*file)
		if err != nil {
			return nil, databases, fmt.Errorf("reading a template: %w", err)
		}
		var template map[string]any
		if err := json.Unmarshal(text, &template); err != nil {
			return nil, databases, fmt.Errorf("reading template %s: %w", *file, err)
		}
		stack := strings.TrimSuffix(filepath.Base(*file), ".template.json")
		templates[stack] = template
		for _, id := range reach.Databases(template) {
			databases[stack+"/"+id] = &awscdk.PolicyViolatingResource{ResourceLogicalId: jsii.String(id), TemplatePath: file, Locations: &[]*string{}}
		}
	}
	return templates, databases, nil
}
