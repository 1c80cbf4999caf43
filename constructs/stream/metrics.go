package stream

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// The metrics of a stream are explained in
// https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html

// MetricIncomingBytes is how many bytes were put, by default their sum in 5 minutes.
func (c *StreamingCore) MetricIncomingBytes(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.metric("IncomingBytes", awscloudwatch.Stats_SUM(), options)
}

// MetricIncomingRecords is how many records were put, by default their sum in 5 minutes.
func (c *StreamingCore) MetricIncomingRecords(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.metric("IncomingRecords", awscloudwatch.Stats_SUM(), options)
}

// MetricWriteThrottled is how many records were refused because a shard was full, by
// default their sum in 5 minutes.
func (c *StreamingCore) MetricWriteThrottled(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.metric("WriteProvisionedThroughputExceeded", awscloudwatch.Stats_SUM(), options)
}

// MetricReadThrottled is how many calls of GetRecords were refused, by default
// their sum in 5 minutes.
func (c *StreamingCore) MetricReadThrottled(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.metric("ReadProvisionedThroughputExceeded", awscloudwatch.Stats_SUM(), options)
}

// MetricPutRecordsFailedRecords is how many records of PutRecords calls were
// refused for a failure inside Kinesis, by default their sum in 5 minutes.
func (c *StreamingCore) MetricPutRecordsFailedRecords(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.metric("PutRecords.FailedRecords", awscloudwatch.Stats_SUM(), options)
}

// MetricPutRecordsThrottledRecords is how many records of PutRecords calls were
// refused because a shard was full, by default their sum in 5 minutes.
func (c *StreamingCore) MetricPutRecordsThrottledRecords(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.metric("PutRecords.ThrottledRecords", awscloudwatch.Stats_SUM(), options)
}

// MetricIteratorAge is how old the last record was that a reader got by polling, in
// milliseconds, by default the most in 5 minutes. The slowest reader counts.
func (c *StreamingCore) MetricIteratorAge(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.metric("GetRecords.IteratorAgeMilliseconds", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricConsumerAge is how far a consumer of [StreamingCore.AddConsumer] is
// behind, in milliseconds, by default the most in 5 minutes.
func (c *StreamingCore) MetricConsumerAge(consumerName string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	q := awscloudwatch.MetricOptions{}
	if options != nil {
		q = *options
	}
	q.DimensionsMap = &map[string]*string{"StreamName": c.Stream.StreamName(), "ConsumerName": &consumerName}
	return c.metric("SubscribeToShardEvent.MillisBehindLatest", awscloudwatch.Stats_MAXIMUM(), &q)
}

func (c *StreamingCore) metric(metric string, statistic *string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return c.Stream.Metric(&metric, watch.Options(statistic, options))
}
