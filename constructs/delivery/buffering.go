package delivery

import (
	"errors"
	"fmt"
	"math"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/jsii-runtime-go"
)

// buffers are a destination's limits of buffering: seconds and MiB, both inclusive.
// 0 seconds delivers without waiting, where it is allowed.
type buffers struct {
	minInterval, maxInterval float64
	minSize, maxSize         float64
	why                      string // of minimums that are not the destination's own
}

// https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
func s3Buffers() buffers {
	return buffers{maxInterval: 900, minSize: 1, maxSize: 128}
}

// A backup has no zero buffering:
// https://docs.aws.amazon.com/firehose/latest/dev/create-configure-backup.html
func backupBuffers() buffers {
	return buffers{minInterval: 60, maxInterval: 900, minSize: 1, maxSize: 128}
}

// validate reports what is outside of the limits. What is known only at deploy is left to Firehose.
func (b buffers) validate(subject string, interval awscdk.Duration, size awscdk.Size) error {
	var errs []error
	if interval != nil && !*interval.IsUnresolved() {
		seconds := *interval.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
		if seconds < b.minInterval || seconds > b.maxInterval || seconds != math.Trunc(seconds) {
			errs = append(errs, fmt.Errorf("%s interval must be %g to %g whole seconds%s, got %g", subject, b.minInterval, b.maxInterval, b.why, seconds))
		}
	}
	if size != nil && !*size.IsUnresolved() {
		mebibytes := mebibytes(size)
		if mebibytes < b.minSize || mebibytes > b.maxSize || mebibytes != math.Trunc(mebibytes) {
			errs = append(errs, fmt.Errorf("%s size must be %g to %g whole MiB%s, got %g", subject, b.minSize, b.maxSize, b.why, mebibytes))
		}
	}
	return errors.Join(errs...)
}

func mebibytes(size awscdk.Size) float64 {
	return *size.ToMebibytes(&awscdk.SizeConversionOptions{Rounding: awscdk.SizeRoundingBehavior_NONE})
}

func hints(interval awscdk.Duration, size awscdk.Size) *awskinesisfirehose.CfnDeliveryStream_BufferingHintsProperty {
	return &awskinesisfirehose.CfnDeliveryStream_BufferingHintsProperty{
		IntervalInSeconds: interval.ToSeconds(nil),
		SizeInMBs:         size.ToMebibytes(nil),
	}
}
