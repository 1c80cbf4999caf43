package load

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// grantPolling gives what Lambda needs, in the function's role, to poll the
// stream and to keep failed batches. CDK's own event source and S3 destination
// give more: reading and deleting in the bucket, and enhanced fan-out.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func (l *PostgresLoader) grantPolling(role awsiam.Role, source awskinesis.IStream) {
	source.Grant(role, *jsii.Strings("kinesis:DescribeStream", "kinesis:DescribeStreamSummary",
		"kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")...)
	if key := source.EncryptionKey(); key != nil {
		key.Grant(role, jsii.String("kms:Decrypt"))
	}
	iam.Allow(role, *l.OnFailure.ArnForObjects(jsii.String(failuresFolder + "*")), "s3:PutObject")
	suppress.Rules(suppress.Policy(role), "Lambda names the objects of failed batches; the folder is all that is known before",
		`AwsSolutions-IAM5[/^Resource::.+\/aws\/lambda\/\*$/]`)
	iam.Allow(role, *l.OnFailure.BucketArn(), "s3:ListBucket")
	if key := l.OnFailure.EncryptionKey(); key != nil {
		key.Grant(role, jsii.String("kms:GenerateDataKey"))
	}
}
