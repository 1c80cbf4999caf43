package suppress_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

func TestAReasonStandsInTheTemplateInTheWordsOfEachScanner(t *testing.T) {
	stack := cdktest.NewStack()
	bucket := awss3.NewBucket(stack, jsii.String("Bucket"), nil)
	for range 2 { // the second time changes nothing
		suppress.Rules(bucket, "It is only for a test", "AwsSolutions-S1", "CKV_AWS_18", "Privilege-Action",
			"AwsSolutions-IAM5[Resource::*]", `AwsSolutions-IAM5[/^Action::s3:.+$/]`)
	}

	cdktest.Template(stack).HasResource(jsii.String("AWS::S3::Bucket"), assertions.Match_ObjectLike(&map[string]any{
		"Metadata": map[string]any{
			"cdk_nag": map[string]any{"rules_to_suppress": []any{
				map[string]any{"id": "AwsSolutions-S1", "reason": "It is only for a test"},
				map[string]any{"id": "AwsSolutions-IAM5", "reason": "It is only for a test", "applies_to": []any{"Resource::*"}},
				map[string]any{"id": "AwsSolutions-IAM5", "reason": "It is only for a test", "applies_to": []any{map[string]any{"regex": "/^Action::s3:.+$/"}}},
			}},
			"checkov":  map[string]any{"skip": []any{map[string]any{"id": "CKV_AWS_18", "comment": "It is only for a test"}}},
			"millrace": map[string]any{"accepted": []any{map[string]any{"id": "Privilege-Action", "reason": "It is only for a test"}}},
		},
	}))
}

func TestWhatIsImportedIsLeftToItsOwner(t *testing.T) {
	stack := cdktest.NewStack()
	suppress.Rules(awss3.Bucket_FromBucketName(stack, jsii.String("Bucket"), jsii.String("theirs")), "It is only for a test", "AwsSolutions-S1")
	assert.Empty(t, *cdktest.Template(stack).FindResources(jsii.String("AWS::S3::Bucket"), nil))
}

func TestARuleOfNoScannerIsRefused(t *testing.T) {
	bucket := awss3.NewBucket(cdktest.NewStack(), jsii.String("Bucket"), nil)
	assert.Equal(t, `suppress: Test/Bucket/Resource: a rule of no scanner: "S1"`,
		cdktest.Panics(t, func() { suppress.Rules(bucket, "It is only for a test", "S1") }))
}

func TestThePolicyOfARoleIsTheOneOfItsGrants(t *testing.T) {
	stack := cdktest.NewStack()
	role := awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{AssumedBy: awsiam.NewAccountRootPrincipal()})
	assert.Equal(t, "Test/Role", *suppress.Policy(role).Node().Path())
	awss3.NewBucket(stack, jsii.String("Bucket"), &awss3.BucketProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY}).GrantRead(role, nil)
	assert.Equal(t, "Test/Role/DefaultPolicy", *suppress.Policy(role).Node().Path())
}
