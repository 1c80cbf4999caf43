package stream

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// IteratorAgePercent is how much of the retention a reader may be behind before
// there is an alarm: at a week, 8.4 hours, at a day, 72 minutes.
const IteratorAgePercent = 5

// HotShardPercent is how full a shard may be before there is an alarm.
const HotShardPercent = 80

// Alarms lists the alarms of the stream, which are, each in CloudWatch under its own description:
//
//   - WriteThrottled: records refused in 3 of 5 minutes. A hot shard shows here too,
//     while [StreamingCore.MetricIncomingBytes] is far below what all shards take together.
//   - ReadThrottled: GetRecords refused for 15 minutes on end.
//   - IteratorAge, and Age of each consumer: a reader is behind by [IteratorAgePercent] of the
//     retention, after which records are lost for it.
//   - FailedRecords: records of PutRecords fail inside Kinesis for 15 minutes on end. It is
//     not PutRecords.Success, to which a call counts of which one record succeeded.
//   - HotShardBytes and HotShardRecords, each if its shard-level metric is on: one shard takes
//     [HotShardPercent] of what it can in 3 of 5 minutes, so before it refuses anything.
//
// A reader that reads nothing at all has no age: watch what it writes.
func (c *StreamingCore) Alarms() []awscloudwatch.Alarm { return slices.Clone(c.alarms) }

// mark says of an alarm what it is a symptom of, and how soon somebody has to look.
func mark(id string) watch.Mark {
	m := map[string]watch.Mark{
		"WriteThrottled":  {Symptom: watch.Refused, Severity: watch.Critical},
		"FailedRecords":   {Symptom: watch.Refused, Severity: watch.Critical},
		"HotShardBytes":   {Symptom: watch.Refused, Severity: watch.Warning}, // nothing is refused yet
		"HotShardRecords": {Symptom: watch.Refused, Severity: watch.Warning},
		"IteratorAge":     {Symptom: watch.Late, Severity: watch.Critical},
		"Age":             {Symptom: watch.Late, Severity: watch.Critical},
		"ReadThrottled":   {Symptom: watch.Late, Severity: watch.Warning}, // IteratorAge says when it matters
	}[id]
	m.Section = "stream " + id
	return m
}

// AWS recommends alarms on the same metrics: the age over 15 minutes, the others over 5,
// with thresholds of the user's choosing.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html#Kinesis
func (c *StreamingCore) watch() {
	c.alarm(c, "WriteThrottled", &awscloudwatch.AlarmProps{
		AlarmDescription:   jsii.String("The stream refuses records: one or all of its shards are full."),
		Metric:             c.MetricWriteThrottled(every(1)),
		Threshold:          jsii.Number(0),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(5),
		DatapointsToAlarm:  jsii.Number(3),
	})
	c.alarm(c, "ReadThrottled", &awscloudwatch.AlarmProps{
		AlarmDescription:   jsii.String("The stream refuses to be read: its readers take more than it gives."),
		Metric:             c.MetricReadThrottled(nil),
		Threshold:          jsii.Number(0),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(3),
	})
	c.alarm(c, "IteratorAge", c.ageAlarm("A reader is behind", c.MetricIteratorAge(every(1))))
	c.alarm(c, "FailedRecords", &awscloudwatch.AlarmProps{
		AlarmDescription:   jsii.String("Kinesis keeps failing records of PutRecords: they are lost unless their producers send them again."),
		Metric:             c.MetricPutRecordsFailedRecords(nil),
		Threshold:          jsii.Number(0),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(3),
	})
	c.watchShards("HotShardBytes", "IncomingBytes", shardBytes, awskinesis.ShardLevelMetrics_INCOMING_BYTES)
	c.watchShards("HotShardRecords", "IncomingRecords", shardRecords, awskinesis.ShardLevelMetrics_INCOMING_RECORDS)
}

func (c *StreamingCore) watchConsumer(consumer constructs.Construct, consumerName string) {
	c.alarm(consumer, "Age", c.ageAlarm("The consumer "+consumerName+" is behind", c.MetricConsumerAge(consumerName, every(1))))
}

// ageAlarm takes a retention that is known only at deploy for the shortest there is.
func (c *StreamingCore) ageAlarm(what string, metric awscloudwatch.IMetric) *awscloudwatch.AlarmProps {
	hours := float64(minRetentionHours)
	if !*c.props.Retention.IsUnresolved() {
		hours = *c.props.Retention.ToHours(nil)
	}
	return &awscloudwatch.AlarmProps{
		AlarmDescription:   jsii.Sprintf("%s by %d %% of the stream's retention of %g hours: what it has not read by then is lost for it.", what, IteratorAgePercent, hours),
		Metric:             metric,
		Threshold:          jsii.Number(hours * 3_600_000 * IteratorAgePercent / 100),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		EvaluationPeriods:  jsii.Number(3),
	}
}

// watchShards looks at all shards with one Metrics Insights query, of which each
// shard is a time series of its own, and which finds those that a resharding makes. An alarm on
// SEARCH is not possible, and one that names its shards is blind after a resharding.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Metrics_Insights_Alarm.html
func (c *StreamingCore) watchShards(id, metric string, perSecond int, needs awskinesis.ShardLevelMetrics) {
	if !slices.Contains(c.props.ShardLevelMetrics, needs) && !slices.Contains(c.props.ShardLevelMetrics, awskinesis.ShardLevelMetrics_ALL) {
		return
	}
	c.alarm(c, id, &awscloudwatch.AlarmProps{
		AlarmDescription: jsii.Sprintf("A shard takes %d %% of what it can: its partition keys are too few, or the stream is too small.", HotShardPercent),
		Metric: awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.Sprintf(`SELECT SUM(%s) FROM SCHEMA("AWS/Kinesis", StreamName, ShardId) WHERE StreamName = '%s' GROUP BY ShardId ORDER BY SUM() DESC`,
				metric, *c.Stream.StreamName()),
			Label:  jsii.String(metric),
			Period: awscdk.Duration_Minutes(jsii.Number(1)),
		}),
		Threshold:          jsii.Number(60 * perSecond * HotShardPercent / 100),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		EvaluationPeriods:  jsii.Number(5),
		DatapointsToAlarm:  jsii.Number(3),
	})
}

// alarm counts a time without data as a good one: nothing is put, or nothing reads.
func (c *StreamingCore) alarm(scope constructs.Construct, id string, props *awscloudwatch.AlarmProps) {
	if c.props.SkipAlarms {
		return
	}
	props.TreatMissingData = awscloudwatch.TreatMissingData_NOT_BREACHING
	c.alarms = append(c.alarms, watch.Alarm(scope, id, mark(id), props, c.props.AlarmActions))
}

func every(minutes int) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(minutes))}
}
