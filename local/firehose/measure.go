package firehose

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-cdk/millrace/local/internal/metrics"
)

// measureDelivery publishes, of an attempt to put a buffer's object, whether S3 took it and how
// old its oldest record is.
// https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
func (d *stream) measureDelivery(b *buffer, err error) {
	d.measure("DeliveryToS3.Success", types.StandardUnitCount, share(err == nil))
	d.measure("DeliveryToS3.DataFreshness", types.StandardUnitSeconds, max(0, time.Since(b.oldest()).Seconds()))
}

// measureProcessing publishes whether the processor answered for a batch.
func (d *stream) measureProcessing(succeeded bool) {
	d.measure("ExecuteProcessing.Success", types.StandardUnitCount, share(succeeded))
}

func (d *stream) measure(name string, unit types.StandardUnit, value float64) {
	d.metrics.Add("AWS/Firehose", name, unit, value, metrics.Dimension{Name: "DeliveryStreamName", Value: d.settings.Load().name})
}

func share(succeeded bool) float64 {
	if succeeded {
		return 1
	}
	return 0
}
