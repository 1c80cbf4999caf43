package release_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/release"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

func ExampleNewPipeline() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("OrdersRelease"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("111122223333"), Region: jsii.String("eu-west-1")},
	})
	// Your own stacks, once for each account.
	orders := func(name, account string) awscdk.Stage {
		stage := awscdk.NewStage(stack, &name, &awscdk.StageProps{
			Env: &awscdk.Environment{Account: &account, Region: jsii.String("eu-west-1")},
		})
		stream.NewStreamingCore(awscdk.NewStack(stage, jsii.String("Orders"), nil), "Core", nil)
		return stage
	}

	release.NewPipeline(stack, "Release", &release.PipelineProps{
		Repository: "octo/orders",
		Connection: "arn:aws:codeconnections:eu-west-1:111122223333:connection/0f8fad5b-d9cb-469f-a165-70867728950e",
		Synth:      release.Synth{Commands: []string{"go test ./...", "npx cdk synth"}},
		Stages: []release.Stage{
			{Stage: orders("test", "444455556666"), Check: &release.Check{Commands: []string{"make check"}}},
			{Stage: orders("prod", "777788889999"), Approve: true},
		},
	})
}

func ExampleNewCheckRole() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)

	release.NewCheckRole(stack, "Check", &release.CheckRoleProps{
		RoleName: "orders-check",
		By:       "arn:aws:iam::111122223333:role/orders-check-test",
		Stacks:   []string{"Orders"},
	})
}
