// Package guard holds `millrace guard` to pairs of real assemblies: ours, synthesized before
// and after a change that is made by code.
package guard

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/guard"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/stacks"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// built is what a change is made to, after it was composed.
type built struct {
	app awscdk.App
	*stacks.Millrace
}

// pair is one change of an environment. Without before, the base is the environment as it is.
type pair struct {
	name   string
	of     string // the environment; default: prod
	before edit
	after  edit
	labels []string
	// finds are the findings that it must have, as "kind construct path: property", the path without the stack's.
	finds []string
}

// edit changes an environment's values, and what was composed of them.
type edit struct {
	env func(*stacks.Environment)
	app func(built)
}

// synthesize returns the stacks of the environment with the edit.
func synthesize(t *testing.T, name string, e edit) map[string]guard.Stack {
	t.Helper()
	env, err := stacks.EnvironmentNamed(name, func(string) string { return "" })
	require.NoError(t, err)
	if e.env != nil {
		e.env(&env)
	}
	app := cdktest.NewAppWith(cdktest.Flags(t))
	b := built{app, stacks.NewMillrace(app, env)}
	if e.app != nil {
		e.app(b)
	}
	all, err := guard.Load(*app.Synth(nil).Directory())
	require.NoError(t, err)
	return all
}

// judged is the guard's answer to every pair. The templates of all are compared by one process.
func judged(t *testing.T, pairs []pair) map[string][]guard.Finding {
	t.Helper()
	plain := map[string]map[string]guard.Stack{}
	bases, heads := map[string]map[string]guard.Stack{}, map[string]map[string]guard.Stack{}
	allBases, allHeads := map[string]guard.Stack{}, map[string]guard.Stack{}
	for _, p := range pairs {
		if p.of == "" {
			p.of = "prod"
		}
		require.NotContains(t, bases, p.name, "two pairs of that name")
		if plain[p.of] == nil {
			plain[p.of] = synthesize(t, p.of, edit{})
		}
		bases[p.name] = plain[p.of]
		if p.before.env != nil || p.before.app != nil {
			bases[p.name] = synthesize(t, p.of, p.before)
		}
		heads[p.name] = synthesize(t, p.of, p.after)
		for name, stack := range bases[p.name] {
			allBases[p.name+"|"+name] = stack
		}
		for name, stack := range heads[p.name] {
			allHeads[p.name+"|"+name] = stack
		}
	}
	differences, err := guard.Compare(t.Context(), "../..", allBases, allHeads)
	require.NoError(t, err)
	of := map[string][]guard.Difference{}
	for _, d := range differences {
		name, stack, _ := strings.Cut(d.Name, "|")
		d.Name = stack
		of[name] = append(of[name], d)
	}
	answers := map[string][]guard.Finding{}
	for _, p := range pairs {
		base, head := bases[p.name], heads[p.name]
		answers[p.name] = append(guard.Judge(base, head, of[p.name], p.labels),
			guard.Migrations(guard.Side{Stacks: base}, guard.Side{Stacks: head})...)
	}
	return answers
}

// short is a finding as pairs have it.
func short(f guard.Finding) string {
	_, resource, _ := strings.Cut(f.Resource, "/")
	return string(f.Kind) + " " + resource + ": " + f.Property
}

func TestWhatMustNotBeDeployedIsFound(t *testing.T) {
	pairs := harmful()
	answers := judged(t, pairs)
	kinds := map[guard.Kind]int{}
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			var found []string
			for _, f := range answers[p.name] {
				kinds[f.Kind]++
				found = append(found, short(f))
				assert.NotEmpty(t, f.Instead, short(f))
				assert.NotEmpty(t, f.From+f.To, short(f))
			}
			require.NotEmpty(t, p.finds)
			assert.Subset(t, found, p.finds)
			t.Logf("%s", strings.Join(found, "\n"))
		})
	}
	for _, kind := range []guard.Kind{
		guard.Replaced, guard.MayBeReplaced, guard.Removed, guard.LogicalID, guard.ConstructID, guard.Shrinks,
		guard.IAMBroadens, guard.NetworkOpens, guard.MigrationOrder,
	} {
		assert.NotZero(t, kinds[kind], "no pair has %s", kind)
	}
	assert.GreaterOrEqual(t, len(pairs), 20)
}

func TestWhatIsHarmlessIsLetThrough(t *testing.T) {
	pairs := harmless()
	answers := judged(t, pairs)
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			assert.Empty(t, answers[p.name])
		})
	}
	assert.GreaterOrEqual(t, len(pairs), 30)
}

func TestAStackThatIsGoneLosesWhatItHeld(t *testing.T) {
	base := synthesize(t, "prod", edit{})
	head := map[string]guard.Stack{"Millrace-prod-Pipeline": base["Millrace-prod-Pipeline"]}
	differences, err := guard.Compare(t.Context(), "../..", base, head)
	require.NoError(t, err)
	var found []string
	for _, f := range guard.Judge(base, head, differences, nil) {
		found = append(found, short(f))
	}
	assert.Contains(t, found, "removed Core/Stream/Resource: the resource")
	assert.Contains(t, found, "removed Database/Instance/Resource: the resource")
}

func TestAnAssemblyThatIsNoneIsSaid(t *testing.T) {
	_, err := guard.Load(t.TempDir())
	assert.ErrorContains(t, err, "is no cloud assembly: it has no manifest.json")
}

// at returns the CloudFormation resource at the path below the stack.
func at(stack awscdk.Stack, path string) awscdk.CfnResource {
	return child(stack, path).(awscdk.CfnResource)
}

func child(scope constructs.IConstruct, path string) constructs.IConstruct {
	for step := range strings.SplitSeq(path, "/") {
		scope = scope.Node().FindChild(&step)
	}
	return scope
}

// foundation and pipeline make an edit of one resource of that stack.
func foundation(path string, change func(awscdk.CfnResource)) edit {
	return edit{app: func(b built) { change(at(b.Foundation.Stack, path)) }}
}

func pipeline(path string, change func(awscdk.CfnResource)) edit {
	return edit{app: func(b built) { change(at(b.Pipeline.Stack, path)) }}
}

// set changes a property to a value.
func set(property string, value any) func(awscdk.CfnResource) {
	return func(r awscdk.CfnResource) { r.AddPropertyOverride(&property, value) }
}

func unset(property string) func(awscdk.CfnResource) {
	return func(r awscdk.CfnResource) { r.AddPropertyDeletionOverride(&property) }
}

func renamed(id string) func(awscdk.CfnResource) {
	return func(r awscdk.CfnResource) {
		// OverrideLogicalId is refused for what Foundation exports.
		stack := awscdk.Stack_Of(r)
		stack.RenameLogicalId(stack.GetLogicalId(r), &id)
	}
}

func removed(r awscdk.CfnResource) {
	r.Node().Scope().Node().TryRemoveChild(r.Node().Id())
}

// values makes an edit of the environment's values.
func values(change func(*stacks.Environment)) edit { return edit{env: change} }

// alarm adds an alarm inside of the core's construct.
func alarm(id string) edit {
	return edit{app: func(b built) {
		awscloudwatch.NewAlarm(b.Foundation.Core, &id, &awscloudwatch.AlarmProps{
			Metric: b.Foundation.Core.MetricWriteThrottled(nil), Threshold: jsii.Number(1), EvaluationPeriods: jsii.Number(1),
		})
	}}
}

// core adds a second stream to the foundation.
func core(id string) edit {
	return edit{app: func(b built) { stream.NewStreamingCore(b.Foundation.Stack, id, nil) }}
}

func logGroup(id string) edit {
	return edit{app: func(b built) {
		awslogs.NewLogGroup(b.Pipeline.Loader, &id, &awslogs.LogGroupProps{Retention: awslogs.RetentionDays_ONE_YEAR})
	}}
}

// group adds a security group that nothing has yet, and that lets in from the network.
func group(from string) edit {
	return edit{app: func(b built) {
		awsec2.NewCfnSecurityGroup(b.Pipeline.Stack, jsii.String("Guests"), &awsec2.CfnSecurityGroupProps{
			GroupDescription: jsii.String("Guests"),
			SecurityGroupIngress: []any{&awsec2.CfnSecurityGroup_IngressProperty{
				CidrIp: &from, IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(443), ToPort: jsii.Number(443),
			}},
		})
	}}
}
