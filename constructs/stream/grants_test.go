package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

const theirRole = "arn:aws:iam::444455556666:role/theirs"

func TestAProducerOfAnotherAccountIsInThePoliciesOfStreamAndKey(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	core.GrantWrite(awsiam.NewArnPrincipal(jsii.String(theirRole)))

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::Kinesis::ResourcePolicy"), map[string]any{
		"ResourceArn": arn("^CoreStream"),
		"ResourcePolicy": map[string]any{"Statement": []any{map[string]any{
			"Effect":    "Allow",
			"Principal": map[string]any{"AWS": theirRole},
			"Action":    []any{"kinesis:PutRecord", "kinesis:PutRecords", "kinesis:ListShards", "kinesis:DescribeStreamSummary"},
			"Resource":  arn("^CoreStream"),
		}}},
	})
	keyAllows(template, "kms:GenerateDataKey")
	template.ResourceCountIs(jsii.String("AWS::IAM::Policy"), jsii.Number(0))
	_, warnings := notes(stack)
	assert.Empty(t, warnings)
}

func TestAReaderOfAnotherAccountIsInThePoliciesOfStreamAndKey(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	core.GrantRead(awsiam.NewArnPrincipal(jsii.String(theirRole)))

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::Kinesis::ResourcePolicy"), map[string]any{
		"ResourcePolicy": map[string]any{"Statement": []any{map[string]any{
			"Effect":    "Allow",
			"Principal": map[string]any{"AWS": theirRole},
			"Action": []any{
				"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards",
				"kinesis:GetShardIterator", "kinesis:GetRecords",
			},
			"Resource": arn("^CoreStream"),
		}}},
	})
	keyAllows(template, "kms:Decrypt")
}

// keyAllows expects one statement for their role in the stream's key, beside the account's own.
func keyAllows(template assertions.Template, action string) {
	template.HasResourceProperties(jsii.String("AWS::KMS::Key"), map[string]any{
		"KeyPolicy": map[string]any{"Statement": []any{
			assertions.Match_ObjectLike(&map[string]any{"Action": "kms:*"}),
			map[string]any{"Effect": "Allow", "Principal": map[string]any{"AWS": theirRole}, "Action": action, "Resource": "*"},
		}},
	})
}

func TestAnImportedKeyIsAWarningForPrincipalsOutsideTheAccount(t *testing.T) {
	for name, c := range map[string]struct {
		grantee func(awscdk.Stack) awsiam.IGrantable
		want    []string
	}{
		"ours": {func(s awscdk.Stack) awsiam.IGrantable { return role(s, "Ours") }, nil},
		"theirs": {
			func(awscdk.Stack) awsiam.IGrantable { return awsiam.NewArnPrincipal(jsii.String(theirRole)) },
			[]string{"kms:GenerateDataKey could not be allowed to a principal outside this account: " +
				"the stream's key is imported, allow it in the key's policy [ack: millrace:stream-key-policy]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stack := cdktest.NewStack()
			key := awskms.Key_FromKeyArn(stack, jsii.String("Mine"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
			core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Key: key})
			core.GrantWrite(c.grantee(stack))
			_, warnings := notes(stack)
			assert.Equal(t, c.want, warnings)
		})
	}
}

func TestASubscriberMaySubscribeAsItsConsumerAndDecryptAndNothingElse(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	core.GrantSubscribe(core.AddConsumer("fraud"), role(stack, "Subscriber"))

	statements(cdktest.Template(stack),
		map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"},
			"Resource": map[string]any{"Fn::GetAtt": []any{named("^CoreConsumerfraud"), "ConsumerARN"}},
		},
		map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards"},
			"Resource": arn("^CoreStream"),
		},
		map[string]any{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn("^CoreKey")},
	)
}

func TestConsumersAreRegisteredFiveAtATime(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{SkipAlarms: true})
	for i := range 7 {
		core.AddConsumer(string(rune('a' + i)))
	}
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Kinesis::StreamConsumer"), jsii.Number(7))
	for name, before := range map[string]any{
		"a": assertions.Match_Absent(),
		"e": assertions.Match_Absent(),
		"f": []any{named("^CoreConsumera")},
		"g": []any{named("^CoreConsumerb")},
	} {
		template.HasResource(jsii.String("AWS::Kinesis::StreamConsumer"), map[string]any{
			"Properties": map[string]any{"ConsumerName": name, "StreamARN": arn("^CoreStream")},
			"DependsOn":  before,
		})
	}
}

func TestAStreamHasAtMostTwentyConsumersWithNamesThatKinesisTakes(t *testing.T) {
	core := stream.NewStreamingCore(cdktest.NewStack(), "Core", nil)
	assert.Equal(t, `stream: Test/Core: consumer name must be 1 to 128 letters, digits, '.', '-' and '_', got "a b"`,
		cdktest.Panics(t, func() { core.AddConsumer("a b") }))
	for i := range 20 {
		core.AddConsumer(string(rune('a' + i)))
	}
	assert.Equal(t, `stream: Test/Core: a stream has at most 20 consumers, got "more" as one more`,
		cdktest.Panics(t, func() { core.AddConsumer("more") }))
}
