package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestABackupKeepsTheSourceRecordsBesideTheEvents(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Backup: &delivery.Backup{}})

	destination(cdktest.Template(stack), map[string]any{
		"S3BackupMode": "Enabled",
		"S3BackupConfiguration": map[string]any{
			"BucketARN":               arn("^DeliveryLakeBucket"),
			"Prefix":                  delivery.DefaultBackupPrefix,
			"ErrorOutputPrefix":       delivery.DefaultErrorPrefix,
			"CompressionFormat":       "GZIP",
			"BufferingHints":          map[string]any{"IntervalInSeconds": 300, "SizeInMBs": 64},
			"EncryptionConfiguration": map[string]any{"KMSEncryptionConfig": map[string]any{"AWSKMSKeyARN": arn("^DeliveryLakeKey")}},
			"CloudWatchLoggingOptions": map[string]any{
				"LogStreamName": map[string]any{"Ref": named("^DeliveryLogGroupS3Backup")},
			},
			"RoleARN": arn("^DeliveryRole"),
		},
	})
}

func TestABackupBucketOfYoursIsWrittenWithItsKey(t *testing.T) {
	stack := cdktest.NewStack()
	bucket := awss3.NewBucket(stack, jsii.String("Raw"), &awss3.BucketProps{Encryption: awss3.BucketEncryption_KMS})
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Backup: &delivery.Backup{
		Bucket: bucket, Prefix: "mine/", Compression: delivery.ZIP,
		BufferInterval: awscdk.Duration_Minutes(jsii.Number(15)), BufferSize: awscdk.Size_Mebibytes(jsii.Number(1)),
	}})

	template := cdktest.Template(stack)
	destination(template, map[string]any{"S3BackupConfiguration": map[string]any{
		"BucketARN": arn("^Raw"), "Prefix": "mine/", "CompressionFormat": "ZIP",
		"BufferingHints":          map[string]any{"IntervalInSeconds": 900, "SizeInMBs": 1},
		"EncryptionConfiguration": map[string]any{"KMSEncryptionConfig": map[string]any{"AWSKMSKeyARN": arn("^RawKey")}},
	}})
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
			map[string]any{"Effect": "Allow", "Action": []any{"s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"}, "Resource": map[string]any{"Fn::Join": []any{"", []any{arn("^Raw"), "/*"}}}},
			map[string]any{"Effect": "Allow", "Action": []any{"kms:GenerateDataKey", "kms:Decrypt"}, "Resource": arn("^RawKey")},
		})},
		"Roles": []any{map[string]any{"Ref": named("^DeliveryRole")}},
	})
}

func TestABackupIsWithinFirehosesLimits(t *testing.T) {
	stack := cdktest.NewStack()
	theirs := awss3.Bucket_FromBucketName(stack, jsii.String("Raw"), jsii.String("raw"))
	for name, c := range map[string]struct {
		props delivery.FirehoseToS3Props
		want  string
	}{
		"the same prefix elsewhere":   {delivery.FirehoseToS3Props{Backup: &delivery.Backup{Bucket: theirs, Prefix: "events/"}}, ""},
		"the same prefix":             {delivery.FirehoseToS3Props{Backup: &delivery.Backup{Prefix: "events/raw/"}}, "backup prefix must be another folder than the prefix in the same bucket"},
		"of what is not changed":      {delivery.FirehoseToS3Props{SkipTransformer: true, Backup: &delivery.Backup{}}, "backup is of records that are transformed or converted"},
		"a prefix that is none":       {delivery.FirehoseToS3Props{Backup: &delivery.Backup{Prefix: "raw/!{time:yyyy}/"}}, "backup: prefix has !{time:yyyy}"},
		"no wait":                     {delivery.FirehoseToS3Props{Backup: &delivery.Backup{BufferInterval: awscdk.Duration_Seconds(jsii.Number(0))}}, "backup buffer interval must be 60 to 900 whole seconds, got 0"},
		"too much":                    {delivery.FirehoseToS3Props{Backup: &delivery.Backup{BufferSize: awscdk.Size_Mebibytes(jsii.Number(129))}}, "backup buffer size must be 1 to 128 whole MiB, got 129"},
		"a compression that is none":  {delivery.FirehoseToS3Props{Backup: &delivery.Backup{Compression: "LZ4"}}, `backup compression must be GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED, got "LZ4"`},
		"a key for a bucket of yours": {delivery.FirehoseToS3Props{Backup: &delivery.Backup{Key: awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1"))}}, "backup key is for a backup bucket"},
	} {
		t.Run(name, func(t *testing.T) { assertProblem(t, c.props.Validate(), c.want) })
	}
}
