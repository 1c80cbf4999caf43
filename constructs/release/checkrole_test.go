package release_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/release"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func checkRoleProps() *release.CheckRoleProps {
	return &release.CheckRoleProps{
		RoleName: "orders-check",
		By:       "arn:aws:iam::111122223333:role/orders-check-test",
		Stacks:   []string{"Orders"},
	}
}

func TestACheckRoleIsAssumedByOneRoleAndReadsTheOutputsOfItsStacks(t *testing.T) {
	stack := cdktest.NewStack()
	release.NewCheckRole(stack, "Check", checkRoleProps())
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{
		"RoleName": "orders-check",
		"AssumeRolePolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Action": "sts:AssumeRole", "Effect": "Allow",
			"Principal": map[string]any{"AWS": map[string]any{"Fn::Join": []any{"", []any{"arn:", map[string]any{"Ref": "AWS::Partition"}, ":iam::111122223333:root"}}}},
			"Condition": map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": "arn:aws:iam::111122223333:role/orders-check-test"}},
		}}},
	})
	policies := synthesize(t, stack).one(t, "AWS::IAM::Policy", "")["PolicyDocument"].(map[string]any)["Statement"].([]any)
	assert.Len(t, policies, 1)
	assert.Equal(t, "cloudformation:DescribeStacks", policies[0].(map[string]any)["Action"])
}

func TestACheckRoleReadsObjectsBelowAPrefixAndWritesNone(t *testing.T) {
	stack := cdktest.NewStack()
	bucket := awss3.NewBucket(stack, jsii.String("Lake"), &awss3.BucketProps{EncryptionKey: awskms.NewKey(stack, jsii.String("Key"), nil)})
	release.NewCheckRole(stack, "Check", checkRoleProps()).GrantReadObjects(bucket, "events/")
	var actions []string
	for _, statement := range synthesize(t, stack).one(t, "AWS::IAM::Policy", "")["PolicyDocument"].(map[string]any)["Statement"].([]any) {
		actions = append(actions, statement.(map[string]any)["Action"].(string))
	}
	assert.Equal(t, []string{"cloudformation:DescribeStacks", "s3:ListBucket", "s3:GetObject", "kms:Decrypt"}, actions)
}

func TestACheckRoleSaysWhatIsWrong(t *testing.T) {
	assert.EqualError(t, (&release.CheckRoleProps{By: "me"}).Validate(), strings.Join([]string{
		"role name is required: the pipeline assumes the role by it",
		`by must be the ARN of a role, got "me"`,
	}, "\n"))
	assert.Contains(t, cdktest.Panics(t, func() { release.NewCheckRole(cdktest.NewStack(), "Check", nil) }), "release: Check: role name is required")
}
