// Package delivery defines how records get from a stream to where they rest.
package delivery

import (
	"fmt"
	"math"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

// transformerPackage is millrace's own transformer.
const transformerPackage = "github.com/millrace-cdk/millrace/lambdas/transformer/cmd"

// processorBuffer, in MiB, is how much Firehose hands the transformer at once;
// Firehose allows 0.2 to 3 MB. Lambda gives back at most 6 MB: a longer answer
// fails its whole batch, which then lies under the error prefix. One MiB of
// records is 1.4 MB of base64; into the other 4.6 MB go 12,700 times the 360
// bytes that an answer adds to a record (its id, the result, our metadata member
// in base64). So events of 83 bytes on average fit; at 3 MiB it would take 630.
const processorBuffer = 1

// processorInterval, in seconds, is Firehose's own default for the wait before the transformer.
const processorInterval = 60

// processorRetries is how often Firehose invokes the transformer again when it
// fails, before the batch goes to the error prefix.
const processorRetries = 3

// FirehoseToS3 delivers records as compressed objects.
type FirehoseToS3 struct {
	constructs.Construct

	DeliveryStream awskinesisfirehose.DeliveryStream
	Bucket         awss3.IBucket
	Key            awskms.IKey         // what the objects are encrypted with; nil when only the bucket knows
	Transformer    awslambda.IFunction // nil when skipped
	LogGroup       awslogs.LogGroup    // errors of delivery and transformation
	Role           awsiam.Role         // what Firehose assumes

	directPut bool
}

// NewFirehoseToS3 defines a FirehoseToS3 in scope; props may be nil. It panics
// on invalid props (see [FirehoseToS3Props.Validate]).
func NewFirehoseToS3(scope constructs.Construct, id string, props *FirehoseToS3Props) *FirehoseToS3 {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("delivery: %s: %w", id, err))
	}
	p := props.withDefaults()

	f := &FirehoseToS3{directPut: p.Source == nil}
	constructs.NewConstruct_Override(f, scope, &id)
	f.Bucket, f.Key = f.lake(p)
	f.Transformer = f.transformer(p)
	f.LogGroup = awslogs.NewLogGroup(f, jsii.String("LogGroup"), &awslogs.LogGroupProps{
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	f.Role = f.role(p)
	f.DeliveryStream = f.deliveryStream(p)
	return f
}

// GrantPutRecords lets grantee put records to the delivery stream itself. It
// panics when there is a Source: Firehose then takes records from it alone.
func (f *FirehoseToS3) GrantPutRecords(grantee awsiam.IGrantable) awsiam.Grant {
	if !f.directPut {
		panic(fmt.Errorf("delivery: %s: records come from its source stream: grant writing to that stream", *f.Node().Path()))
	}
	return f.DeliveryStream.GrantPutRecords(grantee)
}

func (f *FirehoseToS3) lake(p *FirehoseToS3Props) (awss3.IBucket, awskms.IKey) {
	switch {
	case p.Bucket == nil:
		lake := NewLakeBucket(f, "Lake", &LakeBucketProps{Key: p.Key, RemovalPolicy: p.RemovalPolicy})
		return lake.Bucket, lake.Key
	case p.Key != nil:
		return p.Bucket, p.Key
	default:
		return p.Bucket, p.Bucket.EncryptionKey()
	}
}

func (f *FirehoseToS3) transformer(p *FirehoseToS3Props) awslambda.IFunction {
	if p.SkipTransformer {
		return nil
	}
	stream.RecordsFitLambda(f, p.Source, "the transformer")
	if p.Transformer != nil {
		return p.Transformer
	}
	return gofunc.NewGoFunction(f, "Transformer", &gofunc.GoFunctionProps{
		Package:       transformerPackage,
		Description:   "Puts each event on one line, with its identity and arrival",
		Architecture:  p.Architecture,
		LogRetention:  p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	}).Function
}

func (f *FirehoseToS3) deliveryStream(p *FirehoseToS3Props) awskinesisfirehose.DeliveryStream {
	// The L2s would add grants of their own to the role, full of wildcards: it
	// has all it needs by now, so they get it in a form that they cannot change.
	role := f.Role.WithoutPolicyUpdates(nil)
	props := &awskinesisfirehose.DeliveryStreamProps{
		Role:        role,
		Destination: awskinesisfirehose.NewS3Bucket(f.Bucket, f.destination(p, role)),
	}
	switch {
	case p.Source != nil:
		// No Encryption: Firehose keeps nothing at rest that the source does not keep encrypted.
		props.Source = awskinesisfirehose.NewKinesisStreamSource(p.Source)
	case f.Key != nil:
		props.Encryption = awskinesisfirehose.StreamEncryption_CustomerManagedKey(f.Key)
	default:
		props.Encryption = awskinesisfirehose.StreamEncryption_AwsOwnedKey()
	}
	deliveryStream := f.withoutMapping(func() awskinesisfirehose.DeliveryStream {
		return awskinesisfirehose.NewDeliveryStream(f, jsii.String("DeliveryStream"), props)
	})
	// Firehose tries its role while it is being created: the policy must stand before.
	deliveryStream.Node().AddDependency(f.Role)
	return deliveryStream
}

func (f *FirehoseToS3) destination(p *FirehoseToS3Props, role awsiam.IRole) *awskinesisfirehose.S3BucketProps {
	props := &awskinesisfirehose.S3BucketProps{
		Role:              role,
		Compression:       awskinesisfirehose.Compression_GZIP(),
		DataOutputPrefix:  &p.Prefix,
		ErrorOutputPrefix: &p.ErrorPrefix,
		BufferingInterval: p.BufferInterval,
		BufferingSize:     p.BufferSize,
		EncryptionKey:     f.Key,
		LoggingConfig:     awskinesisfirehose.NewEnableLogging(f.LogGroup),
	}
	if f.Transformer == nil {
		return props
	}
	props.Processors = &[]awskinesisfirehose.IDataProcessor{
		awskinesisfirehose.NewLambdaFunctionProcessor(f.Transformer, &awskinesisfirehose.DataProcessorProps{
			BufferInterval: processorWait(p.BufferInterval),
			BufferSize:     awscdk.Size_Mebibytes(jsii.Number(processorBuffer)),
			Retries:        jsii.Number(processorRetries),
		}),
	}
	if p.Transformer == nil {
		// Ours writes JSON lines: readers that go by a file's name then know it.
		// Of other content Firehose's own ending for GZIP, .gz, says all that we know.
		props.FileExtension = jsii.String(".json.gz")
	}
	return props
}

// processorWait keeps the wait before the transformer from being longer than the one after it.
func processorWait(bufferInterval awscdk.Duration) awscdk.Duration {
	seconds := float64(processorInterval)
	if !*bufferInterval.IsUnresolved() {
		seconds = math.Min(seconds, *bufferInterval.ToSeconds(nil))
	}
	return awscdk.Duration_Seconds(&seconds)
}

// withoutMapping takes back a mapping of Firehose's addresses in all regions, which the L2
// adds to the stack for its Connections: delivery to S3 has no use for it, and
// every synth would warn that nothing refers to it. One that was there before stays.
func (f *FirehoseToS3) withoutMapping(define func() awskinesisfirehose.DeliveryStream) awskinesisfirehose.DeliveryStream {
	// A slash in an id becomes two hyphens, which TryRemoveChild, unlike TryFindChild, does not do by itself.
	const mapping = "@aws-cdk--aws-kinesisfirehose.CidrBlocks"
	stack := awscdk.Stack_Of(f).Node()
	before := stack.TryFindChild(jsii.String(mapping))
	deliveryStream := define()
	if before == nil {
		stack.TryRemoveChild(jsii.String(mapping))
	}
	return deliveryStream
}
