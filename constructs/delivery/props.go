package delivery

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"

	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// Defaults of [FirehoseToS3Props].
const (
	// DefaultPrefix puts each hour of arrival (UTC) into a partition of its own, in Hive's style.
	DefaultPrefix = "events/" + hourly

	DefaultBufferSize = 64 // MiB: few large objects are what a lake's readers want; the interval bounds the wait
)

// FirehoseToS3Props says what is delivered, how it is changed on its way, and where to.
type FirehoseToS3Props struct {
	// Source is as in [DeliveryProps].
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
	// Prefix begins the key of every object; !{timestamp:…}, !{firehose:random-string} and, with
	// Partitioning, !{partitionKeyFromLambda:…} and !{partitionKeyFromQuery:…} are replaced by Firehose.
	// Time is when the oldest record of an object arrived.
	// https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
	//
	// Default: [DefaultPrefix].
	Prefix string
	// ErrorPrefix begins the key of every object with records that could not be
	// delivered. If it or Prefix has expressions, it must have !{firehose:error-output-type}.
	//
	// Default: [DefaultErrorPrefix].
	ErrorPrefix string
	// TimeZone is the one of !{timestamp:…}: UTC, or a region and a city.
	//
	// Default: UTC.
	TimeZone string
	// FileExtension ends the key of every object, in place of the one that Firehose has for its compression.
	//
	// Default: .json.gz and .json for what millrace's transformer writes; else Firehose's.
	FileExtension string
	// Compression of the objects.
	//
	// Default: [GZIP]; with Parquet none, which compresses by itself.
	Compression Compression
	// BufferInterval is how long Firehose gathers records for one object, 0 to 900 seconds, with
	// Partitioning 60 to 900, by which delivery may then take half as long again.
	//
	// Default: [DefaultBufferInterval] seconds.
	BufferInterval awscdk.Duration
	// BufferSize is how much Firehose gathers for one object, before compression: 1 to 128 whole
	// MiB, with Partitioning or Parquet 64 to 128.
	//
	// Default: [DefaultBufferSize] MiB.
	BufferSize awscdk.Size
	// Partitioning delivers each record to the prefix that its own keys say.
	//
	// Default: none.
	Partitioning *Partitioning
	// Table makes the lake a table of AWS Glue, with a workgroup and queries of Athena.
	//
	// Default: none.
	Table *Table
	// Parquet converts the events to Parquet, with the columns of Table, which it needs.
	//
	// Default: JSON lines.
	Parquet *Parquet
	// Backup keeps the source records as they came.
	//
	// Default: none.
	Backup *Backup

	// Transform is as in [DeliveryProps].
	//
	// Default: each JSON object on one line, with its identity and arrival.
	Transform *spec.Transformer
	// HashKey is as in [DeliveryProps].
	//
	// Default: none.
	HashKey awssecretsmanager.ISecret
	// TransformerPackage is as in [DeliveryProps].
	//
	// Default: millrace's transformer.
	TransformerPackage string
	// Transformer is as in [DeliveryProps].
	//
	// Default: millrace's transformer.
	Transformer awslambda.IFunction
	// SkipTransformer is as in [DeliveryProps].
	//
	// Default: false.
	SkipTransformer bool
	// Rollout is as in [DeliveryProps].
	//
	// Default: none; a change takes over at once, when it is deployed.
	Rollout *rollout.Options
	// ProcessorBufferSize is as in [DeliveryProps].
	//
	// Default: [DefaultProcessorBufferSize].
	ProcessorBufferSize awscdk.Size
	// EventBytes is as in [DeliveryProps].
	//
	// Default: [DefaultEventBytes].
	EventBytes int
	// Retries is as in [DeliveryProps].
	//
	// Default: [DefaultRetries].
	Retries *int
	// Architecture is the processor that the transformer is built for.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
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

// shared are the props that every destination has. The fields stand here and not
// in an embedded DeliveryProps, so that the smallest use stays one flat literal.
func (p *FirehoseToS3Props) shared() *DeliveryProps {
	return DeliveryProps{
		Source: p.Source, Bucket: p.Bucket, Key: p.Key, ErrorPrefix: p.ErrorPrefix,
		BufferInterval: p.BufferInterval, BufferSize: p.BufferSize,
		Transform: p.Transform, HashKey: p.HashKey, TransformerPackage: p.TransformerPackage,
		Transformer: p.Transformer, SkipTransformer: p.SkipTransformer, Rollout: p.Rollout,
		ProcessorBufferSize: p.ProcessorBufferSize, EventBytes: p.EventBytes, Retries: p.Retries,
		Architecture: p.Architecture, LogRetention: p.LogRetention, RemovalPolicy: p.RemovalPolicy,
		SkipAlarms: p.SkipAlarms, AlarmActions: p.AlarmActions,
	}.withDefaults()
}

// buffers are what Firehose allows for these objects.
// https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html (64 MiB)
// https://docs.aws.amazon.com/firehose/latest/dev/buffering.html (no zero buffering with partitions);
// its 60 seconds and 64 MiB are those of aws-cdk's own validation.
func (p *FirehoseToS3Props) buffers() buffers {
	b := s3Buffers()
	if p.Parquet != nil {
		b.minSize, b.why = 64, " with parquet"
	}
	if p.Partitioning != nil {
		b.minSize, b.minInterval, b.why = 64, 60, " with partitioning"
	}
	return b
}

// Validate reports every problem of the props in one error.
func (p *FirehoseToS3Props) Validate() error {
	p = p.withDefaults()
	shared := p.shared()
	errs := []error{
		validatePrefixes(p.Prefix, shared.ErrorPrefix, p.Partitioning.keys(shared.partitionKeys())),
		validateTimeZone(p.TimeZone),
		validateFileExtension(p.FileExtension),
		p.Compression.validate("compression"),
		shared.validate(p.buffers()),
		p.Partitioning.validate(shared),
		p.Table.validate(p),
		p.Parquet.validate(p),
		p.Backup.validate(p),
	}
	if p.Parquet != nil && p.Compression != Uncompressed {
		errs = append(errs, fmt.Errorf("compression must be %s with parquet, which compresses by itself, got %s", Uncompressed, p.Compression))
	}
	return errors.Join(errs...)
}

func (p *FirehoseToS3Props) withDefaults() *FirehoseToS3Props {
	q := FirehoseToS3Props{}
	if p != nil {
		q = *p
	}
	if q.Parquet != nil {
		q.Compression = cmp.Or(q.Compression, Uncompressed)
	}
	q.Compression = cmp.Or(q.Compression, GZIP)
	q.Prefix = cmp.Or(q.Prefix, DefaultPrefix)
	q.Table = q.Table.withDefaults()
	q.Backup = q.Backup.withDefaults()
	if q.FileExtension == "" && q.Parquet == nil && q.shared().ownTransformer() {
		// Ours writes JSON lines: readers that go by a file's name then know it.
		// Of other content Firehose's own ending for GZIP, .gz, says all that we know.
		q.FileExtension = map[Compression]string{GZIP: ".json.gz", Uncompressed: ".json"}[q.Compression]
	}
	return &q
}
