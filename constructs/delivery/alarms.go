package delivery

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// The limits of the alarms, each over periods of five minutes.
const (
	// alarmSuccess is the share of deliveries, or invocations, that must succeed in
	// percent. Firehose tries again by itself: a single failure is no reason to wake anyone.
	alarmSuccess = 95
	// alarmFreshnessFactor is how many times the longest wait there should be is too long.
	alarmFreshnessFactor = 2
	// leastFreshness in seconds keeps a short buffer from alarming over a single slow delivery.
	leastFreshness = 300
	// partitionedFreshness: https://docs.aws.amazon.com/firehose/latest/dev/buffering.html
	partitionedFreshness = 1.5
)

// Alarms lists the alarms of the delivery, which are, as far as it has what they watch:
//
//   - Freshness: the oldest record that is not delivered is twice as old as the buffers allow.
//   - Success: over a twentieth of deliveries fail for 15 minutes.
//   - Throttled: records, or reading the source, are refused for 15 minutes on end.
//   - Processing: over a twentieth of the transformer's invocations fail.
//   - FailedRecords: millrace's transformer fails a record, which is then under the error prefix.
//   - FailedConversions: a record does not fit the table's columns, and is under the error prefix.
//   - Partitions: more partitions are active than the quota allows; the records of others are under the error prefix.
//   - PartitionKeys: Firehose logs that JQ failed for records.
//   - Backup: over a twentieth of the backup's puts fail.
//   - FailedRows: rows were not written to an Iceberg table, and are under the error prefix.
//   - Key: KMS refuses Firehose the key of direct PUT.
func (d *Delivery) Alarms() []awscloudwatch.Alarm { return slices.Clone(d.alarms) }

// watched says what a destination's metrics are called, without .DataFreshness and .Success.
type watched struct {
	freshness, success string
	counts             bool // success is not a share of 1 but a count, which is no reason for an alarm
	partitioned        bool
}

// watch adds the alarms that every destination has.
func (d *Delivery) watch(w watched) {
	d.watched = w
	d.watchRollout()
	if d.props.SkipAlarms {
		return
	}
	d.alarmScope = constructs.NewConstruct(d.self, jsii.String("Alarms"))
	wait := seconds(d.props.BufferInterval, s3Buffers().maxInterval)
	if d.Transformer != nil {
		wait += d.props.processorWait()
	}
	if w.partitioned {
		wait *= partitionedFreshness
	}
	d.alarm("Freshness", fmt.Sprintf("records wait for more than %d times as long as they are buffered", alarmFreshnessFactor),
		"Look first at the delivery's log group, then at the alarm on success.",
		above(d.MetricFreshness(nil), max(leastFreshness, alarmFreshnessFactor*wait), 3))
	if !w.counts {
		d.alarm("Success", fmt.Sprintf("under %d %% of deliveries succeed", alarmSuccess),
			"Look first at the delivery's log group: a permission, a key, or the destination itself.", below(d.MetricSuccess(nil)))
	}
	throttled := "producers are refused: the delivery stream is at its quota"
	if d.props.Source != nil {
		throttled = "its source refuses to be read: other readers of the stream leave Firehose too little"
	}
	d.alarm("Throttled", throttled, "Firehose, or the producers, try again: data comes late.", above(d.MetricThrottled(nil), 0, 3))
	if d.Transformer != nil {
		d.alarm("Processing", fmt.Sprintf("under %d %% of the transformer's invocations succeed", alarmSuccess),
			"Batches that keep failing are under the error prefix, from where millrace replay sends them again. Look first at the transformer's log group.",
			below(d.MetricProcessingSuccess(nil)))
	}
	if d.props.ownTransformer() {
		d.alarm("FailedRecords", "the transformer fails records", "They are under the error prefix as they came. Look first at the reasons in the transformer's log group.",
			above(d.MetricFailedRecords(nil), 0, 1))
	}
	if d.props.Source == nil && d.Key != nil {
		d.alarm("Key", "KMS refuses the key by which it holds records back", "Look first at the key's state and policy.", above(d.metricKey(), 0, 1))
	}
}

// watchObjects adds the alarms that only delivery to S3 has.
func (f *FirehoseToS3) watchObjects(p *FirehoseToS3Props) {
	f.watch(watched{freshness: "DeliveryToS3", success: "DeliveryToS3", partitioned: p.Partitioning != nil})
	if p.SkipAlarms {
		return
	}
	const failed = "They are under the error prefix, from where millrace replay sends them again once the reason is mended."
	if p.Parquet != nil {
		f.alarm("FailedConversions", "records do not fit the table's columns", failed, above(f.MetricFailedConversions(nil), 0, 1))
	}
	if p.Partitioning != nil {
		f.alarm("Partitions", "there are more active partitions than the quota allows", failed+" Have AWS raise the quota, or take a key with fewer values.",
			above(f.MetricPartitionCountExceeded(nil), 0, 1))
	}
	if len(p.Partitioning.jq()) > 0 {
		f.alarm("PartitionKeys", "JQ finds no partition keys in records", failed, above(f.metricPartitionKeys(), 0, 1))
	}
	if p.Backup != nil {
		f.alarm("Backup", fmt.Sprintf("under %d %% of the backup's puts succeed", alarmSuccess), "Look first at the delivery's log group.", below(f.MetricBackupSuccess(nil)))
	}
}

// metricKey sums what Firehose counts about a key: four metrics, of which any is one too many.
func (d *Delivery) metricKey() awscloudwatch.IMetric {
	sum := &awscloudwatch.MetricOptions{Statistic: awscloudwatch.Stats_SUM()}
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("SUM([FILL(denied, 0), FILL(disabled, 0), FILL(invalid, 0), FILL(missing, 0)])"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"denied":   d.Metric("KMSKeyAccessDenied", sum),
			"disabled": d.Metric("KMSKeyDisabled", sum),
			"invalid":  d.Metric("KMSKeyInvalidState", sum),
			"missing":  d.Metric("KMSKeyNotFound", sum),
		},
		Label:  jsii.String("Refused by KMS"),
		Period: awscdk.Duration_Minutes(jsii.Number(5)),
	})
}

// metricPartitionKeys counts lines of the error log, since Firehose has no metric of
// a failed JQ. What such a line has is not documented: the word stands in the error codes that users report.
func (f *FirehoseToS3) metricPartitionKeys() awscloudwatch.IMetric {
	filter := awslogs.NewMetricFilter(f, jsii.String("FailedPartitionKeys"), &awslogs.MetricFilterProps{
		LogGroup:        f.LogGroup,
		FilterPattern:   awslogs.FilterPattern_Literal(jsii.String("%DynamicPartitioning%")),
		MetricNamespace: jsii.String("Millrace/Delivery"),
		MetricName:      jsii.String("FailedPartitionKeys-" + *f.Node().Addr()), // of this delivery alone
		MetricValue:     jsii.String("1"),
	})
	return filter.Metric(&awscloudwatch.MetricOptions{Statistic: awscloudwatch.Stats_SUM()})
}

func above(metric awscloudwatch.IMetric, threshold, periods float64) *awscloudwatch.AlarmProps {
	return &awscloudwatch.AlarmProps{
		Metric: metric, Threshold: &threshold, EvaluationPeriods: &periods,
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
	}
}

func below(metric awscloudwatch.IMetric) *awscloudwatch.AlarmProps {
	return &awscloudwatch.AlarmProps{
		Metric: metric, Threshold: jsii.Number(alarmSuccess / 100.0), EvaluationPeriods: jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD,
	}
}

// alarm counts a time without data as a good one: nothing is put, or nothing fails.
func (d *Delivery) alarm(id, what, look string, props *awscloudwatch.AlarmProps) {
	props.AlarmDescription = jsii.Sprintf("%s: %s. %s", *d.self.Node().Path(), what, look)
	props.TreatMissingData = awscloudwatch.TreatMissingData_NOT_BREACHING
	alarm := watch.Alarm(d.alarmScope, id, props, d.props.AlarmActions)
	d.alarms = append(d.alarms, alarm)
	if d.Rollout != nil && id == "Freshness" {
		d.Rollout.RollBackOn(alarm)
	}
}
