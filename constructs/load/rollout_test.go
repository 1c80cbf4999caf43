package load_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func matching(pattern string) assertions.Matcher { return assertions.Match_StringLikeRegexp(&pattern) }

func TestTheMappingInvokesTheAlias(t *testing.T) {
	template := cdktest.Template(with(load.PostgresLoaderProps{Rollout: &rollout.Options{Percent: 20, Minutes: 5}}))
	template.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"FunctionName": map[string]any{"Ref": matching("^LoaderRolloutAlias")},
	})
	template.HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentConfig"), map[string]any{
		"TrafficRoutingConfig": map[string]any{"Type": "TimeBasedCanary", "TimeBasedCanary": map[string]any{"CanaryPercentage": 20, "CanaryInterval": 5}},
	})
	template.HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentGroup"), map[string]any{
		"AlarmConfiguration": map[string]any{"Enabled": true, "Alarms": []any{
			map[string]any{"Name": map[string]any{"Ref": matching("^LoaderRolloutErrors")}},
			map[string]any{"Name": map[string]any{"Ref": matching("^LoaderAlarmsIteratorAge")}},
			map[string]any{"Name": map[string]any{"Ref": matching("^LoaderRolloutQuarantined")}},
		}},
	})
}

func TestARolloutReplacesNeitherTheFunctionNorTheMapping(t *testing.T) {
	before, after := with(load.PostgresLoaderProps{}), with(load.PostgresLoaderProps{Rollout: &rollout.Options{}})
	for _, kind := range []string{"AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::S3::Bucket", "AWS::Logs::LogGroup", "Custom::MillraceMigration", "AWS::CloudWatch::Alarm"} {
		now := resourcesOf(after, kind)
		for id := range resourcesOf(before, kind) {
			assert.Contains(t, now, id, kind)
		}
	}
}

func TestATableThatNeedsMembersOfAnyEventNeedsSamples(t *testing.T) {
	anyEvent := spec.Table{Name: "levels", Columns: []spec.Column{{Name: "level", Type: "int", Path: "/level"}}}
	const problem = "rollout needs samples"
	props := load.PostgresLoaderProps{Tables: []spec.Table{anyEvent}, Rollout: &rollout.Options{}}
	assert.ErrorContains(t, props.Validate(), problem)
	props.Rollout = &rollout.Options{Samples: []spec.Sample{{In: `{"level":1}`}}}
	assert.NotContains(t, props.Validate().Error(), problem)
	anyEvent.EventTypes = []string{"level"}
	props = load.PostgresLoaderProps{Tables: []spec.Table{anyEvent}, Rollout: &rollout.Options{}}
	assert.NotContains(t, props.Validate().Error(), problem)
}
