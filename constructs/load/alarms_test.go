package load_test

import (
	"maps"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func pager(stack awscdk.Stack) awscloudwatch.IAlarmAction {
	return awscloudwatchactions.NewSnsAction(awssns.Topic_FromTopicArn(stack, jsii.String("Pager"), jsii.String("arn:aws:sns:eu-west-1:111122223333:pager")))
}

// loaderOf returns the loader of props, and its stack.
func loaderOf(props load.PostgresLoaderProps) (*load.PostgresLoader, awscdk.Stack) {
	g, stack := newStacks()
	props.Source, props.Database = g.core.Stream, g.db
	return load.NewPostgresLoader(stack, "Loader", &props), stack
}

func TestTheLoaderWatchesItsFunctionItsLagAndWhatItCouldNotStore(t *testing.T) {
	l, stack := loaderOf(load.PostgresLoaderProps{})
	function, _ := one(t, stack, "AWS::Lambda::Function", "LoaderFunction")
	mapping, _ := one(t, stack, "AWS::Lambda::EventSourceMapping", "")
	byFunction := []any{map[string]any{"Name": "FunctionName", "Value": map[string]any{"Ref": function}}}
	byMapping := []any{map[string]any{"Name": "EventSourceMappingUUID", "Value": map[string]any{"Ref": mapping}}}

	want := map[string]map[string]any{
		"Errors":           {"MetricName": "Errors", "Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 3},
		"Throttles":        {"MetricName": "Throttles", "Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 3},
		"Duration":         {"MetricName": "Duration", "Statistic": "Maximum", "Threshold": 48_000, "EvaluationPeriods": 3}, // 80 % of a minute
		"Concurrency":      {"MetricName": "ConcurrentExecutions", "Statistic": "Maximum", "Threshold": 0.9 * load.AssumedShards, "EvaluationPeriods": 3},
		"IteratorAge":      {"MetricName": "IteratorAge", "Statistic": "Maximum", "Threshold": 301_000, "EvaluationPeriods": 3},
		"Lag":              {"MetricName": loader.MetricLag, "Namespace": loader.MetricNamespace, "Statistic": "Maximum", "Threshold": 301_000, "EvaluationPeriods": 3},
		"Quarantined":      {"MetricName": loader.MetricQuarantined, "Namespace": loader.MetricNamespace, "Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
		"SchemaBehind":     {"MetricName": loader.MetricSchemaBehind, "Namespace": loader.MetricNamespace, "Statistic": "Maximum", "Threshold": 0, "EvaluationPeriods": 3},
		"KeptOnFailure":    {"MetricName": "OnFailureDestinationDeliveredEventCount", "Dimensions": byMapping, "Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
		"OnFailureRefused": {"MetricName": "DestinationDeliveryFailures", "Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
		"Dropped":          {"MetricName": "DroppedEventCount", "Dimensions": byMapping, "Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
	}
	require.Len(t, l.Alarms(), len(want)+1)
	for _, alarm := range l.Alarms() {
		if *alarm.Node().Id() != "QuarantineRate" { // it is on metric math
			assert.Contains(t, want, *alarm.Node().Id())
		}
	}
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::CloudWatch::Alarm"), jsii.Number(len(want)+1))
	for _, properties := range want {
		all := map[string]any{
			"Namespace": "AWS/Lambda", "Period": 300, "Dimensions": byFunction,
			"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
		}
		maps.Copy(all, properties)
		template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), all)
	}
}

func TestAShareOfQuarantinedRecordsWakesSomebody(t *testing.T) {
	_, stack := loaderOf(load.PostgresLoaderProps{})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 3, "TreatMissingData": "notBreaching",
		"Metrics": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{"Expression": "100 * bad / (bad + FILL(stored, 0) + FILL(again, 0))"})}),
	})
}

func TestConcurrencyIsWatchedWhereBatchesMayHaveToWait(t *testing.T) {
	_, stack := loaderOf(load.PostgresLoaderProps{ReservedConcurrency: 10})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"MetricName": "ConcurrentExecutions", "Namespace": "AWS/Lambda", "Statistic": "Maximum", "Threshold": 9, "EvaluationPeriods": 3,
	})
}

func TestTheLagThatIsTooMuchIsTheirsToSay(t *testing.T) {
	for name, c := range map[string]struct {
		props     load.PostgresLoaderProps
		threshold int
	}{
		"five minutes beyond the window": {load.PostgresLoaderProps{BatchWindow: awscdk.Duration_Minutes(jsii.Number(5))}, 600_000},
		"given":                          {load.PostgresLoaderProps{MaxLag: awscdk.Duration_Minutes(jsii.Number(1))}, 60_000},
	} {
		t.Run(name, func(t *testing.T) {
			template := cdktest.Template(with(c.props))
			for _, metric := range []string{"IteratorAge", loader.MetricLag} {
				template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"MetricName": metric, "Threshold": c.threshold})
			}
		})
	}
}

func TestTheDurationThatIsTooMuchFollowsTheTimeout(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{Timeout: awscdk.Duration_Minutes(jsii.Number(5))})).
		HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"MetricName": "Duration", "Threshold": 240_000})
}

func TestAlarmsTellWhomTheyAreGiven(t *testing.T) {
	g, stack := newStacks()
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{
		Source: g.core.Stream, Database: g.db, AlarmActions: []awscloudwatch.IAlarmAction{pager(stack)},
	})
	told := []any{"arn:aws:sns:eu-west-1:111122223333:pager"}
	cdktest.Template(stack).AllResourcesProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"AlarmActions": told, "OKActions": told})
}

func TestAlarmsCanBeSkipped(t *testing.T) {
	l, stack := loaderOf(load.PostgresLoaderProps{SkipAlarms: true})
	assert.Empty(t, l.Alarms())
	assert.Empty(t, resourcesOf(stack, "AWS::CloudWatch::Alarm"))
}

func TestTheListOfAlarmsIsACopy(t *testing.T) {
	l, _ := loaderOf(load.PostgresLoaderProps{})
	l.Alarms()[0] = nil
	assert.NotNil(t, l.Alarms()[0])
}

func TestMetricsAreTheLoadersOwnByTheNamesThatItWrites(t *testing.T) {
	l, _ := loaderOf(load.PostgresLoaderProps{})
	for name, metric := range map[string]awscloudwatch.Metric{
		loader.MetricRows:         l.MetricRows(nil),
		loader.MetricDuplicates:   l.MetricDuplicates(nil),
		loader.MetricQuarantined:  l.MetricQuarantined(nil),
		loader.MetricSchemaBehind: l.MetricSchemaBehind(nil),
		loader.MetricLag:          l.MetricLag(nil),
		loader.MetricBatchTime:    l.MetricBatchTime(nil),
	} {
		assert.Equal(t, loader.MetricNamespace, *metric.Namespace())
		assert.Equal(t, name, *metric.MetricName())
		assert.Contains(t, *metric.Dimensions(), loader.MetricDimension)
	}
	assert.Equal(t, "p99", *l.MetricBatchTime(nil).Statistic())
}

func TestAMetricTakesWhatItIsGiven(t *testing.T) {
	l, _ := loaderOf(load.PostgresLoaderProps{})
	options := &awscloudwatch.MetricOptions{Statistic: jsii.String("Minimum"), Period: awscdk.Duration_Minutes(jsii.Number(1))}
	for _, metric := range []awscloudwatch.Metric{l.MetricLag(options), l.MetricIteratorAge(options), l.MetricDropped(options), l.MetricErrors(options)} {
		assert.Equal(t, "Minimum", *metric.Statistic())
		assert.InDelta(t, 60, *metric.Period().ToSeconds(nil), 0)
	}
}
