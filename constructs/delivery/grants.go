package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// role is what Firehose assumes, with what AWS's documentation lists and no more.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
func (f *FirehoseToS3) role(p *FirehoseToS3Props) awsiam.Role {
	role := awsiam.NewRole(f, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("firehose.amazonaws.com"), nil),
	})
	allow(role, *f.Bucket.BucketArn(), "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
	// Every object, since the error prefix and the prefix are both Firehose's to write.
	allow(role, *f.Bucket.ArnForObjects(jsii.String("*")), "s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload")
	allow(role, *f.LogGroup.LogGroupArn(), "logs:PutLogEvents")
	if f.Key != nil {
		f.Key.Grant(role, jsii.String("kms:GenerateDataKey"), jsii.String("kms:Decrypt"))
	}
	if p.Source != nil {
		p.Source.Grant(role, *jsii.Strings("kinesis:DescribeStream", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")...)
		if key := p.Source.EncryptionKey(); key != nil {
			key.Grant(role, jsii.String("kms:Decrypt"))
		}
	}
	f.allowTransformer(role, p)
	return role
}

// allowTransformer names our own function exactly: Firehose asks for no version, which is $LATEST
// and spelled either way. Theirs may be a version or an alias of any account, which CDK's grant knows best.
func (f *FirehoseToS3) allowTransformer(role awsiam.Role, p *FirehoseToS3Props) {
	switch {
	case f.Transformer == nil:
	case p.Transformer != nil:
		f.Transformer.GrantInvoke(role)
		allow(role, *f.Transformer.FunctionArn(), "lambda:GetFunctionConfiguration")
	default:
		function := *f.Transformer.FunctionArn()
		role.AddToPolicy(statement([]string{function, function + ":$LATEST"}, "lambda:InvokeFunction", "lambda:GetFunctionConfiguration"))
	}
}

func allow(role awsiam.Role, resource string, actions ...string) {
	role.AddToPolicy(statement([]string{resource}, actions...))
}

func statement(resources []string, actions ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: jsii.Strings(resources...),
	})
}
