package analytics_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/analytics"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

func ExampleNewStreamAnalytics() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)
	windows := stream.NewStreamingCore(stack, "Windows", nil)

	analytics.NewStreamAnalytics(stack, "Analytics", &analytics.StreamAnalyticsProps{
		SQL: []string{"../../examples/anomalies/sql/windows.sql"},
		Tables: []analytics.Table{
			{Name: "events", Stream: core.Stream},
			{Name: "windows", Stream: windows.Stream, Writes: true},
		},
	})
}
