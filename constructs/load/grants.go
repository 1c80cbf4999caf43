package load

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
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
	allow(role, *l.OnFailure.ArnForObjects(jsii.String(failuresFolder + "*")), "s3:PutObject")
	allow(role, *l.OnFailure.BucketArn(), "s3:ListBucket")
	if key := l.OnFailure.EncryptionKey(); key != nil {
		key.Grant(role, jsii.String("kms:GenerateDataKey"))
	}
}

func allow(role awsiam.Role, resource, action string) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(action),
		Resources: jsii.Strings(resource),
	}))
}
