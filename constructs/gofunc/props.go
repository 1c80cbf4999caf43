package gofunc

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// Defaults of [GoFunctionProps].
const (
	DefaultMemoryMiB     = 256
	DefaultTimeout       = 60 // seconds
	DefaultLogRetention  = awslogs.RetentionDays_ONE_MONTH
	DefaultRemovalPolicy = awscdk.RemovalPolicy_RETAIN
)

// Lambda's quotas: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	minMemoryMiB        = 128
	maxMemoryMiB        = 10_240
	maxTimeout          = 900   // seconds
	maxEnvironmentBytes = 4_096 // all names and values together
)

// GoFunctionProps says what to build and how to run it.
type GoFunctionProps struct {
	// Package is the main package to build: an import path
	// ("github.com/millrace-cdk/millrace/lambdas/loader/cmd"), of the app's own module or of one it
	// requires, or a path relative to Dir ("./cmd/loader"). Required unless Code is given.
	Package string
	// Dir is the folder of the Go module that Package is looked up from.
	//
	// Default: the working directory, which under the CDK CLI is cdk.json's.
	Dir string
	// Code is a built function of yours, in place of Package.
	//
	// Default: Package is built at synth; for stacks that are not being deployed, a stub.
	Code awslambda.Code
	// Architecture is the processor to build for and to run on.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
	// Description is shown in the Lambda console.
	//
	// Default: no description.
	Description string
	// Environment is the function's environment variables, of at most 4,096 bytes in all.
	//
	// Default: none.
	Environment map[string]string
	// MemoryMiB is the function's memory in MiB, 128 to 10,240; its share of processor grows with it.
	//
	// Default: [DefaultMemoryMiB].
	MemoryMiB int
	// Timeout is how long one invocation may take, 1 to 900 seconds.
	//
	// Default: [DefaultTimeout] seconds.
	Timeout awscdk.Duration
	// Vpc connects the function to a VPC.
	//
	// Default: the function runs outside any VPC.
	Vpc awsec2.IVpc
	// VpcSubnets chooses subnets of Vpc.
	//
	// Default: CDK's choice, the private subnets.
	VpcSubnets *awsec2.SubnetSelection
	// SecurityGroups of the function's network interfaces in Vpc.
	//
	// Default: one new group that allows all outbound traffic.
	SecurityGroups []awsec2.ISecurityGroup
	// LogRetention is how long the function's log is kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the log group when the function goes.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// Configure edits the L2 props last, after every default is set.
	//
	// Default: no change.
	Configure func(*awslambda.FunctionProps)
}

// goarch names Lambda's architectures as the go command does.
var goarch = map[string]string{"arm64": "arm64", "x86_64": "amd64"}

// Validate reports every problem of the props in one error.
func (p *GoFunctionProps) Validate() error {
	if p == nil {
		p = new(GoFunctionProps)
	}
	var errs []error
	switch {
	case p.Package == "" && p.Code == nil:
		errs = append(errs, errors.New("package is required: name the main package to build, or give code"))
	case p.Package != "" && p.Code != nil:
		errs = append(errs, fmt.Errorf("package %s and code are both given: give one", p.Package))
	}
	if p.Architecture != nil && goarch[*p.Architecture.Name()] == "" {
		errs = append(errs, fmt.Errorf("architecture must be arm64 or x86_64, got %s", *p.Architecture.Name()))
	}
	if p.MemoryMiB != 0 && (p.MemoryMiB < minMemoryMiB || p.MemoryMiB > maxMemoryMiB) {
		errs = append(errs, fmt.Errorf("memory must be %d to %d MiB, got %d", minMemoryMiB, maxMemoryMiB, p.MemoryMiB))
	}
	if p.Timeout != nil && !*p.Timeout.IsUnresolved() {
		if seconds := *p.Timeout.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)}); seconds < 1 || seconds > maxTimeout {
			errs = append(errs, fmt.Errorf("timeout must be 1 to %d seconds, got %g", maxTimeout, seconds))
		}
	}
	if size := environmentBytes(p.Environment); size > maxEnvironmentBytes {
		errs = append(errs, fmt.Errorf("environment must be at most %d bytes, names and values together, got %d", maxEnvironmentBytes, size))
	}
	if p.Vpc == nil && p.VpcSubnets != nil {
		errs = append(errs, errors.New("vpc subnets are given without a vpc: give the vpc too"))
	}
	if p.Vpc == nil && len(p.SecurityGroups) > 0 {
		errs = append(errs, errors.New("security groups are given without a vpc: give the vpc too"))
	}
	return errors.Join(errs...)
}

// token is how CDK writes, inside a string, a value that only CloudFormation knows.
var token = regexp.MustCompile(`\$\{Token\[[^\]]*\]\}`)

// environmentBytes counts what is known at synth: a token counts as nothing.
func environmentBytes(environment map[string]string) (size int) {
	for name, value := range environment {
		size += len(name) + len(token.ReplaceAllLiteralString(value, ""))
	}
	return size
}

func (p *GoFunctionProps) withDefaults() *GoFunctionProps {
	q := *p
	if q.Architecture == nil {
		q.Architecture = awslambda.Architecture_ARM_64()
	}
	if q.Timeout == nil {
		q.Timeout = awscdk.Duration_Seconds(jsii.Number(DefaultTimeout))
	}
	q.MemoryMiB = cmp.Or(q.MemoryMiB, DefaultMemoryMiB)
	q.LogRetention = cmp.Or(q.LogRetention, DefaultLogRetention)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}
