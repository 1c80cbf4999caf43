package gofunc_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack := cdktest.NewStack()
		gofunc.NewGoFunction(stack, "Fn", smallest())
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		stack := cdktest.NewStack()
		network := vpc(stack)
		gofunc.NewGoFunction(stack, "Fn", &gofunc.GoFunctionProps{
			Package:      "example.com/tiny/cmd",
			Architecture: awslambda.Architecture_X86_64(),
			Description:  "Says hello",
			Environment:  map[string]string{"GREETING": "hello"},
			MemoryMiB:    512,
			Timeout:      awscdk.Duration_Minutes(jsii.Number(5)),
			Vpc:          network,
			VpcSubnets:   &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
			SecurityGroups: []awsec2.ISecurityGroup{
				awsec2.NewSecurityGroup(stack, jsii.String("Group"), &awsec2.SecurityGroupProps{Vpc: network}),
			},
			LogRetention:  awslogs.RetentionDays_ONE_WEEK,
			RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
			Configure:     func(p *awslambda.FunctionProps) { p.ReservedConcurrentExecutions = jsii.Number(2) },
		})
		cdktest.Golden(t, stack, "everything-on")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := cdktest.NewStack()
		folder := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(folder, "bootstrap"), []byte("#!/bin/sh\n"), 0o755))
		gofunc.NewGoFunction(stack, "Fn", &gofunc.GoFunctionProps{Code: awslambda.Code_FromAsset(&folder, nil)})
		cdktest.Golden(t, stack, "bring-your-own")
	})
}
