package load

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/poll"
	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// What the loader writes itself, in CloudWatch's embedded metric format. The
// names are those of package lambdas/loader, which a test holds them to.
const (
	namespace         = "Millrace/Loader"
	functionDimension = "FunctionName"
	rows              = "Rows"
	duplicates        = "Duplicates"
	quarantined       = "Quarantined"
	schemaBehind      = "SchemaBehind"
	lag               = "ArrivalToCommit"
	batchTime         = "BatchTime"
)

// MetricRows is how many events were stored for the first time, by default their sum in 5 minutes.
func (l *PostgresLoader) MetricRows(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.own(rows, awscloudwatch.Stats_SUM(), options)
}

// MetricDuplicates is how many events were stored already, by default their sum in 5 minutes.
func (l *PostgresLoader) MetricDuplicates(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.own(duplicates, awscloudwatch.Stats_SUM(), options)
}

// MetricQuarantined is how many records can never be stored and are in the
// quarantine table, by default their sum in 5 minutes.
func (l *PostgresLoader) MetricQuarantined(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.own(quarantined, awscloudwatch.Stats_SUM(), options)
}

// MetricSchemaBehind is how many tables, columns and rights the database lacks of
// those declared, by default the most in 5 minutes. There is none while it lacks nothing.
func (l *PostgresLoader) MetricSchemaBehind(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.own(schemaBehind, awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricLag is from the arrival of a batch's first record in the stream to the
// commit, in milliseconds, by default the most in 5 minutes. A batch that is not
// stored has none: see [PostgresLoader.MetricIteratorAge].
func (l *PostgresLoader) MetricLag(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.own(lag, awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricBatchTime is how long the loader took for a batch, in milliseconds, by
// default the 99th percentile in 5 minutes.
func (l *PostgresLoader) MetricBatchTime(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.own(batchTime, jsii.String("p99"), options)
}

// MetricErrors is how many invocations ended by a crash, a timeout or an error,
// by default their sum in 5 minutes. A batch that the loader reports back,
// because the database is in trouble, is none of them.
func (l *PostgresLoader) MetricErrors(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.Function.MetricErrors(options)
}

// MetricThrottles is how many invocations Lambda refused because the concurrency
// was used up, by default their sum in 5 minutes. No record is lost by it.
func (l *PostgresLoader) MetricThrottles(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.Function.MetricThrottles(options)
}

// MetricDuration is how long an invocation took, in milliseconds, by default the
// most in 5 minutes.
func (l *PostgresLoader) MetricDuration(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.Function.MetricDuration(watch.Options(awscloudwatch.Stats_MAXIMUM(), options))
}

// MetricConcurrency is how many invocations run at a time, by default the most in 5 minutes.
func (l *PostgresLoader) MetricConcurrency(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.Function.Metric(jsii.String("ConcurrentExecutions"), watch.Options(awscloudwatch.Stats_MAXIMUM(), options))
}

// MetricIteratorAge is how old the last record of a batch was when Lambda sent it
// to the loader, in milliseconds, by default the most in 5 minutes. It grows
// while a batch is sent again and again.
func (l *PostgresLoader) MetricIteratorAge(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.Function.Metric(jsii.String("IteratorAge"), watch.Options(awscloudwatch.Stats_MAXIMUM(), options))
}

// MetricKeptOnFailure is how many records Lambda gave up and put into OnFailure,
// by default their sum in 5 minutes.
func (l *PostgresLoader) MetricKeptOnFailure(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return poll.Metric(l.Mapping, "OnFailureDestinationDeliveredEventCount", options)
}

// MetricDropped is how many records Lambda gave up and did not put into
// OnFailure either, by default their sum in 5 minutes. Only the stream and the lake have them then.
func (l *PostgresLoader) MetricDropped(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return poll.Metric(l.Mapping, "DroppedEventCount", options)
}

// MetricOnFailureRefused is how often Lambda could not write to OnFailure, by
// default the sum in 5 minutes.
func (l *PostgresLoader) MetricOnFailureRefused(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return l.Function.Metric(jsii.String("DestinationDeliveryFailures"), watch.Options(awscloudwatch.Stats_SUM(), options))
}

// metricQuarantineRate is how many of the records are quarantined, in percent.
func (l *PostgresLoader) metricQuarantineRate() awscloudwatch.IMetric {
	return watch.Math("Quarantined, in percent", "100 * bad / (bad + FILL(stored, 0) + FILL(again, 0))", map[string]awscloudwatch.IMetric{
		"bad": l.MetricQuarantined(nil), "stored": l.MetricRows(nil), "again": l.MetricDuplicates(nil),
	})
}

// own is a metric that the loader writes itself.
func (l *PostgresLoader) own(name string, statistic *string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return watch.Metric(namespace, name, map[string]*string{functionDimension: l.Function.FunctionName()}, statistic, options)
}
