// Package poll is what the constructs share that have Lambda read a stream: the
// rights for it, the bucket for what Lambda gives up, and an event source
// mapping's metrics and limits.
package poll

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// FailuresFolder is where Lambda puts failed batches, in a folder for each
// mapping. It is not for us to choose.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
const FailuresFolder = "aws/lambda/"

// How long a failures' bucket keeps what nobody sees any more, in days.
const (
	noncurrentDays = 30 // batches that were deleted, once they are replayed or by mistake
	uploadDays     = 7  // uploads that were never finished
)

// Failures defines, as OnFailure in scope, the bucket for the batches of source
// that Lambda gives up; retention nil keeps them for ever.
func Failures(scope constructs.Construct, source awskinesis.IStream, retention awscdk.Duration, removal awscdk.RemovalPolicy) awss3.IBucket {
	props := &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		Versioned:         jsii.Bool(true),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Expiration:                          retention,
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(noncurrentDays)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(uploadDays)),
		}},
		RemovalPolicy: removal,
	}
	// The batches are the stream's data: whoever may not decrypt that may not read them either.
	if key := source.EncryptionKey(); key != nil {
		props.Encryption, props.EncryptionKey, props.BucketKeyEnabled = awss3.BucketEncryption_KMS, key, jsii.Bool(true)
	}
	bucket := awss3.NewBucket(scope, jsii.String("OnFailure"), props)
	suppress.Rules(bucket, "Lambda writes it and operators read it, seldom both; who wants its use logged brings a bucket as OnFailure",
		"AwsSolutions-S1", "CKV_AWS_18")
	return bucket
}

// Grant gives what Lambda needs, in the function's role, to poll source and to
// keep failed batches. CDK's own event source and S3 destination give more:
// reading and deleting in the bucket, and enhanced fan-out.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func Grant(role awsiam.Role, source awskinesis.IStream, onFailure awss3.IBucket) {
	GrantRead(role, source)
	iam.Allow(role, *onFailure.ArnForObjects(jsii.String(FailuresFolder + "*")), "s3:PutObject")
	suppress.Rules(suppress.Policy(role), "Lambda names the objects of failed batches; the folder is all that is known before",
		`AwsSolutions-IAM5[/^Resource::.+\/aws\/lambda\/\*$/]`)
	iam.Allow(role, *onFailure.BucketArn(), "s3:ListBucket")
	if key := onFailure.EncryptionKey(); key != nil {
		key.Grant(role, jsii.String("kms:GenerateDataKey"))
	}
}

// GrantRead gives what of it polling alone needs.
func GrantRead(role awsiam.Role, source awskinesis.IStream) {
	source.Grant(role, *jsii.Strings("kinesis:DescribeStream", "kinesis:DescribeStreamSummary",
		"kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")...)
	if key := source.EncryptionKey(); key != nil {
		key.Grant(role, jsii.String("kms:Decrypt"))
	}
}

// Metric is a metric of the event source mapping, by default its sum.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
func Metric(mapping awslambda.CfnEventSourceMapping, name string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return watch.Metric("AWS/Lambda", name, map[string]*string{"EventSourceMappingUUID": mapping.Ref()}, awscloudwatch.Stats_SUM(), options)
}

// What Lambda accepts: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
const (
	MaxBatchSize          = 10_000
	MaxBatchWindowSeconds = 300
	MaxRetries            = 10_000
	minRecordAge          = 60      // seconds
	MaxRecordAgeSeconds   = 604_800 // a week
)

// defaultRetentionHours is what a stream keeps that does not say.
// https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
const defaultRetentionHours = 24.0

// ValidateAge checks the age at which a record is given up, and holds it to the
// retention of source as far as that is known. Nil stands for a default that is less than any retention.
func ValidateAge(source awskinesis.IStream, age awscdk.Duration) error {
	const subject = "max record age"
	if err := Whole(subject, age, awscdk.Duration.ToSeconds, minRecordAge, MaxRecordAgeSeconds, "seconds"); err != nil {
		return err
	}
	if source == nil || age == nil || *age.IsUnresolved() {
		return nil
	}
	stream, made := source.Node().DefaultChild().(awskinesis.CfnStream)
	if !made {
		return nil
	}
	retention := defaultRetentionHours
	if hours := stream.RetentionPeriodHours(); hours != nil {
		retention = *hours
	}
	if *awscdk.Token_IsUnresolved(retention) {
		return nil
	}
	if hours := *age.ToHours(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)}); hours >= retention {
		return fmt.Errorf("%s must be less than the retention of source, %g hours, or records expire before they are kept on failure, got %g hours", subject, retention, hours)
	}
	return nil
}

// Between checks a number whose zero stands for its default.
func Between(subject string, got, highest int) error {
	if 0 <= got && got <= highest {
		return nil
	}
	return fmt.Errorf("%s must be 1 to %d, got %d", subject, highest, got)
}

// Whole checks a duration whose nil stands for its default.
func Whole(subject string, got awscdk.Duration, in func(awscdk.Duration, *awscdk.TimeConversionOptions) *float64, lowest, highest int, unit string) error {
	if got == nil || *got.IsUnresolved() {
		return nil
	}
	n := *in(got, &awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	if n >= float64(lowest) && n <= float64(highest) && n == float64(int(n)) {
		return nil
	}
	return fmt.Errorf("%s must be %d to %d whole %s, got %g", subject, lowest, highest, unit, n)
}
