package delivery

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// alarmDuration is how much of its timeout the transformer may take, in percent.
const alarmDuration = 80

// watchFunction adds the alarms of the transformer's function, ours or theirs. AWS recommends those on
// errors and throttles, over minutes. There is none on its concurrency: it has no limit of its own.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html#Lambda
func (d *Delivery) watchFunction() {
	if d.Transformer == nil {
		return
	}
	const look = "Firehose invokes it again; batches that keep failing are under the error prefix. Look first at "
	d.alarm("FunctionErrors", "the transformer crashes or times out", look+"its log group.", above(d.Transformer.MetricErrors(nil), 0, 3))
	d.alarm("FunctionThrottles", "the transformer finds no free concurrency", look+"the account's concurrency.", above(d.Transformer.MetricThrottles(nil), 0, 3))
	function, made := d.Transformer.(awslambda.Function)
	if !made {
		return // of one that is imported the timeout is not known
	}
	timeout := function.Timeout()
	if timeout == nil || *timeout.IsUnresolved() {
		return
	}
	d.alarm("FunctionDuration", fmt.Sprintf("the transformer takes over %d %% of its timeout", alarmDuration), look+"the size of its batches.",
		above(d.Transformer.MetricDuration(watch.Options(awscloudwatch.Stats_MAXIMUM(), nil)), *timeout.ToMilliseconds(nil)*alarmDuration/100, 3))
}

// metricKey sums what Firehose counts about a key: four metrics, of which any is one too many.
func (d *Delivery) metricKey() awscloudwatch.IMetric {
	return watch.Math("Refused by KMS", "SUM([FILL(denied, 0), FILL(disabled, 0), FILL(invalid, 0), FILL(missing, 0)])", map[string]awscloudwatch.IMetric{
		"denied":   d.sum("KMSKeyAccessDenied"),
		"disabled": d.sum("KMSKeyDisabled"),
		"invalid":  d.sum("KMSKeyInvalidState"),
		"missing":  d.sum("KMSKeyNotFound"),
	})
}

// metricQuota is how much of the bytes per second that direct PUT may take is taken, in
// percent: AWS's recommended alarm compares the same.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html#Firehose
func (d *Delivery) metricQuota() awscloudwatch.IMetric {
	return watch.Math("Percent of the quota", "100 * bytes / PERIOD(bytes) / most", map[string]awscloudwatch.IMetric{
		"bytes": d.sum("IncomingBytes"),
		"most":  d.metric("BytesPerSecondLimit", awscloudwatch.Stats_MINIMUM(), nil),
	})
}

// metricFailedShare is how many of the records the transformer fails, in percent. Where
// records come from a stream, Firehose counts them by another name.
func (d *Delivery) metricFailedShare() awscloudwatch.IMetric {
	came := "IncomingRecords"
	if d.props.Source != nil {
		came = "DataReadFromKinesisStream.Records"
	}
	return watch.Math("Failed, in percent", "100 * failed / came", map[string]awscloudwatch.IMetric{
		"failed": d.MetricFailedRecords(nil), "came": d.sum(came),
	})
}

func (d *Delivery) sum(name string) awscloudwatch.IMetric {
	return d.metric(name, awscloudwatch.Stats_SUM(), nil)
}
