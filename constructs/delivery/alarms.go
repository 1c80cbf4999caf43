package delivery

import (
	"fmt"
	"slices"

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
	// alarmQuota is how much of a quota may be taken, in percent.
	alarmQuota = 80
	// alarmFailed is how many of the records may be failed before somebody is woken, in percent:
	// single clients err, a hundredth of all is a release of theirs or of ours.
	alarmFailed = 1
	// activePartitions is the quota unless AWS has raised it.
	// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
	activePartitions = 500
	// partitionedFreshness: https://docs.aws.amazon.com/firehose/latest/dev/buffering.html
	partitionedFreshness = 1.5
)

// Alarms lists the alarms of the delivery, which are, as far as it has what they watch:
//
//   - Freshness: the oldest record that is not delivered is twice as old as the buffers allow.
//   - Success: over a twentieth of deliveries fail for 15 minutes.
//   - Throttled: records, or reading the source, are refused for 15 minutes on end.
//   - Quota: direct PUT takes four fifths of the bytes per second that the delivery stream may take.
//   - Processing: over a twentieth of the transformer's invocations fail.
//   - FunctionErrors, FunctionThrottles, FunctionDuration: the transformer crashes, finds no concurrency,
//     or takes four fifths of its timeout, if that is known at synth.
//   - FailedRecords: millrace's transformer fails a record, which is then under the error prefix.
//   - FailedShare: it fails over a hundredth of all records.
//   - FailedConversions: a record does not fit the table's columns, and is under the error prefix.
//   - Partitions: more partitions are active than the quota allows; the records of others are under the error prefix.
//   - PartitionQuota: four fifths of the quota's 500 partitions are active.
//   - PartitionKeys: Firehose logs that JQ failed for records.
//   - Backup: over a twentieth of the backup's puts fail.
//   - FailedRows: rows were not written to an Iceberg table, and are under the error prefix.
//   - Key: KMS refuses Firehose the key of direct PUT.
func (d *Delivery) Alarms() []awscloudwatch.Alarm { return slices.Clone(d.alarms) }

// mark says of an alarm what it is a symptom of, and how soon somebody has to look.
func mark(id string) watch.Mark {
	m := map[string]watch.Mark{
		"Freshness":         {Symptom: watch.Late, Severity: watch.Critical},
		"Success":           {Symptom: watch.Late, Severity: watch.Critical}, // Firehose tries for a day, then keeps aside
		"Throttled":         {Symptom: watch.Late, Severity: watch.Warning},  // Freshness says when it matters
		"Quota":             {Symptom: watch.Refused, Severity: watch.Warning},
		"Key":               {Symptom: watch.Refused, Severity: watch.Critical},
		"Processing":        {Symptom: watch.Aside, Severity: watch.Critical},
		"FunctionErrors":    {Symptom: watch.Aside, Severity: watch.Warning}, // Processing says when it matters
		"FunctionThrottles": {Symptom: watch.Aside, Severity: watch.Warning},
		"FunctionDuration":  {Symptom: watch.Aside, Severity: watch.Warning},
		"FailedRecords":     {Symptom: watch.Aside, Severity: watch.Warning}, // FailedShare says when it matters
		"FailedShare":       {Symptom: watch.Aside, Severity: watch.Critical},
		"FailedConversions": {Symptom: watch.Aside, Severity: watch.Warning}, // one producer may err
		"Partitions":        {Symptom: watch.Aside, Severity: watch.Critical},
		"PartitionQuota":    {Symptom: watch.Aside, Severity: watch.Warning},
		"PartitionKeys":     {Symptom: watch.Aside, Severity: watch.Warning},
		"Backup":            {Symptom: watch.Aside, Severity: watch.Critical},
		"FailedRows":        {Symptom: watch.Aside, Severity: watch.Critical},
	}[id]
	m.Section = "delivery " + id
	return m
}

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
	d.watchFunction()
	if d.props.Source == nil {
		d.alarm("Quota", fmt.Sprintf("producers put over %d %% of the bytes that it may take", alarmQuota),
			"Soon they are refused. Have AWS raise the quota.", above(d.metricQuota(), alarmQuota, 3))
	}
	if d.props.ownTransformer() {
		d.alarm("FailedShare", fmt.Sprintf("the transformer fails over %d %% of the records", alarmFailed),
			"They are under the error prefix as they came. Look first at the reasons in the transformer's log group: a release of the clients, or of the transformer.",
			above(d.metricFailedShare(), alarmFailed, 3))
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
		f.alarm("PartitionQuota", fmt.Sprintf("over %d %% of the quota's %d partitions are active", alarmQuota, activePartitions),
			"Above the quota records go under the error prefix. Have AWS raise it, or take a key with fewer values.",
			above(f.Metric("PartitionCount", &awscloudwatch.MetricOptions{Statistic: awscloudwatch.Stats_MAXIMUM()}), activePartitions*alarmQuota/100, 3))
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
	alarm := watch.Alarm(d.alarmScope, id, mark(id), props, d.props.AlarmActions)
	d.alarms = append(d.alarms, alarm)
	if d.Rollout != nil && id == "Freshness" {
		d.Rollout.RollBackOn(alarm)
	}
}
