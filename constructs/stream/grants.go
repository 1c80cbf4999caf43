package stream

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
)

// GrantWrite lets grantee put records, singly and in batches. A grantee of
// another account gets it by the policies of the stream and of its key; that
// account must allow it too.
// https://docs.aws.amazon.com/streams/latest/dev/controlling-access.html
func (c *StreamingCore) GrantWrite(grantee awsiam.IGrantable) awsiam.Grant {
	// By hand, as CDK's own grant adds kms:ReEncrypt* and kms:GenerateDataKey*: a
	// producer needs the latter alone, without the wildcard.
	// https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
	return c.grant(grantee, "kinesis:PutRecord", "kinesis:PutRecords", "kinesis:ListShards", "kinesis:DescribeStreamSummary").
		Combine(c.grantKey(grantee, "kms:GenerateDataKey"))
}

// GrantRead lets grantee read every record that the stream keeps, by polling.
// For a grantee of another account see [StreamingCore.GrantWrite].
func (c *StreamingCore) GrantRead(grantee awsiam.IGrantable) awsiam.Grant {
	return c.grant(grantee, "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords").
		Combine(c.grantKey(grantee, "kms:Decrypt"))
}

// GrantSubscribe lets grantee read every record that the stream keeps, as consumer.
// For a grantee of another account see [StreamingCore.GrantWrite].
func (c *StreamingCore) GrantSubscribe(consumer awskinesis.IStreamConsumer, grantee awsiam.IGrantable) awsiam.Grant {
	return consumer.Grant(grantee, *jsii.Strings("kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard")...).
		Combine(c.grant(grantee, "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards")).
		Combine(c.grantKey(grantee, "kms:Decrypt"))
}

func (c *StreamingCore) grant(grantee awsiam.IGrantable, actions ...string) awsiam.Grant {
	return c.Stream.Grant(grantee, *jsii.Strings(actions...)...)
}

func (c *StreamingCore) grantKey(grantee awsiam.IGrantable, action string) awsiam.Grant {
	// The policy of an imported key cannot be changed, and CDK's grant does not tell: it counts as a success.
	account := grantee.GrantPrincipal().PrincipalAccount()
	ours := account != nil && *account == *awscdk.Stack_Of(c).Account()
	if c.Key.Node().DefaultChild() == nil && !ours {
		awscdk.Annotations_Of(c).AddWarningV2(jsii.String("millrace:stream-key-policy"), jsii.Sprintf(
			"%s could not be allowed to a principal outside this account: the stream's key is imported, allow it in the key's policy", action))
	}
	return c.Key.Grant(grantee, &action)
}

// Enhanced fan-out.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	maxConsumers         = 20 // of a stream
	maxConsumersCreating = 5  // of a stream at the same time
)

// AddConsumer registers a consumer with enhanced fan-out: it is pushed up to 2 MB/s of each
// shard, whatever else reads the stream, at a price by shard-hour and GB. Give
// its ARN to an event source mapping in place of the stream's, and
// [StreamingCore.GrantSubscribe] to the function's role. It comes with an alarm for its lag.
//
// It panics on a name that is not 1 to 128 letters, digits, '.', '-' and '_', and on the 21st consumer.
func (c *StreamingCore) AddConsumer(consumerName string) awskinesis.StreamConsumer {
	if !name.MatchString(consumerName) {
		panic(fmt.Errorf("stream: %s: consumer name must be 1 to 128 letters, digits, '.', '-' and '_', got %q", *c.Node().Path(), consumerName))
	}
	if len(c.consumers) == maxConsumers {
		panic(fmt.Errorf("stream: %s: a stream has at most %d consumers, got %q as one more", *c.Node().Path(), maxConsumers, consumerName))
	}
	consumer := awskinesis.NewStreamConsumer(c, jsii.String("Consumer"+consumerName), &awskinesis.StreamConsumerProps{
		Stream:             c.Stream,
		StreamConsumerName: &consumerName,
	})
	// CloudFormation would register all at once, of which Kinesis refuses the sixth.
	if n := len(c.consumers); n >= maxConsumersCreating {
		consumer.Node().AddDependency(c.consumers[n-maxConsumersCreating])
	}
	c.consumers = append(c.consumers, consumer)
	c.watchConsumer(consumer, consumerName)
	return consumer
}
