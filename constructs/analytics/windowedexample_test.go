package analytics_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/analytics"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
)

// How many measurements each device sent in each minute, and their sum, least and greatest.
func ExampleNewWindowedAggregate() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Devices"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)
	analytics.NewWindowedAggregate(stack, "PerMinute", &analytics.WindowedAggregateProps{
		Source:     core.Stream,
		EventTypes: []string{"measured"},
		Key:        "$.device.id",
		Values:     []spec.WindowValue{{Name: "level", Path: "$.data.level"}},
	})
}
