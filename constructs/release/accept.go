package release

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"

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
}

// text is value as the template has it.
func (r *Pipeline) text(value any) string {
	text, err := json.Marshal(awscdk.Stack_Of(r).Resolve(value))
	if err != nil {
		panic(fmt.Errorf("release: %s: %w", *r.Node().Path(), err))
	}
	return string(text)
}
