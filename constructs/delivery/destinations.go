package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// backupPrefix begins the key of every object with records that a destination other than S3 refused, or with all of them.
const backupPrefix = "backup/"

// prepareBackup makes the bucket for what the destination refuses, unless it is
// given, and what stands before every delivery stream.
func (d *Delivery) prepareBackup(self constructs.Construct, p *DeliveryProps) {
	if p.Bucket != nil {
		d.Bucket, d.Key = p.Bucket, keyOf(p.Bucket, p.Key)
	} else {
		backup := NewLakeBucket(self, "Backup", &LakeBucketProps{Key: p.Key, RemovalPolicy: p.RemovalPolicy})
		d.Bucket, d.Key = backup.Bucket, backup.Key
	}
	d.prepare(self, p)
}

// backupObjects is how objects are written to the backup bucket.
func (d *Delivery) backupObjects() *awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty {
	return d.objects(d.Bucket, d.Key, "S3Backup", &awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty{
		Prefix:            jsii.String(backupPrefix),
		CompressionFormat: jsii.String(string(GZIP)),
		BufferingHints:    hints(awscdk.Duration_Seconds(jsii.Number(DefaultBufferInterval)), awscdk.Size_Mebibytes(jsii.Number(DefaultBufferSize))),
	})
}

// retry is a duration in seconds, or otherwise.
func retry(duration awscdk.Duration, otherwise float64) *float64 {
	if duration == nil {
		return &otherwise
	}
	return duration.ToSeconds(nil)
}
