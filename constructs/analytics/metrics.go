package analytics

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// The metrics of an application are explained in
// https://docs.aws.amazon.com/managed-flink/latest/java/metrics-dimensions.html

// MetricDowntime is for how long the application has been failing or restarting, in milliseconds, 0
// while it runs, by default the average in 5 minutes. AWS means to remove it some day after Flink 2.2.
func (a *StreamAnalytics) MetricDowntime(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("downtime", awscloudwatch.Stats_AVERAGE(), options)
}

// MetricRestarts is how often the job was restarted since it was submitted, by default the most in 5 minutes.
func (a *StreamAnalytics) MetricRestarts(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("numRestarts", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricFailedCheckpoints is how many checkpoints failed since the application was started, by default the
// average in 5 minutes.
func (a *StreamAnalytics) MetricFailedCheckpoints(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("numberOfFailedCheckpoints", awscloudwatch.Stats_AVERAGE(), options)
}

// MetricCheckpointDuration is how long the last checkpoint took, in milliseconds, by default the most in 5 minutes.
func (a *StreamAnalytics) MetricCheckpointDuration(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("lastCheckpointDuration", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricMillisBehindLatest is how far the application is behind the newest record of the shard that it is furthest behind
// in, in milliseconds, the most in a minute. It is a query of Metrics Insights, as the connector says it for each shard,
// with dimensions of its own.
func (a *StreamAnalytics) MetricMillisBehindLatest() awscloudwatch.MathExpression {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.Sprintf(`SELECT MAX(millisBehindLatest) FROM "AWS/KinesisAnalytics" WHERE Application = '%s'`, *a.Application.Ref()),
		Label:      jsii.String("millisBehindLatest"),
		Period:     awscdk.Duration_Minutes(jsii.Number(1)),
	})
}

// MetricCPUUtilization is how much of the task managers' processors is used, in percent, by default the
// average in 5 minutes.
func (a *StreamAnalytics) MetricCPUUtilization(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("cpuUtilization", awscloudwatch.Stats_AVERAGE(), options)
}

func (a *StreamAnalytics) metric(metric string, statistic *string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String("AWS/KinesisAnalytics"),
		MetricName:    &metric,
		DimensionsMap: &map[string]*string{"Application": a.Application.Ref()},
	}).With(watch.Options(statistic, options))
}
