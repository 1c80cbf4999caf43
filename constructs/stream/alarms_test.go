package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func streamDimension() []any {
	return []any{map[string]any{"Name": "StreamName", "Value": map[string]any{"Ref": named("^CoreStream")}}}
}

func hasAlarm(template assertions.Template, want map[string]any) {
	template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), want)
}

func TestByDefaultThereAreFourAlarmsOnTheStreamItself(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)

	assert.Len(t, core.Alarms(), 4)
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::CloudWatch::Alarm"), jsii.Number(4))
	// The stream is named in each: without it, an alarm never leaves INSUFFICIENT_DATA.
	for name, want := range map[string]map[string]any{
		"WriteProvisionedThroughputExceeded": {
			"Statistic": "Sum", "Period": 60, "EvaluationPeriods": 5, "DatapointsToAlarm": 3,
			"Threshold": 0, "ComparisonOperator": "GreaterThanThreshold",
		},
		"ReadProvisionedThroughputExceeded": {
			"Statistic": "Sum", "Period": 300, "EvaluationPeriods": 3,
			"Threshold": 0, "ComparisonOperator": "GreaterThanThreshold",
		},
		"PutRecords.FailedRecords": {
			"Statistic": "Sum", "Period": 300, "EvaluationPeriods": 3,
			"Threshold": 0, "ComparisonOperator": "GreaterThanThreshold",
		},
		"GetRecords.IteratorAgeMilliseconds": {
			"Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 3,
			"Threshold": 30_240_000, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
		},
	} {
		want["Namespace"], want["MetricName"], want["Dimensions"] = "AWS/Kinesis", name, streamDimension()
		want["TreatMissingData"] = "notBreaching"
		hasAlarm(template, want)
	}
}

func TestTheAgeOfAReaderIsHeldAgainstTheRetention(t *testing.T) {
	for name, c := range map[string]struct {
		retention    awscdk.Duration
		milliseconds int
	}{
		"a day":           {awscdk.Duration_Days(jsii.Number(1)), 72 * 60 * 1000},
		"a year":          {awscdk.Duration_Days(jsii.Number(365)), 438 * 60 * 60 * 1000},
		"known at deploy": {awscdk.Duration_Hours(awscdk.Lazy_Number(&producer{48})), 72 * 60 * 1000},
	} {
		t.Run(name, func(t *testing.T) {
			stack := cdktest.NewStack()
			stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Retention: c.retention})
			hasAlarm(cdktest.Template(stack), map[string]any{"MetricName": "GetRecords.IteratorAgeMilliseconds", "Threshold": c.milliseconds})
		})
	}
}

func TestAConsumerHasAnAlarmForItsLag(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	core.AddConsumer("fraud")

	assert.Len(t, core.Alarms(), 5)
	hasAlarm(cdktest.Template(stack), map[string]any{
		"Namespace": "AWS/Kinesis", "MetricName": "SubscribeToShardEvent.MillisBehindLatest",
		"Dimensions": append([]any{map[string]any{"Name": "ConsumerName", "Value": "fraud"}}, streamDimension()...),
		"Statistic":  "Maximum", "Threshold": 30_240_000,
	})
}

func TestShardLevelMetricsBringAnAlarmForEachHotShard(t *testing.T) {
	for name, c := range map[string]struct {
		metric     awskinesis.ShardLevelMetrics
		thresholds []any
	}{
		"INCOMING_BYTES":   {awskinesis.ShardLevelMetrics_INCOMING_BYTES, []any{48_000_000}},
		"INCOMING_RECORDS": {awskinesis.ShardLevelMetrics_INCOMING_RECORDS, []any{48_000}},
		"ALL":              {awskinesis.ShardLevelMetrics_ALL, []any{48_000_000, 48_000}},
		"OUTGOING_BYTES":   {awskinesis.ShardLevelMetrics_OUTGOING_BYTES, nil},
	} {
		t.Run(name, func(t *testing.T) {
			stack := cdktest.NewStack()
			core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{ShardLevelMetrics: []awskinesis.ShardLevelMetrics{c.metric}})

			assert.Len(t, core.Alarms(), 4+len(c.thresholds))
			template := cdktest.Template(stack)
			template.HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{"DesiredShardLevelMetrics": []any{named(".")}})
			for _, threshold := range c.thresholds {
				hasAlarm(template, map[string]any{"Threshold": threshold, "EvaluationPeriods": 5, "DatapointsToAlarm": 3})
			}
		})
	}
}

func TestTheHotShardAlarmAsksForEveryShardOfThisStream(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{
		StreamName:        "events",
		ShardLevelMetrics: []awskinesis.ShardLevelMetrics{awskinesis.ShardLevelMetrics_INCOMING_BYTES},
	})
	found := cdktest.Template(stack).FindResources(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"Properties": map[string]any{"Metrics": assertions.Match_AnyValue()},
	})
	require.Len(t, *found, 1)
	for _, alarm := range *found {
		query := (*alarm)["Properties"].(map[string]any)["Metrics"].([]any)[0].(map[string]any)
		assert.Equal(t, map[string]any{"Fn::Join": []any{"", []any{
			`SELECT SUM(IncomingBytes) FROM SCHEMA("AWS/Kinesis", StreamName, ShardId) WHERE StreamName = '`,
			map[string]any{"Ref": "CoreStream53F0A751"},
			`' GROUP BY ShardId ORDER BY SUM() DESC`,
		}}}, query["Expression"])
		assert.EqualValues(t, 60, query["Period"])
	}
}

func TestAlarmActionsAreToldOfAlarmsAndOfTheirEnd(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{AlarmActions: []awscloudwatch.IAlarmAction{pager(stack)}})
	core.AddConsumer("fraud")
	cdktest.Template(stack).AllResourcesProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"AlarmActions": []any{"arn:aws:sns:eu-west-1:111122223333:pager"},
		"OKActions":    []any{"arn:aws:sns:eu-west-1:111122223333:pager"},
	})
}

func TestAlarmsCanBeSkipped(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{SkipAlarms: true})
	core.AddConsumer("fraud")
	assert.Empty(t, core.Alarms())
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::CloudWatch::Alarm"), jsii.Number(0))
}

func TestEachMetricIsTheStreamsUnderAWSsName(t *testing.T) {
	core := stream.NewStreamingCore(cdktest.NewStack(), "Core", nil)
	type metric = func(*awscloudwatch.MetricOptions) awscloudwatch.Metric
	for want, c := range map[string]struct {
		metric    metric
		statistic string
	}{
		"IncomingBytes":                      {core.MetricIncomingBytes, "Sum"},
		"IncomingRecords":                    {core.MetricIncomingRecords, "Sum"},
		"WriteProvisionedThroughputExceeded": {core.MetricWriteThrottled, "Sum"},
		"ReadProvisionedThroughputExceeded":  {core.MetricReadThrottled, "Sum"},
		"PutRecords.FailedRecords":           {core.MetricPutRecordsFailedRecords, "Sum"},
		"PutRecords.ThrottledRecords":        {core.MetricPutRecordsThrottledRecords, "Sum"},
		"GetRecords.IteratorAgeMilliseconds": {core.MetricIteratorAge, "Maximum"},
	} {
		t.Run(want, func(t *testing.T) {
			assert.Equal(t, want, *c.metric(nil).MetricName())
			assert.Equal(t, "AWS/Kinesis", *c.metric(nil).Namespace())
			assert.Equal(t, c.statistic, *c.metric(nil).Statistic())
			assert.Equal(t, map[string]any{"StreamName": *core.Stream.StreamName()}, *c.metric(nil).Dimensions())

			options := &awscloudwatch.MetricOptions{Statistic: jsii.String("p90"), Period: awscdk.Duration_Minutes(jsii.Number(1))}
			assert.Equal(t, "p90", *c.metric(options).Statistic())
			assert.Equal(t, options.Period, c.metric(options).Period())
		})
	}
	options := &awscloudwatch.MetricOptions{Label: jsii.String("fraud")}
	assert.Equal(t, "fraud", (*core.MetricConsumerAge("fraud", options).Dimensions())["ConsumerName"])
	assert.Equal(t, &awscloudwatch.MetricOptions{Label: jsii.String("fraud")}, options, "the options are not changed")
}
