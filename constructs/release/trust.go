package release

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
)

// narrow has CDK trust the pipeline's own role where it would trust the whole account. In
// an app of today these flags are in cdk.json; in an older one they are not.
func (r *Pipeline) narrow() {
	for _, flag := range []string{
		"@aws-cdk/pipelines:reduceAssetRoleTrustScope",
		"@aws-cdk/pipelines:reduceStageRoleTrustScope",
		"@aws-cdk/pipelines:reduceCrossAccountActionRoleTrustScope",
	} {
		r.Node().SetContext(&flag, true)
	}
}

// role is the pipeline's: it assumes the role of each action, and reads and writes artifacts.
func (r *Pipeline) role() awsiam.Role {
	return awsiam.NewRole(r, jsii.String("Role"), &awsiam.RoleProps{
		// https://docs.aws.amazon.com/codepipeline/latest/userguide/cross-service-confused-deputy-prevention.html
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("codepipeline.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(r).Account()}},
		}),
		Description: jsii.String("Runs the pipeline " + *r.Node().Path()),
	})
}

// trust has CodeBuild assume the builds' roles for projects of this account alone.
// https://docs.aws.amazon.com/codebuild/latest/userguide/cross-service-confused-deputy-prevention.html
func (r *Pipeline) trust() {
	for _, role := range children[awsiam.Role](r) {
		if strings.Contains(r.text(role.AssumeRolePolicy()), "codebuild.amazonaws.com") {
			iam.TrustFor(role, "codebuild", "project", awscdk.ArnFormat_SLASH_RESOURCE_NAME)
		}
	}
}

// useConnection allows what CDK does not, to the action that fetches the source and to the builds that clone it: it knows
// the service by its former name alone, and an ARN with the present one asks for the action of the present one.
// https://docs.aws.amazon.com/dtconsole/latest/userguide/rename.html
func (r *Pipeline) useConnection(p *PipelineProps) {
	for _, role := range children[awsiam.Role](r) {
		if policy, ok := role.Node().TryFindChild(jsii.String("DefaultPolicy")).(awsiam.Policy); ok &&
			strings.Contains(r.text(policy.Document()), `"codestar-connections:UseConnection"`) {
			iam.Allow(role, p.Connection, "codeconnections:UseConnection")
		}
	}
}

// children are the constructs of one type in the pipeline.
func children[T any](r *Pipeline) []T {
	var found []T
	for _, node := range *r.Node().FindAll("") {
		if child, ok := node.(T); ok {
			found = append(found, child)
		}
	}
	return found
}
