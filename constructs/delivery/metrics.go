package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
	"github.com/millrace-cdk/millrace/spec"
)

// Metric is one of the delivery stream's, by default its average over five minutes.
// https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
func (d *Delivery) Metric(name string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.DeliveryStream.Metric(&name, options)
}

// MetricFreshness is how old the oldest record is that Firehose has and has not
// delivered, in seconds, by default the most in five minutes.
func (d *Delivery) MetricFreshness(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.metric(d.watched.freshness+".DataFreshness", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricSuccess is the share of deliveries that succeeded, 0 to 1, by default the average over five minutes.
func (d *Delivery) MetricSuccess(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.metric(d.watched.success+".Success", awscloudwatch.Stats_AVERAGE(), options)
}

// MetricThrottled is how many records of direct PUT were refused, or how many
// GetRecords of Firehose the source refused, by default their sum in five minutes.
func (d *Delivery) MetricThrottled(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	name := "ThrottledRecords"
	if d.props.Source != nil {
		name = "ThrottledGetRecords"
	}
	return d.metric(name, awscloudwatch.Stats_SUM(), options)
}

// MetricBehind is how far Firehose is behind its source, in milliseconds, by
// default the most in five minutes. Direct PUT has none.
func (d *Delivery) MetricBehind(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.metric("KinesisMillisBehindLatest", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricProcessingSuccess is the share of the transformer's invocations that
// succeeded, 0 to 1, by default the average over five minutes.
func (d *Delivery) MetricProcessingSuccess(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.metric("ExecuteProcessing.Success", awscloudwatch.Stats_AVERAGE(), options)
}

// MetricFailedConversions is how many records could not be made Parquet, by default their sum in five minutes.
func (d *Delivery) MetricFailedConversions(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.metric("FailedConversion.Records", awscloudwatch.Stats_SUM(), options)
}

// MetricPartitionCountExceeded is 1 while there are more active partitions than the quota, by
// default the most in five minutes.
func (d *Delivery) MetricPartitionCountExceeded(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.metric("PartitionCountExceeded", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricBackupSuccess is the share of the backup's puts that succeeded, 0 to 1, by
// default the average over five minutes.
func (d *Delivery) MetricBackupSuccess(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.metric("BackupToS3.Success", awscloudwatch.Stats_AVERAGE(), options)
}

// MetricFailedRecords is how many records millrace's transformer failed, by
// default their sum in five minutes. It counts them itself.
func (d *Delivery) MetricFailedRecords(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	metric := awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String(spec.TransformerNamespace),
		MetricName:    jsii.String(spec.TransformerFailedRecords),
		DimensionsMap: &map[string]*string{"DeliveryStreamName": d.DeliveryStream.DeliveryStreamName()},
		Statistic:     awscloudwatch.Stats_SUM(),
	})
	if options == nil {
		return metric
	}
	return metric.With(options)
}

func (d *Delivery) metric(name string, statistic *string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return d.Metric(name, watch.Options(statistic, options))
}
