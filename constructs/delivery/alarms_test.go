package delivery_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func alarm(template assertions.Template, want map[string]any) {
	template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), want)
}

func names(alarms []awscloudwatch.Alarm) (ids []string) {
	for _, alarm := range alarms {
		ids = append(ids, *alarm.Node().Id())
	}
	return ids
}

func TestADeliveryWatchesItsFreshnessItsSuccessAndItsTransformer(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})

	assert.Equal(t, []string{"Freshness", "Success", "Throttled", "Processing", "FunctionErrors", "FunctionThrottles", "FunctionDuration", "FailedShare", "FailedRecords"}, names(f.Alarms()))
	template := cdktest.Template(stack)
	for metric, want := range map[string]map[string]any{
		// 300 s before S3 and 60 s before the transformer, twice.
		"DeliveryToS3.DataFreshness": {"Threshold": 720, "Statistic": "Maximum", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 3},
		"DeliveryToS3.Success":       {"Threshold": 0.95, "Statistic": "Average", "ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 3},
		"ThrottledGetRecords":        {"Threshold": 0, "Statistic": "Sum", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 3},
		"ExecuteProcessing.Success":  {"Threshold": 0.95, "Statistic": "Average", "ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 3},
		"FailedRecords":              {"Threshold": 0, "Statistic": "Sum", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Namespace": "Millrace/Transformer"},
	} {
		all := map[string]any{
			"MetricName": metric, "Namespace": "AWS/Firehose", "Period": 300, "TreatMissingData": "notBreaching",
			// Without its name a metric of Firehose has no data, and an alarm on it no state.
			"Dimensions": []any{map[string]any{"Name": "DeliveryStreamName", "Value": map[string]any{"Ref": named("^DeliveryDeliveryStream")}}},
		}
		maps.Copy(all, want)
		alarm(template, all)
	}
}

// expression asserts that there is an alarm on it.
func expression(template assertions.Template, expression string, threshold float64) {
	alarm(template, map[string]any{
		"Metrics":   assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{"Expression": expression})}),
		"Threshold": threshold, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 3, "TreatMissingData": "notBreaching",
	})
}

func TestTheTransformersFunctionIsWatchedByItsOwnMetrics(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})
	template := cdktest.Template(stack)
	for metric, want := range map[string]map[string]any{
		"Errors":    {"Statistic": "Sum", "Threshold": 0},
		"Throttles": {"Statistic": "Sum", "Threshold": 0},
		"Duration":  {"Statistic": "Maximum"},
	} {
		all := map[string]any{
			"MetricName": metric, "Namespace": "AWS/Lambda", "EvaluationPeriods": 3, "TreatMissingData": "notBreaching",
			"Dimensions": []any{map[string]any{"Name": "FunctionName", "Value": map[string]any{"Ref": named("^DeliveryTransformer")}}},
		}
		maps.Copy(all, want)
		alarm(template, all)
	}
	// A stream's records are counted by another name than those that are put.
	alarm(template, map[string]any{"Metrics": assertions.Match_ArrayWith(&[]any{
		assertions.Match_ObjectLike(&map[string]any{"MetricStat": assertions.Match_ObjectLike(&map[string]any{"Metric": assertions.Match_ObjectLike(&map[string]any{"MetricName": "DataReadFromKinesisStream.Records"})})}),
	})})
}

func TestWhatADeliveryHasMoreIsWatchedToo(t *testing.T) {
	stack := cdktest.NewStack()
	props := partitioned()
	props.Prefix += "customer=!{partitionKeyFromQuery:customer}/"
	props.Partitioning.JQ = map[string]string{"customer": ".customer"}
	props.Parquet, props.Backup = &delivery.Parquet{}, &delivery.Backup{}
	f := delivery.NewFirehoseToS3(stack, "Delivery", props)

	assert.Equal(t, []string{
		"Freshness", "Success", "Throttled", "Processing", "FunctionErrors", "FunctionThrottles", "FunctionDuration", "Quota", "FailedShare", "FailedRecords", "Key",
		"FailedConversions", "PartitionQuota", "Partitions", "PartitionKeys", "Backup",
	}, names(f.Alarms()))
	template := cdktest.Template(stack)
	// Partitions may take half as long again.
	alarm(template, map[string]any{"MetricName": "DeliveryToS3.DataFreshness", "Threshold": 1080})
	alarm(template, map[string]any{"MetricName": "ThrottledRecords", "Threshold": 0})
	alarm(template, map[string]any{"MetricName": "FailedConversion.Records", "Threshold": 0, "Statistic": "Sum"})
	alarm(template, map[string]any{"MetricName": "PartitionCountExceeded", "Threshold": 0, "Statistic": "Maximum"})
	alarm(template, map[string]any{"MetricName": "PartitionCount", "Threshold": 400, "Statistic": "Maximum"}) // of 500
	alarm(template, map[string]any{"MetricName": "BackupToS3.Success", "Threshold": 0.95})
	expression(template, "100 * bytes / PERIOD(bytes) / most", 80)
	expression(template, "100 * failed / came", 1)
	for _, metric := range []string{"KMSKeyAccessDenied", "KMSKeyDisabled", "KMSKeyInvalidState", "KMSKeyNotFound"} {
		alarm(template, map[string]any{"Metrics": assertions.Match_ArrayWith(&[]any{
			assertions.Match_ObjectLike(&map[string]any{"MetricStat": assertions.Match_ObjectLike(&map[string]any{"Metric": assertions.Match_ObjectLike(&map[string]any{"MetricName": metric})})}),
		})})
	}
	template.HasResourceProperties(jsii.String("AWS::Logs::MetricFilter"), map[string]any{
		"FilterPattern":         "%DynamicPartitioning%",
		"LogGroupName":          map[string]any{"Ref": named("^DeliveryLogGroup")},
		"MetricTransformations": []any{map[string]any{"MetricNamespace": "Millrace/Delivery", "MetricValue": "1"}},
	})
}

func TestAShortBufferDoesNotMakeAnAlarmOfASlowDelivery(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{BufferInterval: awscdk.Duration_Seconds(jsii.Number(0))})
	alarm(cdktest.Template(stack), map[string]any{"MetricName": "DeliveryToS3.DataFreshness", "Threshold": 300})
}

func TestAlarmsTellAndMayBeSkipped(t *testing.T) {
	stack := cdktest.NewStack()
	topic := awssns.NewTopic(stack, jsii.String("Topic"), nil)
	delivery.NewFirehoseToS3(stack, "Told", &delivery.FirehoseToS3Props{AlarmActions: []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(topic)}})
	skipped := delivery.NewFirehoseToS3(stack, "Skipped", &delivery.FirehoseToS3Props{SkipAlarms: true})

	assert.Empty(t, skipped.Alarms())
	actions := []any{map[string]any{"Ref": named("^Topic")}}
	cdktest.Template(stack).AllResourcesProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"AlarmActions": actions, "OKActions": actions})
}

func TestMetricsAreThoseOfTheDeliveryStream(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})
	got := map[string]string{}
	for _, metric := range []awscloudwatch.Metric{
		f.MetricFreshness(nil), f.MetricSuccess(nil), f.MetricThrottled(nil), f.MetricBehind(nil), f.MetricProcessingSuccess(nil),
		f.MetricFailedConversions(nil), f.MetricPartitionCountExceeded(nil), f.MetricBackupSuccess(nil), f.MetricFailedRecords(nil),
		f.Metric("DeliveryToS3.Records", nil),
	} {
		got[*metric.MetricName()] = *metric.Statistic()
		assert.Equal(t, []string{"DeliveryStreamName"}, slices.Collect(maps.Keys(*metric.Dimensions())))
	}
	assert.Equal(t, map[string]string{
		"DeliveryToS3.DataFreshness": "Maximum", "DeliveryToS3.Success": "Average", "ThrottledGetRecords": "Sum", "KinesisMillisBehindLatest": "Maximum",
		"ExecuteProcessing.Success": "Average", "FailedConversion.Records": "Sum", "PartitionCountExceeded": "Maximum", "BackupToS3.Success": "Average",
		"FailedRecords": "Sum", "DeliveryToS3.Records": "Average",
	}, got)
	options := &awscloudwatch.MetricOptions{Statistic: jsii.String("p90"), Period: awscdk.Duration_Minutes(jsii.Number(1))}
	assert.Equal(t, "p90", *f.MetricFreshness(options).Statistic())
	assert.Equal(t, "p90", *f.MetricFailedRecords(options).Statistic())
}
