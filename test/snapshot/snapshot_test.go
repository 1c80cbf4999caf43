// Package snapshot holds the whole templates of every environment against golden
// files: a change of what would be deployed is a change that a reviewer reads.
package snapshot

import (
	"regexp"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/stacks"
	"github.com/millrace-cdk/millrace/test/cdktest"
	"github.com/millrace-cdk/millrace/test/everything"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// app returns an app with the feature flags of cdk.json, as the CDK CLI gives them.
func app(t *testing.T) awscdk.App {
	t.Helper()
	return cdktest.NewAppWith(cdktest.Flags(t))
}

// environment is the named one; local as if the host were the one that most CI machines are.
func environment(t *testing.T, name string) stacks.Environment {
	t.Helper()
	env, err := stacks.EnvironmentNamed(name, func(string) string { return "" })
	require.NoError(t, err)
	if name == "local" {
		env.Architecture = stacks.AMD64
	}
	return env
}

func TestTemplates(t *testing.T) {
	for _, name := range stacks.EnvironmentNames() {
		t.Run(name, func(t *testing.T) {
			app := app(t)
			millrace := stacks.NewMillrace(app, environment(t, name))
			cdktest.Golden(t, millrace.Foundation.Stack, name+"-foundation")
			cdktest.Golden(t, millrace.Pipeline.Stack, name+"-pipeline")
			cdktest.Golden(t, millrace.Operations.Stack, name+"-operations")
			assert.NoError(t, stacks.CheckReferences(app.Synth(nil)))
		})
	}
}

// What stands in no environment has a template for test/trust, which reads it there.
func TestTheTemplateOfEverythingElse(t *testing.T) {
	cdktest.Golden(t, everything.New(app(t)), "everything/everything-all")
}

// each calls check with every environment's templates.
func each(t *testing.T, check func(t *testing.T, env stacks.Environment, template assertions.Template)) {
	t.Helper()
	for _, name := range stacks.EnvironmentNames() {
		t.Run(name, func(t *testing.T) {
			env := environment(t, name)
			millrace := stacks.NewMillrace(app(t), env)
			for _, stack := range []awscdk.Stack{millrace.Foundation.Stack, millrace.Pipeline.Stack, millrace.Operations.Stack} {
				check(t, env, cdktest.Template(stack))
			}
		})
	}
}

// resources returns the template's resources of the type, by logical id.
func resources(template assertions.Template, kind string) map[string]map[string]any {
	all := map[string]map[string]any{}
	for id, resource := range (*template.ToJSON())["Resources"].(map[string]any) {
		if resource := resource.(map[string]any); kind == "" || resource["Type"] == kind {
			all[id] = resource
		}
	}
	return all
}

func TestEveryLogGroupHasARetention(t *testing.T) {
	each(t, func(t *testing.T, _ stacks.Environment, template assertions.Template) {
		for id, group := range resources(template, "AWS::Logs::LogGroup") {
			assert.Contains(t, group["Properties"], "RetentionInDays", id)
		}
	})
}

func TestEveryFunctionHasALogGroupOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, _ stacks.Environment, template assertions.Template) {
		for id, function := range resources(template, "AWS::Lambda::Function") {
			properties := function["Properties"].(map[string]any)
			assert.Contains(t, properties["LoggingConfig"], "LogGroup", id)
		}
	})
}

// stateful are the types whose loss is a loss of data.
var stateful = regexp.MustCompile(`^AWS::(Kinesis::Stream|S3::Bucket|RDS::DBInstance|KMS::Key|SecretsManager::Secret)$`)

func TestDataIsKeptWhereItIsNotDisposable(t *testing.T) {
	each(t, func(t *testing.T, env stacks.Environment, template assertions.Template) {
		if env.Disposable {
			return
		}
		for id, resource := range resources(template, "") {
			if stateful.MatchString(resource["Type"].(string)) {
				assert.Contains(t, []any{"Retain", "Snapshot", "RetainExceptOnCreate"}, resource["DeletionPolicy"], id)
				assert.Contains(t, []any{"Retain", "Snapshot"}, resource["UpdateReplacePolicy"], id)
			}
		}
	})
}

func TestFoundationIsProtectedOutsideLocalAndDev(t *testing.T) {
	for name, want := range map[string]bool{"local": false, "dev": false, "staging": true, "prod": true, "recovery": true} {
		millrace := stacks.NewMillrace(app(t), environment(t, name))
		assert.Equal(t, want, *millrace.Foundation.Stack.TerminationProtection(), name)
	}
}

func TestNoStackLooksAnythingUp(t *testing.T) {
	for _, name := range stacks.EnvironmentNames() {
		app := app(t)
		stacks.NewMillrace(app, environment(t, name))
		assert.Nil(t, app.Synth(nil).Manifest().Missing, name)
	}
}

func TestLocalLeavesOutOnlyWhatTheEmulatorDoesNotKnow(t *testing.T) {
	full := environment(t, "local")
	full.Omit = nil
	complete := stacks.NewMillrace(app(t), full)
	local := stacks.NewMillrace(app(t), environment(t, "local"))

	omitted := map[string]bool{}
	for _, stack := range [][2]awscdk.Stack{
		{complete.Foundation.Stack, local.Foundation.Stack},
		{complete.Pipeline.Stack, local.Pipeline.Stack},
		{complete.Operations.Stack, local.Operations.Stack},
	} {
		kept := resources(cdktest.Template(stack[1]), "")
		for id, resource := range resources(cdktest.Template(stack[0]), "") {
			if kept[id] == nil {
				omitted[resource["Type"].(string)] = true
			}
		}
	}
	for kind := range omitted {
		assert.Contains(t, environment(t, "local").Omit, kind)
	}
	assert.NotEmpty(t, omitted)
}
