package rollout_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

func ExampleNewRollout() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	orders := gofunc.NewGoFunction(stack, "Orders", &gofunc.GoFunctionProps{Package: "./lambdas/orders"})
	live := rollout.NewRollout(stack, "Rollout", &rollout.RolloutProps{
		Function: orders.Function,
		Kind:     spec.HookTransformer,
		Options: &rollout.Options{
			Percent: 5, Minutes: 15,
			Samples: []spec.Sample{{In: `{"order":7}`, Out: `{"order":7,"checked":true}` + "\n"}, {In: `7`, Result: spec.ProcessingFailed}},
		},
	})
	awscdk.NewCfnOutput(stack, jsii.String("Alias"), &awscdk.CfnOutputProps{Value: live.Alias.FunctionArn()})
}
