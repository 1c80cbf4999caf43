package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// Defaults of [FirehoseToS3Props].
const (
	// DefaultPrefix puts each hour of arrival (UTC) into a partition of its own, in Hive's style.
	DefaultPrefix = "events/" + hourly
	// DefaultErrorPrefix keeps what could not be delivered apart from the events, by kind of failure.
	DefaultErrorPrefix = "errors/" + errorOutputType + "/" + hourly

	DefaultBufferInterval = 300 // seconds
	DefaultBufferSize     = 64  // MiB: few large objects are what a lake's readers want; the interval bounds the wait
	DefaultLogRetention   = awslogs.RetentionDays_ONE_MONTH
)

const hourly = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"

// Firehose's buffering hints for S3, without dynamic partitioning or format conversion.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
const (
	maxBufferInterval = 900 // seconds; 0 delivers without waiting
	minBufferSize     = 1   // MiB
	maxBufferSize     = 128 // MiB
)

// FirehoseToS3Props says what is delivered, how it is changed on its way, and where to.
type FirehoseToS3Props struct {
	// Source is the stream whose records are delivered, from the moment the
	// delivery stream exists: what was put before is not delivered.
	//
	// Default: none; producers put records to the delivery stream itself.
	Source awskinesis.IStream
	// Bucket is where objects are written.
	//
	// Default: a new [LakeBucket].
	Bucket awss3.IBucket
	// Key encrypts the objects, and with direct PUT what Firehose holds back until delivery.
	// With a Bucket whose key CDK does not know (one imported by name), give its key here.
	//
	// Default: the bucket's key.
	Key awskms.IKey
	// Prefix begins the key of every object; !{timestamp:…} and
	// !{firehose:random-string} are replaced by Firehose.
	// https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
	//
	// Default: [DefaultPrefix].
	Prefix string
	// ErrorPrefix begins the key of every object with records that could not be
	// delivered. If it or Prefix has expressions, it must have !{firehose:error-output-type}.
	//
	// Default: [DefaultErrorPrefix].
	ErrorPrefix string
	// BufferInterval is how long Firehose gathers records for one object, 0 to 900 seconds.
	//
	// Default: [DefaultBufferInterval] seconds.
	BufferInterval awscdk.Duration
	// BufferSize is how much Firehose gathers for one object, before compression: 1 to 128 whole MiB.
	//
	// Default: [DefaultBufferSize] MiB.
	BufferSize awscdk.Size
	// SkipTransformer delivers the records as they came. Nothing is put between
	// them: a producer whose records do not end in a newline cannot tell them apart in the lake.
	//
	// Default: false.
	SkipTransformer bool
	// Transformer is a function of yours that answers Firehose's transformation
	// requests, in place of ours. It must answer within five minutes and in less than 6 MB.
	// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
	//
	// Default: millrace's transformer: each JSON object on one line, with its identity and arrival.
	Transformer awslambda.IFunction
	// Architecture is the processor that millrace's transformer is built for.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
	// LogRetention is how long the logs of delivery and transformer are kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the log groups, and of the bucket and
	// the key that are made here, when they leave the stack.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *FirehoseToS3Props) Validate() error {
	p = p.withDefaults()
	errs := []error{validatePrefixes(p.Prefix, p.ErrorPrefix)}
	if !*p.BufferInterval.IsUnresolved() {
		seconds := *p.BufferInterval.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
		if seconds < 0 || seconds > maxBufferInterval || seconds != math.Trunc(seconds) {
			errs = append(errs, fmt.Errorf("buffer interval must be 0 to %d whole seconds, got %g", maxBufferInterval, seconds))
		}
	}
	if !*p.BufferSize.IsUnresolved() {
		mebibytes := *p.BufferSize.ToMebibytes(&awscdk.SizeConversionOptions{Rounding: awscdk.SizeRoundingBehavior_NONE})
		if mebibytes < minBufferSize || mebibytes > maxBufferSize || mebibytes != math.Trunc(mebibytes) {
			errs = append(errs, fmt.Errorf("buffer size must be %d to %d whole MiB, got %g", minBufferSize, maxBufferSize, mebibytes))
		}
	}
	if p.SkipTransformer && p.Transformer != nil {
		errs = append(errs, errors.New("transformer is given and skipped: do one of the two"))
	}
	if p.Architecture != nil && p.Transformer != nil {
		errs = append(errs, errors.New("architecture is for millrace's own transformer: set it on the transformer that is given"))
	}
	return errors.Join(errs...)
}

func (p *FirehoseToS3Props) withDefaults() *FirehoseToS3Props {
	q := FirehoseToS3Props{}
	if p != nil {
		q = *p
	}
	if q.BufferInterval == nil {
		q.BufferInterval = awscdk.Duration_Seconds(jsii.Number(DefaultBufferInterval))
	}
	if q.BufferSize == nil {
		q.BufferSize = awscdk.Size_Mebibytes(jsii.Number(DefaultBufferSize))
	}
	q.Prefix = cmp.Or(q.Prefix, DefaultPrefix)
	q.ErrorPrefix = cmp.Or(q.ErrorPrefix, DefaultErrorPrefix)
	q.LogRetention = cmp.Or(q.LogRetention, DefaultLogRetention)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}
