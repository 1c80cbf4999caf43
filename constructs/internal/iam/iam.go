// Package iam writes policies that name exactly what they allow.
package iam

import (
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
