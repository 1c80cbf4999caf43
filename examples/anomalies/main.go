// Command anomalies watches a stream by SQL: what is far from the usual becomes an event of its own, on a stream,
// and a message of a topic.
//
//	cd examples/anomalies && cdk synth --app 'go run .'
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/analytics"
	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Anomalies"), nil)

	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{SharedReaders: []string{"Analytics"}})
	lake := delivery.NewLakeBucket(stack, "Lake", nil)
	anomalies := stream.NewStreamingCore(stack, "Anomalies", nil)
	analytics.NewStreamAnalytics(stack, "Analytics", &analytics.StreamAnalyticsProps{
		SQL: []string{"sql/windows.sql", "sql/anomalies.sql"},
		Tables: []analytics.Table{
			{Name: "events", Stream: core.Stream},
			{Name: "windows", Bucket: lake.Bucket, Prefix: "windows/", Writes: true},
			{Name: "readings", Stream: core.Stream},
			{Name: "anomalies", Stream: anomalies.Stream, Writes: true},
		},
	})
	topic := awssns.NewTopic(stack, jsii.String("Topic"), &awssns.TopicProps{
		MasterKey:  awskms.NewKey(stack, jsii.String("TopicKey"), &awskms.KeyProps{EnableKeyRotation: jsii.Bool(true)}),
		EnforceSSL: jsii.Bool(true),
	})
	analytics.NewAnomalyNotifier(stack, "Notifier", &analytics.AnomalyNotifierProps{Source: anomalies.Stream, Topic: topic})

	app.Synth(nil)
}
