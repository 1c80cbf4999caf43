// Package gofunc defines Lambda functions from Go packages.
//
// A function's package is compiled at synth by the go command of the machine:
// no Docker, no script beforehand. The executable is the same, byte for byte,
// on every machine with the same toolchain, so that a function changes only when its
// sources do.
package gofunc

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// GoFunction is a Lambda function on provided.al2023, with a log group and a
// role of its own. The role may write to that log group and do nothing else
// until something is granted.
type GoFunction struct {
	constructs.Construct

	Function awslambda.Function
	LogGroup awslogs.LogGroup
	Role     awsiam.Role
}

// NewGoFunction defines a GoFunction in scope. It panics on invalid props (see
// [GoFunctionProps.Validate]), and with the compiler's own words when the package does not build.
func NewGoFunction(scope constructs.Construct, id string, props *GoFunctionProps) *GoFunction {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("gofunc: %s: %w", id, err))
	}
	p := props.withDefaults()

	f := new(GoFunction)
	constructs.NewConstruct_Override(f, scope, &id)
	f.LogGroup = awslogs.NewLogGroup(f, jsii.String("LogGroup"), &awslogs.LogGroupProps{
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	f.Role = f.role(p)
	f.Function = f.function(p)
	if p.Vpc != nil {
		f.keepCodeOffInterfaces()
	}
	return f
}

// GrantInvoke lets grantee invoke the function.
func (f *GoFunction) GrantInvoke(grantee awsiam.IGrantable) awsiam.Grant {
	return f.Function.GrantInvoke(grantee)
}

// interfaceActions are what Lambda needs, in the function's role, to connect a
// function to a VPC. EC2 has no resource-level permission for the Describe
// actions, and Lambda refuses a function whose role narrows the others.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
var interfaceActions = [...]string{
	"ec2:CreateNetworkInterface",
	"ec2:DescribeNetworkInterfaces",
	"ec2:DescribeSubnets",
	"ec2:DeleteNetworkInterface",
	"ec2:AssignPrivateIpAddresses",
	"ec2:UnassignPrivateIpAddresses",
}

// role stands in for the managed policies that CDK would attach: those allow
// logging to every group of the account.
func (f *GoFunction) role(p *GoFunctionProps) awsiam.Role {
	role := awsiam.NewRole(f, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	f.LogGroup.GrantWrite(role)
	if p.Vpc != nil {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings(interfaceActions[:]...),
			Resources: jsii.Strings("*"),
		}))
		suppress.Rules(suppress.Policy(role), "Lambda refuses a function in a VPC whose role narrows these; NoInterfacesForCode denies them to the function's own code",
			"AwsSolutions-IAM5[Resource::*]", "CKV_AWS_111",
			"Privilege-Resource[ec2:CreateNetworkInterface]", "Privilege-Resource[ec2:DeleteNetworkInterface]",
			"Privilege-Resource[ec2:AssignPrivateIpAddresses]", "Privilege-Resource[ec2:UnassignPrivateIpAddresses]")
	}
	return role
}

// keepCodeOffInterfaces denies the function's own code what Lambda needs from
// its role: only calls made with the function's credentials carry SourceFunctionArn.
// It is a policy apart, since the function waits for the role's default policy
// and this one needs the function's ARN.
func (f *GoFunction) keepCodeOffInterfaces() {
	awsiam.NewPolicy(f, jsii.String("NoInterfacesForCode"), &awsiam.PolicyProps{
		Roles: &[]awsiam.IRole{f.Role},
		Statements: &[]awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Effect:     awsiam.Effect_DENY,
			Actions:    jsii.Strings(interfaceActions[:]...),
			Resources:  jsii.Strings("*"),
			Conditions: &map[string]any{"ArnEquals": map[string]any{"lambda:SourceFunctionArn": f.Function.FunctionArn()}},
		})},
	})
}

// function leaves X-Ray tracing off: it needs xray:Put* on every resource, and
// in an isolated VPC nothing of the function's own could reach X-Ray.
func (f *GoFunction) function(p *GoFunctionProps) awslambda.Function {
	environment := make(map[string]*string, len(p.Environment))
	for name, value := range p.Environment {
		environment[name] = jsii.String(value)
	}
	props := &awslambda.FunctionProps{
		Code:          f.code(p),
		Handler:       jsii.String(executable),
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  p.Architecture,
		Environment:   &environment,
		MemorySize:    jsii.Number(p.MemoryMiB),
		Timeout:       p.Timeout,
		Role:          f.Role,
		LogGroup:      f.LogGroup,
		LoggingFormat: awslambda.LoggingFormat_JSON,
		Vpc:           p.Vpc,
		VpcSubnets:    p.VpcSubnets,
		// Of versions, if there are any: what an alias may have to go back to.
		CurrentVersionOptions: &awslambda.VersionOptions{RemovalPolicy: awscdk.RemovalPolicy_RETAIN},
	}
	if p.Description != "" {
		props.Description = jsii.String(p.Description)
	}
	if len(p.SecurityGroups) > 0 {
		props.SecurityGroups = &p.SecurityGroups
	}
	if p.Configure != nil {
		p.Configure(props)
	}
	return awslambda.NewFunction(f, jsii.String("Function"), props)
}

func (f *GoFunction) code(p *GoFunctionProps) awslambda.Code {
	if p.Code != nil {
		return p.Code
	}
	folder, err := f.build(p)
	if err != nil {
		panic(fmt.Errorf("gofunc: %s: building package %s: %w", *f.Node().Path(), p.Package, err))
	}
	// CDK's hash of the folder is one of names and contents: as reproducible as the executable.
	return awslambda.Code_FromAsset(&folder, nil)
}

func (f *GoFunction) build(p *GoFunctionProps) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	if !*awscdk.Stack_Of(f).BundlingRequired() {
		return stub(cache)
	}
	return build{pkg: p.Package, dir: p.Dir, goarch: goarch[*p.Architecture.Name()], cache: cache}.run()
}
