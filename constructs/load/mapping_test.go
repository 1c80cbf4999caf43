package load_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestTheMappingReportsBisectsRetriesToAnEndAndKeepsWhatFailed(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{})).HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"StartingPosition":               "TRIM_HORIZON",
		"BatchSize":                      500,
		"MaximumBatchingWindowInSeconds": 1,
		"ParallelizationFactor":          1,
		"FunctionResponseTypes":          []any{"ReportBatchItemFailures"},
		"BisectBatchOnFunctionError":     true,
		"MaximumRetryAttempts":           500,
		"MaximumRecordAgeInSeconds":      43_200,
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": map[string]any{
			"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^LoaderOnFailure")), "Arn"},
		}}},
	})
}

func TestRecordsReachTheBucketBeforeAnyStreamForgetsThem(t *testing.T) {
	const shortestRetentionHours = 24
	assert.Less(t, load.DefaultMaxRecordAgeHours, shortestRetentionHours)
}

func TestTheMappingTakesItsValuesFromTheProps(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{
		BatchSize:             1_000,
		BatchWindow:           awscdk.Duration_Seconds(jsii.Number(0)),
		ParallelizationFactor: 10,
		RetryAttempts:         3,
		MaxRecordAge:          awscdk.Duration_Minutes(jsii.Number(1)),
	})).HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"BatchSize":                      1_000,
		"MaximumBatchingWindowInSeconds": 0,
		"ParallelizationFactor":          10,
		"MaximumRetryAttempts":           3,
		"MaximumRecordAgeInSeconds":      60,
	})
}

func TestTheTablesAreReadyBeforeTheLoaderAndItsMapping(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	migration, _ := one(t, stack, "Custom::MillraceMigration", "")
	_, function := one(t, stack, "AWS::Lambda::Function", "LoaderFunction")
	_, mapping := one(t, stack, "AWS::Lambda::EventSourceMapping", "")

	assert.Contains(t, function["DependsOn"], migration, "a new loader would meet old tables")
	assert.Contains(t, mapping["DependsOn"], migration)
}

func TestTheWaysInAreOpenBeforeAnyoneGoesThere(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	_, migration := one(t, stack, "Custom::MillraceMigration", "")
	_, mapping := one(t, stack, "AWS::Lambda::EventSourceMapping", "")
	rules := resourcesOf(stack, "AWS::EC2::SecurityGroupIngress")
	for id := range resourcesOf(stack, "AWS::EC2::SecurityGroupEgress") {
		rules[id] = nil
	}
	require.Len(t, rules, 6, "to Postgres from two functions, to Secrets Manager from one, both ends")
	for id := range rules {
		if strings.Contains(id, "MigratorSecurityGroup") {
			assert.Contains(t, migration["DependsOn"], id)
		} else {
			assert.Contains(t, mapping["DependsOn"], id)
		}
	}
}

func TestWhatFailedIsKeptPrivateAndUnderTheStreamsKey(t *testing.T) {
	template := cdktest.Template(with(load.PostgresLoaderProps{}))
	template.HasResource(jsii.String("AWS::S3::Bucket"), map[string]any{
		"DeletionPolicy": "Retain",
		"Properties": map[string]any{
			"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{
				"BucketKeyEnabled": true,
				"ServerSideEncryptionByDefault": map[string]any{
					"SSEAlgorithm":   "aws:kms",
					"KMSMasterKeyID": map[string]any{"Fn::ImportValue": assertions.Match_StringLikeRegexp(jsii.String("CoreKey"))},
				},
			}}},
			"PublicAccessBlockConfiguration": map[string]any{
				"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
			},
			"LifecycleConfiguration": assertions.Match_Absent(), // nothing expires that is not loaded
		},
	})
	template.HasResourceProperties(jsii.String("AWS::S3::BucketPolicy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{
			"Effect": "Deny", "Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
		})})},
	})
}

func TestAStreamWithoutAKeyStillGetsAnEncryptedBucket(t *testing.T) {
	g, stack := newStacks()
	theirs := awskinesis.Stream_FromStreamArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/theirs"))
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: theirs, Database: g.db})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::S3::Bucket"), map[string]any{
		"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{
			"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"},
		}}},
	})
}

func TestABucketOfTheirsIsUsed(t *testing.T) {
	g, stack := newStacks()
	theirs := awss3.Bucket_FromBucketName(stack, jsii.String("Theirs"), jsii.String("failed-batches"))
	loader := load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db, OnFailure: theirs})

	assert.Empty(t, resourcesOf(stack, "AWS::S3::Bucket"))
	assert.Equal(t, theirs, loader.OnFailure)
	mapping, _ := one(t, stack, "AWS::Lambda::EventSourceMapping", "")
	assert.Equal(t, map[string]any{"Fn::Join": []any{"", []any{"aws/lambda/", map[string]any{"Ref": mapping}, "/"}}}, stack.Resolve(loader.FailuresPrefix()))
}
