package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// Backup keeps every source record as it came, before transformation and conversion.
// `millrace replay` reads it. Firehose puts nothing between two records.
type Backup struct {
	// Bucket is where the backup is written.
	//
	// Default: the bucket of the delivery, under Prefix.
	Bucket awss3.IBucket
	// Key encrypts the backup's objects in a Bucket of yours.
	//
	// Default: the bucket's key.
	Key awskms.IKey
	// Prefix begins the key of every object.
	//
	// Default: [DefaultBackupPrefix].
	Prefix string
	// BufferInterval is how long Firehose gathers records for one object, 60 to 900 seconds.
	//
	// Default: [DefaultBufferInterval] seconds.
	BufferInterval awscdk.Duration
	// BufferSize is how much Firehose gathers for one object, 1 to 128 whole MiB.
	//
	// Default: [DefaultBufferSize] MiB.
	BufferSize awscdk.Size
	// Compression of the objects.
	//
	// Default: [GZIP].
	Compression Compression
}

// DefaultBackupPrefix keeps the raw records apart from the events.
const DefaultBackupPrefix = "raw/" + hourly

// Compression is how Firehose compresses an object.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
type Compression string

// The compressions that Firehose knows. Athena reads GZIP, HadoopSnappy and
// Uncompressed (https://docs.aws.amazon.com/athena/latest/ug/compression-formats.html).
const (
	GZIP         Compression = "GZIP"
	ZIP          Compression = "ZIP"
	Snappy       Compression = "Snappy"
	HadoopSnappy Compression = "HADOOP_SNAPPY"
	Uncompressed Compression = "UNCOMPRESSED"
)

func (c Compression) validate(subject string) error {
	switch c {
	case GZIP, ZIP, Snappy, HadoopSnappy, Uncompressed:
		return nil
	}
	return fmt.Errorf("%s must be %s, %s, %s, %s or %s, got %q", subject, GZIP, ZIP, Snappy, HadoopSnappy, Uncompressed, c)
}

func (b *Backup) withDefaults() *Backup {
	if b == nil {
		return nil
	}
	q := *b
	if q.BufferInterval == nil {
		q.BufferInterval = awscdk.Duration_Seconds(jsii.Number(DefaultBufferInterval))
	}
	if q.BufferSize == nil {
		q.BufferSize = awscdk.Size_Mebibytes(jsii.Number(DefaultBufferSize))
	}
	q.Prefix = cmp.Or(q.Prefix, DefaultBackupPrefix)
	q.Compression = cmp.Or(q.Compression, GZIP)
	return &q
}

func (b *Backup) validate(p *FirehoseToS3Props) error {
	if b == nil {
		return nil
	}
	var errs []error
	if p.SkipTransformer && p.Parquet == nil {
		errs = append(errs, errors.New("backup is of records that are transformed or converted: these are delivered as they came"))
	}
	if err := errors.Join(validateExpressions("prefix", b.Prefix, nil)...); err != nil {
		errs = append(errs, fmt.Errorf("backup: %w", err))
	}
	// An object of either would be taken for one of the other.
	mine, theirs := folder(b.Prefix), folder(p.Prefix)
	if b.Bucket == nil && mine != "" && theirs != "" && (strings.HasPrefix(mine, theirs) || strings.HasPrefix(theirs, mine)) {
		errs = append(errs, fmt.Errorf("backup prefix must be another folder than the prefix in the same bucket, got %q and %q", b.Prefix, p.Prefix))
	}
	if b.Key != nil && b.Bucket == nil {
		errs = append(errs, errors.New("backup key is for a backup bucket, which is not given"))
	}
	return errors.Join(append(errs,
		backupBuffers().validate("backup buffer", b.BufferInterval, b.BufferSize),
		b.Compression.validate("backup compression"))...)
}

// literal is what a prefix has before its first expression.
func literal(prefix string) string {
	before, _, _ := strings.Cut(prefix, "!{")
	return before
}

// folder is what a prefix has up to the last slash before its first expression.
func folder(prefix string) string {
	before := literal(prefix)
	return before[:strings.LastIndex(before, "/")+1]
}

// backup makes Firehose keep the source records, or returns nil.
func (d *Delivery) backup(b *Backup) any {
	if b == nil {
		return nil
	}
	bucket, key := d.Bucket, d.Key
	if b.Bucket != nil {
		bucket, key = b.Bucket, keyOf(b.Bucket, b.Key)
		allowBucket(d.Role, bucket)
		allowKey(d.Role, key)
	}
	return d.objects(bucket, key, "S3Backup", &awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty{
		Prefix:            &b.Prefix,
		BufferingHints:    hints(b.BufferInterval, b.BufferSize),
		CompressionFormat: jsii.String(string(b.Compression)),
	})
}

// objects completes how objects are written to bucket: the error prefix, the key, the role, the log.
func (d *Delivery) objects(bucket awss3.IBucket, key awskms.IKey, log string, c *awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty) *awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty {
	c.BucketArn = bucket.BucketArn()
	c.RoleArn = d.Role.RoleArn()
	c.ErrorOutputPrefix = &d.props.ErrorPrefix
	c.EncryptionConfiguration = encryption(key)
	c.CloudWatchLoggingOptions = d.logTo(log)
	return c
}

// encryption of an object with key, or nil, which leaves it to the bucket.
func encryption(key awskms.IKey) any {
	if key == nil {
		return nil
	}
	return &awskinesisfirehose.CfnDeliveryStream_EncryptionConfigurationProperty{
		KmsEncryptionConfig: &awskinesisfirehose.CfnDeliveryStream_KMSEncryptionConfigProperty{AwskmsKeyArn: key.KeyArn()},
	}
}
