package stream_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/stream"
)

func ExampleNewStreamingCore() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	producer := awslambda.Function_FromFunctionName(stack, jsii.String("Checkout"), jsii.String("checkout"))
	core.GrantWrite(producer)
}
