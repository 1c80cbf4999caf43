package stream_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogsdestinations"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// The code of docs/stream.md is the tests' own.
func TestTheDocumentsCodeIsTested(t *testing.T) {
	document, err := os.ReadFile("../../docs/stream.md")
	require.NoError(t, err)
	tests, err := os.ReadFile("waysin_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(document), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(block[1], "\n"), "\n", "\n\t") + "\n"
		assert.Contains(t, string(tests), indented)
	}
}

// writes is what GrantWrite gives.
func writes() []any {
	return []any{
		map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"kinesis:PutRecord", "kinesis:PutRecords", "kinesis:ListShards", "kinesis:DescribeStreamSummary"},
			"Resource": arn("^CoreStream"),
		},
		map[string]any{"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": arn("^CoreKey")},
	}
}

func TestTheSDKNeedsWhatGrantWriteGives(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	checkout := function(stack, "Checkout")
	core.GrantWrite(checkout)
	statements(cdktest.Template(stack), writes()...)
}

func TestTheProducerLibraryNeedsItsMetricsBesides(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	producer := role(stack, "Producer")
	core.GrantWrite(producer)
	producer.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("cloudwatch:PutMetricData"),
		Resources:  jsii.Strings("*"), // it has no resources
		Conditions: &map[string]any{"StringEquals": map[string]any{"cloudwatch:namespace": "KinesisProducerLibrary"}},
	}))
	statements(cdktest.Template(stack), append(writes(), map[string]any{
		"Effect":    "Allow",
		"Action":    "cloudwatch:PutMetricData",
		"Resource":  "*",
		"Condition": map[string]any{"StringEquals": map[string]any{"cloudwatch:namespace": "KinesisProducerLibrary"}},
	})...)
}

func TestFluentBitWritesWithTheRoleOfItsTask(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	task := awsecs.NewFargateTaskDefinition(stack, jsii.String("Task"), nil)
	core.GrantWrite(task.TaskRole())
	template := cdktest.Template(stack)
	statements(template, writes()...)
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{"Roles": []any{map[string]any{"Ref": named("^TaskTaskRole")}}})
}

func TestALogGroupsSubscriptionWritesWithARoleOfThisAccount(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	logs := awslogs.NewLogGroup(stack, jsii.String("Logs"), nil)
	writer := awsiam.NewRole(stack, jsii.String("LogsToStream"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("logs.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": stack.Account()}},
		}),
	})
	granted := core.GrantWrite(writer)
	filter := awslogs.NewSubscriptionFilter(stack, jsii.String("Subscription"), &awslogs.SubscriptionFilterProps{
		LogGroup:      logs,
		FilterPattern: awslogs.FilterPattern_AllEvents(),
		Destination: awslogsdestinations.NewKinesisDestination(core.Stream, &awslogsdestinations.KinesisDestinationProps{
			Role: writer.WithoutPolicyUpdates(nil),
		}),
	})
	granted.ApplyBefore(filter) // CloudWatch Logs tries the role when the filter is made

	template := cdktest.Template(stack)
	statements(template, writes()...)
	template.HasResource(jsii.String("AWS::Logs::SubscriptionFilter"), map[string]any{
		"Properties": map[string]any{"DestinationArn": arn("^CoreStream"), "RoleArn": arn("^LogsToStream"), "FilterPattern": ""},
		"DependsOn":  assertions.Match_ArrayWith(&[]any{named("^LogsToStreamDefaultPolicy")}),
	})
	template.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{
		"AssumeRolePolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Action":    "sts:AssumeRole",
			"Effect":    "Allow",
			"Principal": map[string]any{"Service": "logs.amazonaws.com"},
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": map[string]any{"Ref": "AWS::AccountId"}}},
		}}},
	})
}

func TestAnotherAccountsProducerWritesByTheStreamsPolicy(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	core.GrantWrite(awsiam.NewArnPrincipal(jsii.String("arn:aws:iam::444455556666:role/producer")))
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::Kinesis::ResourcePolicy"), jsii.Number(1))
}

func TestAFunctionReadsAsAConsumer(t *testing.T) {
	stack := cdktest.NewStack()
	core := stream.NewStreamingCore(stack, "Core", nil)
	function := function(stack, "Fraud")
	fraud := core.AddConsumer("fraud")
	core.GrantSubscribe(fraud, function)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Kinesis::StreamConsumer"), map[string]any{
		"ConsumerName": "fraud", "StreamARN": arn("^CoreStream"),
	})
}
