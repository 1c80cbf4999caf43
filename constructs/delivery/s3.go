package delivery

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// FirehoseToS3 delivers records as compressed objects, of JSON lines or Parquet.
type FirehoseToS3 struct {
	constructs.Construct
	*Delivery

	Catalog *Catalog // where the lake is a table; nil without one
}

// NewFirehoseToS3 defines a FirehoseToS3 in scope; props may be nil. It panics
// on invalid props (see [FirehoseToS3Props.Validate]).
func NewFirehoseToS3(scope constructs.Construct, id string, props *FirehoseToS3Props) *FirehoseToS3 {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("delivery: %s: %w", id, err))
	}
	p := props.withDefaults()

	f := &FirehoseToS3{Delivery: new(Delivery)}
	constructs.NewConstruct_Override(f, scope, &id)
	lake := f.lake(p)
	f.prepare(f, p.shared())
	f.Catalog = newCatalog(f, p, lake)
	f.deliver(p.streamID(), &awskinesisfirehose.CfnDeliveryStreamProps{ExtendedS3DestinationConfiguration: f.destination(p)})
	f.watchObjects(p)
	return f
}

// lake sets the bucket and its key, and returns the LakeBucket if it is made here.
func (f *FirehoseToS3) lake(p *FirehoseToS3Props) *LakeBucket {
	if p.Bucket == nil {
		lake := NewLakeBucket(f, "Lake", &LakeBucketProps{Key: p.Key, RemovalPolicy: p.RemovalPolicy})
		f.Bucket, f.Key = lake.Bucket, lake.Key
		return lake
	}
	f.Bucket, f.Key = p.Bucket, keyOf(p.Bucket, p.Key)
	return nil
}

// keyOf is the key that is given with a bucket, or the one that CDK knows of it.
func keyOf(bucket awss3.IBucket, key awskms.IKey) awskms.IKey {
	if key != nil {
		return key
	}
	return bucket.EncryptionKey()
}

// streamID is another one with partitioning, which a delivery stream has from
// its beginning or never: an update of the one that stands would fail while it is deployed.
func (p *FirehoseToS3Props) streamID() string {
	if p.Partitioning != nil {
		return "PartitionedDeliveryStream"
	}
	return "DeliveryStream"
}

func (f *FirehoseToS3) destination(p *FirehoseToS3Props) *awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty {
	objects := f.objects(f.Bucket, f.Key, "S3Destination", &awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty{})
	destination := &awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty{
		BucketArn:                objects.BucketArn,
		RoleArn:                  objects.RoleArn,
		ErrorOutputPrefix:        objects.ErrorOutputPrefix,
		EncryptionConfiguration:  objects.EncryptionConfiguration,
		CloudWatchLoggingOptions: objects.CloudWatchLoggingOptions,

		Prefix:                            &p.Prefix,
		CompressionFormat:                 jsii.String(string(p.Compression)),
		BufferingHints:                    hints(f.props.BufferInterval, f.props.BufferSize),
		ProcessingConfiguration:           f.processing(p.Partitioning.jq()),
		DynamicPartitioningConfiguration:  p.Partitioning.configuration(),
		DataFormatConversionConfiguration: p.Parquet.conversion(f, p),
		S3BackupConfiguration:             f.backup(p.Backup),
	}
	if p.TimeZone != "" {
		destination.CustomTimeZone = &p.TimeZone
	}
	if p.FileExtension != "" {
		destination.FileExtension = &p.FileExtension
	}
	if p.Backup != nil {
		destination.S3BackupMode = jsii.String("Enabled")
	}
	return destination
}
