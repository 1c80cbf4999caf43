package gofunc_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
)

func ExampleNewGoFunction() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	orders := gofunc.NewGoFunction(stack, "Orders", &gofunc.GoFunctionProps{
		Package:     "./lambdas/orders",
		Environment: map[string]string{"CURRENCY": "EUR"},
	})
	awscdk.NewCfnOutput(stack, jsii.String("Function"), &awscdk.CfnOutputProps{Value: orders.Function.FunctionName()})
}
