package load

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// failuresFolder is where Lambda puts failed batches, in a folder for each
// mapping. It is not for us to choose.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
const failuresFolder = "aws/lambda/"

// How long the new bucket keeps what nobody sees any more, in days.
const (
	noncurrentDays = 30 // batches that were deleted, once they are loaded or by mistake
	uploadDays     = 7  // uploads that were never finished
)

// FailuresPrefix is the folder of OnFailure that this loader's failed batches are in.
func (l *PostgresLoader) FailuresPrefix() *string {
	return jsii.String(failuresFolder + *l.Mapping.Ref() + "/")
}

func (l *PostgresLoader) bucket(p *PostgresLoaderProps) awss3.IBucket {
	if p.OnFailure != nil {
		return p.OnFailure
	}
	props := &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		Versioned:         jsii.Bool(true),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Expiration:                          p.FailureRetention,
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(noncurrentDays)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(uploadDays)),
		}},
		RemovalPolicy: p.RemovalPolicy,
	}
	// The batches are the stream's data: whoever may not decrypt that may not read them either.
	if key := p.Source.EncryptionKey(); key != nil {
		props.Encryption, props.EncryptionKey, props.BucketKeyEnabled = awss3.BucketEncryption_KMS, key, jsii.Bool(true)
	}
	bucket := awss3.NewBucket(l, jsii.String("OnFailure"), props)
	suppress.Rules(bucket, "Lambda writes it and operators read it, seldom both; who wants its use logged brings a bucket as OnFailure",
		"AwsSolutions-S1", "CKV_AWS_18")
	return bucket
}
