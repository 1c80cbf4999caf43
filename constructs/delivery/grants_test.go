package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestFirehosesRoleHasExactlyWhatTheDeliveryNeeds(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})

	allow := func(resource any, actions ...any) any {
		statement := map[string]any{"Effect": "Allow", "Action": actions, "Resource": resource}
		if len(actions) == 1 {
			statement["Action"] = actions[0]
		}
		return statement
	}
	latest := map[string]any{"Fn::Join": []any{"", []any{arn("^DeliveryTransformerFunction"), ":$LATEST"}}}
	objects := map[string]any{"Fn::Join": []any{"", []any{arn("^DeliveryLakeBucket"), "/*"}}}
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"Roles": []any{map[string]any{"Ref": named("^DeliveryRole")}},
		"PolicyDocument": map[string]any{"Statement": []any{
			allow(arn("^DeliveryLakeBucket"), "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
			allow(objects, "s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"),
			allow(arn("^DeliveryLogGroup"), "logs:PutLogEvents"),
			allow(arn("^DeliveryLakeKey"), "kms:GenerateDataKey", "kms:Decrypt"),
			allow(arn("^Source"), "kinesis:DescribeStream", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"),
			allow(arn("^SourceKey"), "kms:Decrypt"),
			allow([]any{arn("^DeliveryTransformerFunction"), latest}, "lambda:InvokeFunction", "lambda:GetFunctionConfiguration"),
		}},
	})
}

func TestFirehoseAssumesTheRoleForThisAccountAlone(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{SkipTransformer: true})

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{
		"AssumeRolePolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "firehose.amazonaws.com"},
			"Condition": map[string]any{"StringEquals": map[string]any{"sts:ExternalId": map[string]any{"Ref": "AWS::AccountId"}}},
		}}},
	})
}

func TestTheGrantsStandBeforeTheDeliveryStream(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})

	cdktest.Template(stack).HasResource(jsii.String("AWS::KinesisFirehose::DeliveryStream"), map[string]any{
		"DependsOn": assertions.Match_ArrayWith(&[]any{named("^DeliveryRoleDefaultPolicy"), named("^DeliveryRole")}),
	})
}

func TestASourceWithoutAKeyOfYoursNeedsNoDecryption(t *testing.T) {
	stack := cdktest.NewStack()
	theirs := awskinesis.Stream_FromStreamArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/theirs"))
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: theirs, SkipTransformer: true})

	statements := policyStatements(t, stack)
	assert.Len(t, statements, 5)
	for _, statement := range statements {
		assert.NotEqual(t, "kms:Decrypt", statement["Action"])
	}
}

func TestNoActionIsAWildcard(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})

	for _, statement := range policyStatements(t, stack) {
		actions, several := statement["Action"].([]any)
		if !several {
			actions = []any{statement["Action"]}
		}
		for _, action := range actions {
			assert.NotContains(t, action, "*")
		}
		assert.NotEqual(t, "*", statement["Resource"])
	}
}

// policyStatements returns every statement of every IAM policy of the stack.
func policyStatements(t *testing.T, stack awscdk.Stack) (statements []map[string]any) {
	t.Helper()
	for _, policy := range *cdktest.Template(stack).FindResources(jsii.String("AWS::IAM::Policy"), nil) {
		document := (*policy)["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)
		for _, statement := range document["Statement"].([]any) {
			statements = append(statements, statement.(map[string]any))
		}
	}
	require.NotEmpty(t, statements)
	return statements
}
