// Package iam writes policies that name exactly what they allow.
package iam

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// Allow lets role do actions on resource, an ARN.
func Allow(role awsiam.Role, resource string, actions ...string) {
	role.AddToPolicy(Statement([]string{resource}, actions...))
}

// Statement allows actions on resources, which are ARNs.
func Statement(resources []string, actions ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: jsii.Strings(resources...),
	})
}

// TrustFor has role's one service assume it for resources of the stack's own account and region alone,
// against the confused deputy: those of service (rds) and of the kind resource (db). It edits the resource, since
// CDK makes such roles itself and takes no condition.
func TrustFor(role awsiam.IRole, service, resource string, format awscdk.ArnFormat) {
	stack := awscdk.Stack_Of(role)
	arn := stack.FormatArn(&awscdk.ArnComponents{Service: &service, Resource: &resource, ResourceName: jsii.String("*"), ArnFormat: format})
	role.Node().DefaultChild().(awsiam.CfnRole).AddPropertyOverride(jsii.String("AssumeRolePolicyDocument.Statement.0.Condition"), map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": stack.Account()},
		"ArnLike":      map[string]any{"aws:SourceArn": arn},
	})
}
