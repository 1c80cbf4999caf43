package stacks

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// omit leaves resources of the CloudFormation types out of the templates below
// scope, and names each in an annotation that the CDK CLI prints.
func omit(scope constructs.Construct, types []string) {
	awscdk.Aspects_Of(scope).Add(&omission{types: types}, &awscdk.AspectOptions{
		Priority: awscdk.AspectPriority_MUTATING(),
	})
}

type omission struct{ types []string }

// Visit removes node if its type is one of the omitted ones.
func (o *omission) Visit(node constructs.IConstruct) {
	resource, ok := node.(awscdk.CfnResource)
	if !ok || !slices.Contains(o.types, *resource.CfnResourceType()) {
		return
	}
	path := *node.Node().Path()
	node.Node().Scope().Node().TryRemoveChild(node.Node().Id())
	awscdk.Annotations_Of(awscdk.Stack_Of(resource)).AddInfo(jsii.String("left out " + *resource.CfnResourceType() + ": " + path))
}
