package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

func named(pattern string) assertions.Matcher {
	return assertions.Match_StringLikeRegexp(jsii.String(pattern))
}

func arn(pattern string) any {
	return map[string]any{"Fn::GetAtt": []any{named(pattern), "Arn"}}
}

func TestByDefaultTheStreamIsOnDemandEncryptedAndKeepsAWeek(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", nil)

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{
		"StreamModeDetails":    map[string]any{"StreamMode": "ON_DEMAND"},
		"ShardCount":           assertions.Match_Absent(),
		"RetentionPeriodHours": 168,
		"StreamEncryption":     map[string]any{"EncryptionType": "KMS", "KeyId": arn("^CoreKey")},
		"Name":                 assertions.Match_Absent(),
	})
}

func TestStreamAndKeyAreRetainedByDefaultAndTheKeyIsRotated(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", nil)

	template := cdktest.Template(stack)
	template.HasResource(jsii.String("AWS::Kinesis::Stream"), map[string]any{"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"})
	template.HasResource(jsii.String("AWS::KMS::Key"), map[string]any{
		"Properties":          map[string]any{"EnableKeyRotation": true},
		"DeletionPolicy":      "Retain",
		"UpdateReplacePolicy": "Retain",
	})
}

func TestTheRemovalPolicyHoldsForStreamAndKey(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})

	template := cdktest.Template(stack)
	for _, kind := range []string{"AWS::Kinesis::Stream", "AWS::KMS::Key"} {
		template.HasResource(&kind, map[string]any{"DeletionPolicy": "Delete"})
	}
}

func TestShardsMakeAProvisionedStream(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Shards: 4})

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{
		"StreamModeDetails": map[string]any{"StreamMode": "PROVISIONED"},
		"ShardCount":        4,
	})
}

// Of a stream's properties its name alone replaces it, and its logical id:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-stream.html
func TestTheStreamChangesInPlace(t *testing.T) {
	templateOf := func(props func(awscdk.Stack) *stream.StreamingCoreProps) (id string, properties map[string]any) {
		stack := cdktest.NewStack()
		stream.NewStreamingCore(stack, "Core", props(stack))
		for id, resource := range *cdktest.Template(stack).FindResources(jsii.String("AWS::Kinesis::Stream"), nil) {
			return id, (*resource)["Properties"].(map[string]any)
		}
		require.FailNow(t, "no stream")
		return "", nil
	}
	wantID, before := templateOf(func(awscdk.Stack) *stream.StreamingCoreProps { return nil })
	for name, props := range map[string]func(awscdk.Stack) *stream.StreamingCoreProps{
		"another mode": func(awscdk.Stack) *stream.StreamingCoreProps { return &stream.StreamingCoreProps{Shards: 4} },
		"a retention": func(awscdk.Stack) *stream.StreamingCoreProps {
			return &stream.StreamingCoreProps{Retention: awscdk.Duration_Hours(jsii.Number(48))}
		},
		"another key": func(stack awscdk.Stack) *stream.StreamingCoreProps {
			return &stream.StreamingCoreProps{Key: awskms.NewKey(stack, jsii.String("Mine"), nil)}
		},
	} {
		id, after := templateOf(props)
		assert.Equal(t, wantID, id, name)
		assert.NotEqual(t, before, after, name)
		assert.NotContains(t, after, "Name", name)
	}
}

func TestAKeyOfYoursIsUsedAndNoneIsMade(t *testing.T) {
	stack := cdktest.NewStack()
	key := awskms.NewKey(stack, jsii.String("Mine"), nil)
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Key: key})

	assert.Equal(t, *key.KeyArn(), *core.Key.KeyArn())
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::KMS::Key"), jsii.Number(1))
	template.HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{
		"StreamEncryption": map[string]any{"EncryptionType": "KMS", "KeyId": arn("^Mine")},
	})
}

func role(stack awscdk.Stack, id string) awsiam.Role {
	return awsiam.NewRole(stack, &id, &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil)})
}

func statements(t assertions.Template, want ...any) {
	t.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{"PolicyDocument": map[string]any{"Statement": want}})
}

func TestAWriterMayPutRecordsAndMakeDataKeysAndNothingElse(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	core.GrantWrite(role(stack, "Producer"))

	statements(cdktest.Template(stack),
		map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"kinesis:PutRecord", "kinesis:PutRecords", "kinesis:ListShards", "kinesis:DescribeStreamSummary"},
			"Resource": arn("^CoreStream"),
		},
		map[string]any{"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": arn("^CoreKey")},
	)
}

func TestAReaderMayGetRecordsAndDecryptAndNothingElse(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	core.GrantRead(role(stack, "Consumer"))

	statements(cdktest.Template(stack),
		map[string]any{
			"Effect": "Allow",
			"Action": []any{
				"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards",
				"kinesis:GetShardIterator", "kinesis:GetRecords",
			},
			"Resource": arn("^CoreStream"),
		},
		map[string]any{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn("^CoreKey")},
	)
}

func TestACoreIsAScopeAndTwoStandInOneStack(t *testing.T) {
	stack := cdktest.NewStack()
	one := stream.NewStreamingCore(stack, "One", nil)
	stream.NewStreamingCore(stack, "Two", nil)
	awss3.NewBucket(one, jsii.String("Bucket"), nil)
	awscdk.Tags_Of(one).Add(jsii.String("team"), jsii.String("ingest"), nil)

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Kinesis::Stream"), jsii.Number(2))
	template.ResourceCountIs(jsii.String("AWS::KMS::Key"), jsii.Number(2))
	tag := map[string]any{"Tags": []any{map[string]any{"Key": "team", "Value": "ingest"}}}
	for _, kind := range []string{"AWS::Kinesis::Stream", "AWS::KMS::Key", "AWS::S3::Bucket"} {
		template.ResourcePropertiesCountIs(&kind, tag, jsii.Number(1))
	}
}

func TestThePropsAreNotChanged(t *testing.T) {
	props := &stream.StreamingCoreProps{Shards: 2}
	stream.NewStreamingCore(cdktest.NewStack(), "Core", props)
	assert.Equal(t, &stream.StreamingCoreProps{Shards: 2}, props)
}
