package delivery

import (
	"cmp"
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// DeliveryProps says what every FirehoseTo… construct must know: where records
// come from, how they are changed, how long they are held back, where they go
// when they fail, and what is logged. [FirehoseToS3Props] has the same fields of its own.
type DeliveryProps struct {
	// Source is the stream whose records are delivered, from the moment the
	// delivery stream exists: what was put before is not delivered, nor what is put
	// between the end of a delivery stream and the beginning of the one that replaces
	// it. `millrace replay` from the stream closes such a hole.
	//
	// Default: none; producers put records to the delivery stream itself.
	Source awskinesis.IStream
	// Transform declares what is done to each event by millrace's transformer.
	//
	// Default: each JSON object on one line, with its identity and arrival.
	Transform *spec.Transformer
	// HashKey is the secret that holds the key of Transform's Hash steps, at least 32 bytes.
	// The function reads it when it starts: a rotated key is used by functions that start later.
	//
	// Default: none.
	HashKey awssecretsmanager.ISecret
	// TransformerPackage is a main package of yours that is built in place of
	// millrace's transformer: an import path, or a path relative to the working
	// directory. See package lambdas/transformer. Transform, if given, reaches it as [spec.Variable].
	//
	// Default: millrace's transformer.
	TransformerPackage string
	// Transformer is a function of yours that answers Firehose's transformation
	// requests, in place of ours. It must answer within five minutes and in less than 6 MB.
	// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
	//
	// Default: millrace's transformer.
	Transformer awslambda.IFunction
	// SkipTransformer delivers the records as they came. Nothing is put between
	// them: a producer whose records do not end in a newline cannot tell them apart at rest.
	//
	// Default: false.
	SkipTransformer bool
	// Rollout has a change of millrace's transformer take over step by step, and go back by itself:
	// Firehose then invokes an alias that CodeDeploy moves (docs/rollout.md).
	//
	// Default: none; a change takes over at once, when it is deployed.
	Rollout *rollout.Options
	// ProcessorBufferSize is how much Firehose hands the transformer at once, 0.2 to 3 MiB.
	//
	// Default: [DefaultProcessorBufferSize].
	ProcessorBufferSize awscdk.Size
	// EventBytes is how large events are on average, in bytes. Small ones grow most in a
	// transformer's answer, of which Lambda takes 6 MB: a ProcessorBufferSize that
	// would not fit is refused. What does not fit then fails, record by record, into the error prefix.
	//
	// Default: [DefaultEventBytes].
	EventBytes int
	// Retries is how often Firehose invokes the transformer again when it fails,
	// before the batch goes to the error prefix: 0 to 300.
	//
	// Default: [DefaultRetries].
	Retries *int
	// Architecture is the processor that the transformer is built for.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
	// BufferInterval is how long Firehose gathers records for one delivery, 0 to 900 seconds.
	//
	// Default: [DefaultBufferInterval] seconds.
	BufferInterval awscdk.Duration
	// BufferSize is how much Firehose gathers for one delivery, in whole MiB.
	//
	// Default: [DefaultBufferSize] MiB; to OpenSearch [DefaultDocumentBufferSize].
	BufferSize awscdk.Size
	// Bucket is where records go that could not be delivered.
	//
	// Default: a new [LakeBucket].
	Bucket awss3.IBucket
	// Key encrypts the objects, and with direct PUT what Firehose holds back until delivery.
	// With a Bucket whose key CDK does not know (one imported by name), give its key here.
	//
	// Default: the bucket's key.
	Key awskms.IKey
	// ErrorPrefix begins the key of every object with records that could not be
	// delivered. If it has expressions, it must have !{firehose:error-output-type}.
	//
	// Default: [DefaultErrorPrefix].
	ErrorPrefix string
	// LogRetention is how long the logs of delivery and transformer are kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the log groups, and of the buckets and
	// the keys that are made here, when they leave the stack.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// SkipAlarms leaves out the alarms that [Delivery.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
}

// Defaults of [DeliveryProps] and [FirehoseToS3Props].
const (
	// DefaultErrorPrefix keeps what could not be delivered apart from the events, by kind of failure.
	DefaultErrorPrefix = "errors/" + errorOutputType + "/" + hourly

	DefaultBufferInterval      = 300 // seconds
	DefaultProcessorBufferSize = 1   // MiB
	DefaultEventBytes          = 100 // bytes
	DefaultRetries             = 3
	DefaultLogRetention        = awslogs.RetentionDays_ONE_MONTH
)

const hourly = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"

func (p DeliveryProps) withDefaults() *DeliveryProps {
	if p.BufferInterval == nil {
		p.BufferInterval = awscdk.Duration_Seconds(jsii.Number(DefaultBufferInterval))
	}
	if p.BufferSize == nil {
		p.BufferSize = awscdk.Size_Mebibytes(jsii.Number(DefaultBufferSize))
	}
	if p.ProcessorBufferSize == nil {
		p.ProcessorBufferSize = awscdk.Size_Mebibytes(jsii.Number(DefaultProcessorBufferSize))
	}
	if p.Retries == nil {
		p.Retries = new(DefaultRetries)
	}
	p.EventBytes = cmp.Or(p.EventBytes, DefaultEventBytes)
	p.ErrorPrefix = cmp.Or(p.ErrorPrefix, DefaultErrorPrefix)
	p.LogRetention = cmp.Or(p.LogRetention, DefaultLogRetention)
	p.RemovalPolicy = cmp.Or(p.RemovalPolicy, DefaultRemovalPolicy)
	if p.Transform != nil && p.HashKey != nil {
		declared := *p.Transform
		declared.HashKeyARN = *p.HashKey.SecretArn()
		p.Transform = &declared
	}
	return &p
}

// validate reports every problem of what all destinations share, of which limits has the destination's part.
func (p *DeliveryProps) validate(limits buffers) error {
	return errors.Join(
		limits.validate("buffer", p.BufferInterval, p.BufferSize),
		p.validateProcessing(),
	)
}
