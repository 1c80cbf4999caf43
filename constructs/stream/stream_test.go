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

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	props := &stream.StreamingCoreProps{
		Shards:     -1,
		Retention:  awscdk.Duration_Hours(jsii.Number(23)),
		StreamName: "no spaces please",
	}
	message := cdktest.Panics(t, func() { stream.NewStreamingCore(cdktest.NewStack(), "Core", props) })
	assert.Equal(t, `stream: Core: shards must be at least 1, or 0 for an on-demand stream, got -1
retention must be 24 to 8760 whole hours, got 23
stream name must be 1 to 128 letters, digits, '.', '-' and '_', got "no spaces please"`, message)
}

func TestRetentionIsWholeHoursOfADayToAYear(t *testing.T) {
	for name, c := range map[string]struct {
		retention awscdk.Duration
		ok        bool
	}{
		"a day":                 {awscdk.Duration_Days(jsii.Number(1)), true},
		"a year":                {awscdk.Duration_Days(jsii.Number(365)), true},
		"more than a year":      {awscdk.Duration_Hours(jsii.Number(8_761)), false},
		"a day and a half hour": {awscdk.Duration_Minutes(jsii.Number(24*60 + 30)), false},
		"known at deploy":       {awscdk.Duration_Hours(awscdk.Lazy_Number(&producer{24})), true},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&stream.StreamingCoreProps{Retention: c.retention}).Validate()
			if c.ok {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, "retention must be 24 to 8760 whole hours")
		})
	}
}

// producer is a number that CDK asks for only when it writes the template.
type producer struct{ value float64 }

func (p *producer) Produce() *float64 { return &p.value }

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack := cdktest.NewStack()
		stream.NewStreamingCore(stack, "Core", nil)
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		stack := cdktest.NewStack()
		core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{
			Shards:        2,
			Retention:     awscdk.Duration_Days(jsii.Number(14)),
			StreamName:    "events",
			RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		})
		core.GrantWrite(role(stack, "Producer"))
		core.GrantRead(role(stack, "Consumer"))
		cdktest.Golden(t, stack, "everything-on")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := cdktest.NewStack()
		key := awskms.Key_FromKeyArn(stack, jsii.String("Mine"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
		stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Key: key})
		cdktest.Golden(t, stack, "bring-your-own")
	})
}
