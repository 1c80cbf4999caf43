package rollout_test

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// with returns a stack with a function that is rolled out by these options.
func with(options *rollout.Options) (awscdk.Stack, *rollout.Rollout) {
	stack := cdktest.NewStack()
	function := gofunc.NewGoFunction(stack, "Function", &gofunc.GoFunctionProps{Package: "example.com/tiny/cmd"}).Function
	return stack, rollout.NewRollout(stack, "Rollout", &rollout.RolloutProps{Function: function, Kind: spec.HookTransformer, Options: options})
}

func named(pattern string) assertions.Matcher { return assertions.Match_StringLikeRegexp(&pattern) }

func TestGolden(t *testing.T) {
	stack, _ := with(nil)
	cdktest.Golden(t, stack, "minimal")
	stack, _ = with(&rollout.Options{SkipCodeDeploy: true})
	cdktest.Golden(t, stack, "without-codedeploy")
}

func TestACanaryGetsItsShareForItsTime(t *testing.T) {
	for name, test := range map[string]struct {
		options *rollout.Options
		want    map[string]any
	}{
		"by default":   {nil, map[string]any{"Type": "TimeBasedCanary", "TimeBasedCanary": map[string]any{"CanaryPercentage": 10, "CanaryInterval": 30}}},
		"as it is set": {&rollout.Options{Percent: 50, Minutes: 5}, map[string]any{"Type": "TimeBasedCanary", "TimeBasedCanary": map[string]any{"CanaryPercentage": 50, "CanaryInterval": 5}}},
		"step by step": {&rollout.Options{Percent: 20, Minutes: 2, Linear: true}, map[string]any{"Type": "TimeBasedLinear", "TimeBasedLinear": map[string]any{"LinearPercentage": 20, "LinearInterval": 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			stack, _ := with(test.options)
			template := cdktest.Template(stack)
			template.HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentConfig"), map[string]any{"ComputePlatform": "Lambda", "TrafficRoutingConfig": test.want})
			template.HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentGroup"), map[string]any{
				"DeploymentConfigName": map[string]any{"Ref": named("^RolloutConfig")},
				"DeploymentStyle":      map[string]any{"DeploymentOption": "WITH_TRAFFIC_CONTROL", "DeploymentType": "BLUE_GREEN"},
				"AutoRollbackConfiguration": map[string]any{"Enabled": true, "Events": []any{
					"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM",
				}},
			})
		})
	}
}

func TestAllAtOnceIsStillBehindTheHooks(t *testing.T) {
	stack, _ := with(&rollout.Options{AllAtOnce: true})
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::CodeDeploy::DeploymentConfig"), jsii.Number(0))
	template.HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentGroup"), map[string]any{"DeploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"})
	hasHooks(template)
}

func hasHooks(template assertions.Template) {
	template.HasResource(jsii.String("AWS::Lambda::Alias"), map[string]any{
		"Properties": map[string]any{"Name": "live", "FunctionVersion": map[string]any{"Fn::GetAtt": []any{named("^FunctionCurrentVersion"), "Version"}}},
		"UpdatePolicy": map[string]any{"CodeDeployLambdaAliasUpdate": map[string]any{
			"ApplicationName":        map[string]any{"Ref": named("^RolloutApplication")},
			"DeploymentGroupName":    "live", // and no reference, which would be a circle
			"BeforeAllowTrafficHook": map[string]any{"Ref": named("^RolloutBeforeTraffic")},
			"AfterAllowTrafficHook":  map[string]any{"Ref": named("^RolloutAfterTraffic")},
		}},
	})
}

// template is a synthesized template, to be walked.
type template struct {
	Resources map[string]struct {
		Type, DeletionPolicy string
		Properties           map[string]any
		DependsOn            []string
	}
}

func read(t *testing.T, stack awscdk.Stack) (read template) {
	t.Helper()
	text, err := json.Marshal(cdktest.Template(stack).ToJSON())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &read))
	return read
}

func TestTheAliasWaitsForTheHooksThatKnowTheNewVersion(t *testing.T) {
	stack, r := with(nil)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{"MILLRACE_SPEC": map[string]any{"Fn::Join": []any{"", []any{
			`{"kind":"transformer","target":"`,
			map[string]any{"Ref": named("^FunctionCurrentVersion")},
			`","version":"`,
			map[string]any{"Fn::GetAtt": []any{named("^FunctionCurrentVersion"), "Version"}},
			`"}`,
		}}}}},
	})
	all := read(t, stack).Resources
	alias := all[*stack.GetLogicalId(r.Alias.Node().DefaultChild().(awscdk.CfnElement))]
	for _, hook := range []*gofunc.GoFunction{r.Before, r.After} {
		assert.Contains(t, alias.DependsOn, *stack.GetLogicalId(hook.Function.Node().DefaultChild().(awscdk.CfnElement)))
		assert.Contains(t, alias.DependsOn, *stack.GetLogicalId(hook.Role.Node().FindChild(jsii.String("DefaultPolicy")).Node().DefaultChild().(awscdk.CfnElement)))
	}
}

func TestAnOldVersionStaysToGoBackTo(t *testing.T) {
	stack, _ := with(nil)
	cdktest.Template(stack).HasResource(jsii.String("AWS::Lambda::Version"), map[string]any{"DeletionPolicy": "Retain"})
}

func TestCodeDeployMayMoveThisAliasAndNoOther(t *testing.T) {
	stack, _ := with(nil)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{
		"ManagedPolicyArns": assertions.Match_Absent(),
		"AssumeRolePolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Principal": map[string]any{"Service": "codedeploy.amazonaws.com"},
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": map[string]any{"Ref": "AWS::AccountId"}}, "ArnLike": assertions.Match_AnyValue()},
		}}},
	})
	function := map[string]any{"Fn::GetAtt": []any{named("^Function"), "Arn"}}
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"Roles": []any{map[string]any{"Ref": named("^RolloutRole")}},
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{map[string]any{
			"Effect": "Allow", "Action": []any{"lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"},
			"Resource": []any{function, map[string]any{"Fn::Join": []any{"", []any{function, ":live"}}}},
		}})},
	})
}

func TestAnErrorOfTheAliasTakesARolloutBack(t *testing.T) {
	stack, _ := with(nil)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"MetricName": "Errors", "Period": 60, "Threshold": 0, "EvaluationPeriods": 1, "TreatMissingData": "notBreaching",
		"Dimensions": assertions.Match_ArrayWith(&[]any{map[string]any{"Name": "Resource", "Value": map[string]any{"Fn::Join": []any{"", []any{map[string]any{"Ref": named("^Function")}, ":live"}}}}}),
	})
	template.HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentGroup"), map[string]any{
		"AlarmConfiguration": map[string]any{"Enabled": true, "Alarms": []any{map[string]any{"Name": map[string]any{"Ref": named("^RolloutErrors")}}}},
	})
}

func TestAlarmsCanBeIgnoredForTheFixOfWhatTheyRingFor(t *testing.T) {
	stack, _ := with(&rollout.Options{IgnoreAlarms: true})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentGroup"), map[string]any{
		"AlarmConfiguration": assertions.Match_ObjectLike(&map[string]any{"Enabled": false}),
	})
}

func TestWithoutCodeDeployThereAreAVersionAnAliasAndTheHooks(t *testing.T) {
	stack, r := with(&rollout.Options{SkipCodeDeploy: true})
	assert.Nil(t, r.Group)
	for id, resource := range read(t, stack).Resources {
		assert.NotContains(t, resource.Type, "CodeDeploy", id)
		assert.NotEqual(t, "AWS::CloudWatch::Alarm", resource.Type, id)
	}
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(3))
}

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	err := (&rollout.RolloutProps{Kind: "cron", Options: &rollout.Options{Percent: 100, Minutes: -1, AllAtOnce: true}}).Validate()
	for _, problem := range []string{
		"function is required", `kind must be transformer or loader, got "cron"`, "percent must be 1 to 99, got 100",
		"all at once has none, got 100, -1 and false", "minutes must be 1 to 2880 from the first shift to the last, got 1 steps of -1",
	} {
		assert.ErrorContains(t, err, problem)
	}
	err = (&rollout.Options{Percent: 1, Minutes: 30, Linear: true}).Validate(spec.HookLoader)
	assert.ErrorContains(t, err, "got 99 steps of 30")
	err = (&rollout.Options{Samples: []spec.Sample{{In: "{}"}, {In: "{}", Out: "{}", Result: spec.Dropped}, {In: "{}", Result: spec.Quarantined}}}).Validate(spec.HookTransformer)
	for _, problem := range []string{"sample 1 must say what comes out", "sample 2 must have no out", `sample 3: "Quarantined" is no result of a transformer`} {
		assert.ErrorContains(t, err, problem)
	}
}

func TestARolloutIsAScope(t *testing.T) {
	stack, r := with(nil)
	awscdk.NewCfnOutput(r, jsii.String("Inside"), &awscdk.CfnOutputProps{Value: r.Alias.FunctionArn()})
	assert.Equal(t, "Test/Rollout", *r.Node().Path())
	assert.Equal(t, stack, awscdk.Stack_Of(r))
}
