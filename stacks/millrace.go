// Package stacks composes the constructs into millrace's stacks: one line an
// arrow. What must never be replaced is in [Foundation]; what every deploy may
// change is in [Pipeline]; what the person on call looks at is in [Operations].
package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
)

// Millrace is one environment's stacks.
type Millrace struct {
	Foundation *Foundation
	Pipeline   *Pipeline
	Operations *Operations
}

// NewMillrace defines env's stacks in scope, an app or a stage. It panics with
// every problem of env at once.
func NewMillrace(scope constructs.Construct, env Environment) *Millrace {
	if err := env.Validate(); err != nil {
		panic(err)
	}
	foundation := NewFoundation(scope, env)
	pipeline := NewPipeline(scope, env, foundation)
	operations := NewOperations(scope, env, foundation, pipeline)
	database.RequireUnreachable(scope)
	if len(env.Omit) > 0 {
		omit(scope, env.Omit)
	}
	return &Millrace{Foundation: foundation, Pipeline: pipeline, Operations: operations}
}

// stackName is the name of env's stack, and of its template in the assembly.
func (e Environment) stackName(name string) string { return "Millrace-" + e.Name + "-" + name }

// newStack defines env's stack of that name.
func newStack(scope constructs.Construct, env Environment, name string, protected bool) awscdk.Stack {
	at := &awscdk.Environment{Region: jsii.String(env.Region)}
	if env.Account != "" {
		at.Account = jsii.String(env.Account)
	}
	return awscdk.NewStack(scope, jsii.String(env.stackName(name)), &awscdk.StackProps{
		Env: at,
		// Said, since in a stage the stage's name would come first: commands find the stacks by it. That does not make
		// the templates the same as outside of a stage (docs/release.md).
		StackName:             jsii.String(env.stackName(name)),
		TerminationProtection: jsii.Bool(protected),
		Tags:                  &map[string]*string{"millrace:environment": jsii.String(env.Name)},
	})
}

func (e Environment) removalPolicy() awscdk.RemovalPolicy {
	if e.Disposable {
		return awscdk.RemovalPolicy_DESTROY
	}
	return awscdk.RemovalPolicy_RETAIN
}

func (e Environment) architecture() awslambda.Architecture {
	if e.Architecture == AMD64 {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}

// output makes value an output of stack, for whoever drives the environment from outside.
func output(stack awscdk.Stack, id string, value *string, description string) {
	awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(description)})
}
