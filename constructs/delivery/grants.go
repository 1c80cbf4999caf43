package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/rollout"
)

// allow gives Firehose's role what AWS's documentation lists and no more.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
func (d *Delivery) allow() {
	allowBucket(d.Role, d.Bucket)
	suppress.Rules(suppress.Policy(d.Role), "Firehose names the objects that it writes; the bucket is all that is known before",
		`AwsSolutions-IAM5[/^Resource::.+\/\*$/]`)
	iam.Allow(d.Role, *d.LogGroup.LogGroupArn(), "logs:PutLogEvents")
	allowKey(d.Role, d.Key)
	if source := d.props.Source; source != nil {
		source.Grant(d.Role, *jsii.Strings("kinesis:DescribeStream", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")...)
		if key := source.EncryptionKey(); key != nil {
			key.Grant(d.Role, jsii.String("kms:Decrypt"))
		}
	}
	d.allowTransformer()
}

// allowTransformer names our own function exactly: Firehose asks for no version, which is $LATEST
// and spelled either way. Theirs may be a version or an alias of any account, which CDK's grant knows best.
func (d *Delivery) allowTransformer() {
	switch {
	case d.Transformer == nil:
	case d.props.Transformer != nil:
		d.Transformer.GrantInvoke(d.Role)
		iam.Allow(d.Role, *d.Transformer.FunctionArn(), "lambda:GetFunctionConfiguration")
	default:
		function := *d.Transformer.FunctionArn()
		invoked := []string{function, function + ":$LATEST"}
		if d.Rollout != nil { // beside the others: when a rollout is begun or ended, the policy changes before the delivery stream
			invoked = append(invoked, rollout.AliasArn(d.Transformer))
		}
		d.Role.AddToPolicy(iam.Statement(invoked, "lambda:InvokeFunction", "lambda:GetFunctionConfiguration"))
	}
}

func allowBucket(role awsiam.Role, bucket awss3.IBucket) {
	iam.Allow(role, *bucket.BucketArn(), "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
	// Every object, since the error prefix and the prefix are both Firehose's to write.
	iam.Allow(role, *bucket.ArnForObjects(jsii.String("*")), "s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload")
}

func allowKey(role awsiam.Role, key awskms.IKey) {
	if key != nil {
		key.Grant(role, jsii.String("kms:GenerateDataKey"), jsii.String("kms:Decrypt"))
	}
}
