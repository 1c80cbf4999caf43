package observe_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/observe"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

func ExampleNewAlerts() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	alerts := observe.NewAlerts(stack, "Alerts", &observe.AlertsProps{PageTo: []string{"oncall@example.com"}})
	alerts.Watch(core) // and whatever of yours has Alarms()
}

func ExampleNewSymptoms() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	alerts := observe.NewAlerts(stack, "Alerts", nil)
	alerts.Watch(stream.NewStreamingCore(stack, "Core", nil))

	observe.NewSymptoms(stack, "Symptoms", &observe.SymptomsProps{Alerts: alerts})
}

func ExampleNewDashboard() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	observe.NewDashboard(stack, "Line", &observe.DashboardProps{Columns: []observe.Column{{Title: "Stream", Of: core}}})
}

func ExampleNewDeadLetters() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	queue := awssqs.NewQueue(stack, jsii.String("Dead"), nil)

	letters := observe.NewDeadLetters(stack, "Letters", &observe.DeadLettersProps{Queue: queue})
	observe.NewAlerts(stack, "Alerts", nil).Watch(letters)
}

func ExampleNewReleases() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	pipeline := awscodepipeline.Pipeline_FromPipelineArn(stack, jsii.String("Release"), jsii.String("arn:aws:codepipeline:eu-west-1:111122223333:release"))

	releases := observe.NewReleases(stack, "Releases", &observe.ReleasesProps{Pipeline: pipeline})
	observe.NewAlerts(stack, "Alerts", nil).Watch(releases)
}
