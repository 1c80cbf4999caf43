package delivery_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func rolledOut(options *rollout.Options) awscdk.Stack {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Source: awskinesis.NewStream(stack, jsii.String("Stream"), nil), Rollout: options,
	})
	return stack
}

// idsOf are the types of stack's resources by logical id.
func idsOf(t *testing.T, stack awscdk.Stack) map[string]string {
	t.Helper()
	text, err := json.Marshal(cdktest.Template(stack).ToJSON())
	require.NoError(t, err)
	var template struct {
		Resources map[string]struct{ Type string }
	}
	require.NoError(t, json.Unmarshal(text, &template))
	ids := map[string]string{}
	for id, resource := range template.Resources {
		ids[id] = resource.Type
	}
	return ids
}

func TestFirehoseInvokesTheAliasAndMay(t *testing.T) {
	template := cdktest.Template(rolledOut(&rollout.Options{}))
	template.HasResourceProperties(jsii.String("AWS::KinesisFirehose::DeliveryStream"), map[string]any{
		"ExtendedS3DestinationConfiguration": map[string]any{"ProcessingConfiguration": map[string]any{"Processors": []any{map[string]any{
			"Type": "Lambda", "Parameters": assertions.Match_ArrayWith(&[]any{map[string]any{
				"ParameterName": "LambdaArn", "ParameterValue": map[string]any{"Ref": named("^DeliveryRolloutAlias")},
			}}),
		}}}},
	})
	function := map[string]any{"Fn::GetAtt": []any{named("^DeliveryTransformer"), "Arn"}}
	suffixed := func(suffix string) map[string]any {
		return map[string]any{"Fn::Join": []any{"", []any{function, suffix}}}
	}
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"Roles": []any{map[string]any{"Ref": named("^DeliveryRole")}},
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{map[string]any{
			"Effect": "Allow", "Action": []any{"lambda:InvokeFunction", "lambda:GetFunctionConfiguration"},
			"Resource": []any{function, suffixed(":$LATEST"), suffixed(":live")},
		}})},
	})
}

func TestARolloutReplacesNothingThatWasThereWithoutIt(t *testing.T) {
	before, after := idsOf(t, rolledOut(nil)), idsOf(t, rolledOut(&rollout.Options{}))
	for id, kind := range before {
		assert.Equal(t, kind, after[id], id)
	}
	assert.Contains(t, slices.Collect(maps.Values(before)), "AWS::KinesisFirehose::DeliveryStream")
	assert.Greater(t, len(after), len(before))
}

func TestADeliveryThatStandsStillOrFailsRecordsTakesARolloutBack(t *testing.T) {
	template := cdktest.Template(rolledOut(&rollout.Options{}))
	template.HasResourceProperties(jsii.String("AWS::CodeDeploy::DeploymentGroup"), map[string]any{
		"AlarmConfiguration": map[string]any{"Enabled": true, "Alarms": []any{
			map[string]any{"Name": map[string]any{"Ref": named("^DeliveryRolloutErrors")}},
			map[string]any{"Name": map[string]any{"Ref": named("^DeliveryRolloutFailedRecords")}},
			map[string]any{"Name": map[string]any{"Ref": named("^DeliveryAlarmsFreshness")}},
		}},
	})
	template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"Threshold": 1, "EvaluationPeriods": 1,
		"Metrics": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{"Expression": "100 * failed / (failed + FILL(done, 0))"})}),
	})
}

func TestWhatTheHookCannotKnowItMustBeTold(t *testing.T) {
	changed := &delivery.FirehoseToS3Props{Transform: removing(), Rollout: &rollout.Options{}}
	assert.ErrorContains(t, changed.Validate(), "rollout needs samples")
	changed.Rollout = &rollout.Options{Samples: []spec.Sample{{In: `{"a":1}`, Out: "{}\n"}}}
	assert.NoError(t, changed.Validate())

	theirs := &delivery.FirehoseToS3Props{TransformerPackage: "example.com/mine/cmd", Rollout: &rollout.Options{}}
	assert.ErrorContains(t, theirs.Validate(), "rollout needs samples")
	none := &delivery.FirehoseToS3Props{SkipTransformer: true, Rollout: &rollout.Options{}}
	assert.ErrorContains(t, none.Validate(), "rollout is for a transformer that is built here")
	wrong := &delivery.FirehoseToS3Props{Rollout: &rollout.Options{Percent: 120}}
	assert.ErrorContains(t, wrong.Validate(), "percent must be 1 to 99, got 120")
}

func TestTheHookKnowsThePartitionKeys(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Prefix:       "type=!{partitionKeyFromLambda:type}/",
		Partitioning: &delivery.Partitioning{}, Rollout: &rollout.Options{},
		Transform: &spec.Transformer{Steps: []spec.Step{{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "type", Path: "/event_type", Default: "none"}}}}}},
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{"MILLRACE_SPEC": map[string]any{"Fn::Join": []any{"", assertions.Match_ArrayWith(&[]any{`","keys":["type"]}`})}}}},
	})
}
