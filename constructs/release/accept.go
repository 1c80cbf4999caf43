package release

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// tolerated is a breach of rules that a policy with the text has, and why it stands.
type tolerated struct {
	text   string
	reason string
	rules  []string
}

// tolerable are what CDK Pipelines, CodeBuild and the L2 grants write into policies. The account that they are in
// releases, and does nothing else; what they reach in the others is what bootstrapping there allows them.
func tolerable() []tolerated {
	return []tolerated{
		{`"s3:GetObject*"`, "CDK's grant: families of actions, on the artifacts alone", []string{`AwsSolutions-IAM5[/^Action::s3:.+\*$/]`, "Privilege-Action"}},
		{`"kms:GenerateDataKey*"`, "CDK's grant: families of actions, on the artifacts' key alone", []string{`AwsSolutions-IAM5[/^Action::kms:.+\*$/]`}},
		{`"s3:GetObject*"`, "Artifacts have names that CodePipeline makes up", []string{`AwsSolutions-IAM5[/^Resource::<.+\.Arn>\/.*\*$/]`}},
		{":log-group:/aws/codebuild/", "CodeBuild's own log groups, of which it is given one in place", []string{`AwsSolutions-IAM5[/^Resource::arn:.+:log-group:\/aws\/codebuild\/.+$/]`}},
		{":report-group/", "CodeBuild makes a report group by the project's name and one of the build's choice", []string{`AwsSolutions-IAM5[/^Resource::arn:.+:report-group\/.+$/]`}},
		{":role/*", "Of this account's roles those that bootstrapping has tagged for deploys, says the condition", []string{`AwsSolutions-IAM5[/^Resource::arn:.+:role\/\*$/]`}},
		{`"cloudformation:DescribeStacks"`, "The CDK CLI looks for the bootstrap stack and its bucket by name, and changes neither", []string{
			"AwsSolutions-IAM5[Resource::*]", "Privilege-Resource[cloudformation:DescribeStacks]", "Privilege-Resource[s3:ListBucket]",
		}},
		// What stages in another region get their artifacts from: CDK knows the bucket by the name that it makes up, and the key by none.
		{"eplicationbucket", "CDK's grant to the pipeline's own role: of a key in another region it knows no ARN, so it names all; this account holds no data", []string{
			`AwsSolutions-IAM5[/^Resource::arn:.+:s3:::.+eplicationbucket.+\/\*$/]`, "AwsSolutions-IAM5[Resource::*]", "CKV_AWS_111",
			"Privilege-Resource[kms:Decrypt]", "Privilege-Resource[kms:DescribeKey]", "Privilege-Resource[kms:Encrypt]",
			"Privilege-Resource[kms:GenerateDataKey*]", "Privilege-Resource[kms:ReEncrypt*]",
		}},
		// The role of builds that publish has it for batches of builds, which none is.
		{`report-group/*"`, "CDK's role for all that publish: in this account it may start builds, and each is one of a release", []string{
			"AwsSolutions-IAM5[Resource::*]", "CKV_AWS_111",
			"Privilege-Resource[codebuild:BatchGetBuilds]", "Privilege-Resource[codebuild:StartBuild]", "Privilege-Resource[codebuild:StopBuild]",
		}},
	}
}

// accept says which rules of the scanners the pipeline breaks, and why.
func (r *Pipeline) accept() {
	for _, policy := range children[awsiam.CfnPolicy](r) {
		text := r.text(policy.PolicyDocument())
		for _, one := range tolerable() {
			if strings.Contains(text, one.text) {
				suppress.Rules(policy, one.reason, one.rules...)
			}
		}
	}
	for _, policy := range children[awss3.CfnBucketPolicy](r) {
		if strings.Contains(r.text(policy.PolicyDocument()), `"s3:GetObject*"`) {
			suppress.Rules(policy, "CDK's grant to the roles that deploy in other accounts: families of actions that read", "Privilege-Action")
		}
	}
	r.acceptNotifier()
	for _, support := range *r.Pipeline.CrossRegionSupport() {
		supported(support.Stack)
	}
}

// supported makes the bucket that CDK defines for stages in another region forget as ours does.
func supported(stack awscdk.Stack) {
	for _, node := range *stack.Node().FindAll("") {
		switch resource := node.(type) {
		case awss3.CfnBucket:
			resource.AddPropertyOverride(jsii.String("LifecycleConfiguration"), map[string]any{"Rules": []any{map[string]any{
				"Status": "Enabled", "ExpirationInDays": ArtifactDays,
				"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1},
			}}})
			suppress.Rules(resource, "It holds copies of what Artifacts holds, whose uses are logged", "AwsSolutions-S1", "CKV_AWS_18")
			suppress.Rules(resource, "It holds copies of what Artifacts holds, which has the versions", "CKV_AWS_21")
		case awskms.CfnKey:
			suppress.Rules(resource, "CDK's grant to the roles of this account: families of actions that encrypt", "Privilege-Action")
		case awss3.CfnBucketPolicy:
			suppress.Rules(resource, "CDK's grant to the roles that deploy in other accounts: families of actions that read", "Privilege-Action")
		}
	}
}

// text is value as the template has it.
func (r *Pipeline) text(value any) string {
	text, err := json.Marshal(awscdk.Stack_Of(r).Resolve(value))
	if err != nil {
		panic(fmt.Errorf("release: %s: %w", *r.Node().Path(), err))
	}
	return string(text)
}
