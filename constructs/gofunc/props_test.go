package gofunc_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	stack := cdktest.NewStack()
	props := &gofunc.GoFunctionProps{
		Architecture:   awslambda.Architecture_Custom(jsii.String("riscv64"), nil),
		Environment:    map[string]string{"BUNDLE": strings.Repeat("x", 4_091)},
		MemoryMiB:      64,
		Timeout:        awscdk.Duration_Minutes(jsii.Number(16)),
		VpcSubnets:     &awsec2.SubnetSelection{},
		SecurityGroups: []awsec2.ISecurityGroup{awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Group"), jsii.String("sg-1"), nil)},
	}
	message := cdktest.Panics(t, func() { gofunc.NewGoFunction(stack, "Fn", props) })
	assert.Equal(t, `gofunc: Fn: package is required: name the main package to build, or give code
architecture must be arm64 or x86_64, got riscv64
memory must be 128 to 10240 MiB, got 64
timeout must be 1 to 900 seconds, got 960
environment must be at most 4096 bytes, names and values together, got 4097
vpc subnets are given without a vpc: give the vpc too
security groups are given without a vpc: give the vpc too`, message)
}

func TestValidateAcceptsTheLimits(t *testing.T) {
	for name, props := range map[string]*gofunc.GoFunctionProps{
		"lowest":  {Package: "p", MemoryMiB: 128, Timeout: awscdk.Duration_Seconds(jsii.Number(1))},
		"highest": {Package: "p", MemoryMiB: 10_240, Timeout: awscdk.Duration_Seconds(jsii.Number(900)), Environment: map[string]string{"A": strings.Repeat("x", 4_095)}},
	} {
		t.Run(name, func(t *testing.T) { assert.NoError(t, props.Validate()) })
	}
}

func TestAPackageAndCodeAreOneTooMany(t *testing.T) {
	folder := t.TempDir()
	props := &gofunc.GoFunctionProps{Package: "example.com/tiny/cmd", Code: awslambda.Code_FromAsset(&folder, nil)}
	assert.EqualError(t, props.Validate(), "package example.com/tiny/cmd and code are both given: give one")
}

func TestNilPropsSayThatAPackageIsRequired(t *testing.T) {
	var props *gofunc.GoFunctionProps
	assert.ErrorContains(t, props.Validate(), "package is required")
}

func TestAValueKnownOnlyAtDeployTimeIsNotCounted(t *testing.T) {
	queue := awssqs.NewQueue(cdktest.NewStack(), jsii.String("Queue"), nil)
	environment := map[string]string{"A": strings.Repeat("x", 4_095) + *queue.QueueUrl()}
	assert.NoError(t, (&gofunc.GoFunctionProps{Package: "p", Environment: environment}).Validate())
	environment["A"] += "x"
	assert.ErrorContains(t, (&gofunc.GoFunctionProps{Package: "p", Environment: environment}).Validate(), "got 4097")
}
