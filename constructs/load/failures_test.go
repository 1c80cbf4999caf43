package load_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

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
			"OwnershipControls":       map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}},
			"VersioningConfiguration": map[string]any{"Status": "Enabled"},
			// Nothing expires that is not loaded.
			"LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{
				"ExpirationInDays":               assertions.Match_Absent(),
				"NoncurrentVersionExpiration":    map[string]any{"NoncurrentDays": 30},
				"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 7},
				"Status":                         "Enabled",
			}}},
		},
	})
	template.HasResourceProperties(jsii.String("AWS::S3::BucketPolicy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{
			"Effect": "Deny", "Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
		}), assertions.Match_ObjectLike(&map[string]any{
			"Effect": "Deny", "Condition": map[string]any{"NumericLessThan": map[string]any{"s3:TlsVersion": 1.2}},
		})})},
	})
}

func TestFailedBatchesExpireIfThatIsAskedFor(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{
		FailureRetention: awscdk.Duration_Days(jsii.Number(90)),
	})).HasResourceProperties(jsii.String("AWS::S3::Bucket"), map[string]any{
		"LifecycleConfiguration": map[string]any{"Rules": []any{assertions.Match_ObjectLike(&map[string]any{"ExpirationInDays": 90})}},
	})
}

func TestTheBucketGoesWithTheStackIfThatIsAskedFor(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})).
		HasResource(jsii.String("AWS::S3::Bucket"), map[string]any{"DeletionPolicy": "Delete"})
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
