package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestTheLakeIsPrivateVersionedAndEncryptedWithAKeyOfItsOwn(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewLakeBucket(stack, "Lake", nil)

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::S3::Bucket"), map[string]any{
		"PublicAccessBlockConfiguration": map[string]any{
			"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
		},
		"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{
			"BucketKeyEnabled":              true,
			"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn("^LakeKey")},
		}}},
		"OwnershipControls":       map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}},
		"VersioningConfiguration": map[string]any{"Status": "Enabled"},
		"LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{
			"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 7},
			"NoncurrentVersionExpiration":    map[string]any{"NoncurrentDays": 30},
			"Transitions":                    assertions.Match_Absent(),
			"ExpirationInDays":               assertions.Match_Absent(),
			"Status":                         "Enabled",
		}}},
		"BucketName": assertions.Match_Absent(),
	})
	template.HasResourceProperties(jsii.String("AWS::KMS::Key"), map[string]any{"EnableKeyRotation": true})
}

func TestTheLakeIsReachedByTLSAlone(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewLakeBucket(stack, "Lake", nil)

	deny := func(condition map[string]any) any {
		return assertions.Match_ObjectLike(&map[string]any{"Effect": "Deny", "Action": "s3:*", "Condition": condition})
	}
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::S3::BucketPolicy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{
			deny(map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}),
			deny(map[string]any{"NumericLessThan": map[string]any{"s3:TlsVersion": 1.2}}),
		}},
	})
}

func TestLakeAndKeyAreRetainedUnlessSaidOtherwise(t *testing.T) {
	for want, props := range map[string]*delivery.LakeBucketProps{
		"Retain": nil,
		"Delete": {RemovalPolicy: awscdk.RemovalPolicy_DESTROY},
	} {
		t.Run(want, func(t *testing.T) {
			stack := cdktest.NewStack()
			delivery.NewLakeBucket(stack, "Lake", props)
			template := cdktest.Template(stack)
			template.HasResource(jsii.String("AWS::S3::Bucket"), map[string]any{"DeletionPolicy": want})
			template.HasResource(jsii.String("AWS::KMS::Key"), map[string]any{"DeletionPolicy": want})
		})
	}
}

func TestALakeKeyOfYoursIsUsedAndNoneIsMade(t *testing.T) {
	stack := cdktest.NewStack()
	key := awskms.NewKey(stack, jsii.String("Mine"), nil)
	lake := delivery.NewLakeBucket(stack, "Lake", &delivery.LakeBucketProps{Key: key})

	assert.Equal(t, *key.KeyArn(), *lake.Key.KeyArn())
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::KMS::Key"), jsii.Number(1))
}

func TestConfigureOfTheLakeHasTheLastWord(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewLakeBucket(stack, "Lake", &delivery.LakeBucketProps{
		Configure: func(p *awss3.BucketProps) { p.EventBridgeEnabled = jsii.Bool(true); p.Versioned = jsii.Bool(false) },
	})
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::S3::Bucket"), map[string]any{"VersioningConfiguration": assertions.Match_Absent()})
	template.HasResourceProperties(jsii.String("Custom::S3BucketNotifications"), map[string]any{
		"NotificationConfiguration": map[string]any{"EventBridgeConfiguration": map[string]any{}},
	})
}

func TestALakeIsAScopeAndTwoStandInOneStack(t *testing.T) {
	stack := cdktest.NewStack()
	one := delivery.NewLakeBucket(stack, "One", nil)
	delivery.NewLakeBucket(stack, "Two", nil)
	awss3.NewBucket(one, jsii.String("Copy"), nil)
	awscdk.Tags_Of(one).Add(jsii.String("team"), jsii.String("ingest"), nil)

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::S3::Bucket"), jsii.Number(5))
	template.ResourcePropertiesCountIs(jsii.String("AWS::S3::Bucket"), map[string]any{
		"Tags": []any{map[string]any{"Key": "team", "Value": "ingest"}},
	}, jsii.Number(3))
	assert.Equal(t, *one.Bucket.BucketName(), *one.Name())
}

func TestEveryUseOfTheLakeIsLogged(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewLakeBucket(stack, "Lake", nil)

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::S3::Bucket"), map[string]any{
		"LoggingConfiguration": map[string]any{"DestinationBucketName": map[string]any{"Ref": named("^LakeAccessLogs")}, "LogFilePrefix": "Lake/"},
	})
	template.HasResourceProperties(jsii.String("AWS::S3::Bucket"), map[string]any{
		"BucketEncryption":       map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}},
		"LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{"ExpirationInDays": 365}}},
		"AccessControl":          assertions.Match_Absent(),
	})
	template.HasResourceProperties(jsii.String("AWS::S3::BucketPolicy"), map[string]any{
		"Bucket": map[string]any{"Ref": named("^LakeAccessLogs")},
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{map[string]any{
			"Effect": "Allow", "Action": "s3:PutObject", "Principal": map[string]any{"Service": "logging.s3.amazonaws.com"},
			"Resource":  map[string]any{"Fn::Join": []any{"", []any{arn("^LakeAccessLogs"), "/Lake/*"}}},
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": map[string]any{"Ref": "AWS::AccountId"}}},
		}})},
	})
}

func TestAccessLogsMayBeYoursOrSkipped(t *testing.T) {
	stack := cdktest.NewStack()
	logs := awss3.NewBucket(stack, jsii.String("Logs"), nil)
	delivery.NewLakeBucket(stack, "Logged", &delivery.LakeBucketProps{AccessLogs: logs})
	skipped := delivery.NewLakeBucket(stack, "Skipped", &delivery.LakeBucketProps{SkipAccessLogs: true})

	assert.Nil(t, skipped.AccessLogs)
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::S3::Bucket"), jsii.Number(3))
	template.ResourcePropertiesCountIs(jsii.String("AWS::S3::Bucket"), map[string]any{
		"LoggingConfiguration": map[string]any{"DestinationBucketName": map[string]any{"Ref": named("^Logs")}},
	}, jsii.Number(1))
}

func TestWhatIsSeldomReadBecomesCheaper(t *testing.T) {
	stack := cdktest.NewStack()
	days := func(n float64) awscdk.Duration { return awscdk.Duration_Days(&n) }
	delivery.NewLakeBucket(stack, "Lake", &delivery.LakeBucketProps{
		InfrequentAccessAfter: days(30), ArchiveAfter: days(60), ExpireAfter: days(3650), NoncurrentExpireAfter: days(7),
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::S3::Bucket"), map[string]any{"LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{
		"Transitions": []any{
			map[string]any{"StorageClass": "STANDARD_IA", "TransitionInDays": 30},
			map[string]any{"StorageClass": "GLACIER_IR", "TransitionInDays": 60},
		},
		"ExpirationInDays":            3650,
		"NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 7},
	}}}})
}

func TestALakesLifecycleIsWithinS3sLimits(t *testing.T) {
	days := func(n float64) awscdk.Duration { return awscdk.Duration_Days(&n) }
	for name, c := range map[string]struct {
		props delivery.LakeBucketProps
		want  string
	}{
		"archived at once":     {delivery.LakeBucketProps{ArchiveAfter: days(1)}, ""},
		"infrequent too early": {delivery.LakeBucketProps{InfrequentAccessAfter: days(29)}, "infrequent access after must be at least 30 whole days, got 29"},
		"archived too early":   {delivery.LakeBucketProps{InfrequentAccessAfter: days(30), ArchiveAfter: days(59)}, "archive after must be at least 60 whole days, got 59"},
		"gone before":          {delivery.LakeBucketProps{ArchiveAfter: days(60), ExpireAfter: days(60)}, "expire after must be at least 61 whole days, got 60"},
		"part of a day":        {delivery.LakeBucketProps{ExpireAfter: awscdk.Duration_Hours(jsii.Number(36))}, "got 1.5"},
		"logs given and skipped": {delivery.LakeBucketProps{
			SkipAccessLogs: true, AccessLogs: awss3.Bucket_FromBucketName(cdktest.NewStack(), jsii.String("Logs"), jsii.String("logs")),
		}, "access logs are given and skipped"},
	} {
		t.Run(name, func(t *testing.T) { assertProblem(t, c.props.Validate(), c.want) })
	}
}
