package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/ingest/corpus"
)

// stackName is the throw-away stack's.
const stackName = "MillraceVerifyAws"

// The routes of the throw-away API, each with another way to a key.
const (
	plainPath  = "/plain"  // keyed by the request id
	keyedPath  = "/keyed"  // keyed by the event, then by a header
	hashedPath = "/hashed" // an explicit hash key from the event, a partition key from a header
	batchPath  = "/batch"  // below each of them
)

// synth writes the stack's cloud assembly: what the CDK CLI has this program do.
func synth() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	newStack(app)
	app.Synth(nil)
}

// newStack defines the throw-away stack, of which nothing stays when it is deleted.
func newStack(app awscdk.App) awscdk.Stack {
	stack := awscdk.NewStack(app, jsii.String(stackName), &awscdk.StackProps{
		Description: jsii.String("millrace: asks API Gateway what it renders; delete it at any time"),
	})
	stream := awskinesis.NewStream(stack, jsii.String("Stream"), &awskinesis.StreamProps{
		ShardCount:    jsii.Number(1),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	api := ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
		Stream: stream,
		Routes: []ingest.Route{
			{Path: plainPath},
			{Path: keyedPath, PartitionKey: ingest.KeySource{JSONPath: corpus.KeyPath, Header: corpus.KeyHeader}},
			{
				Path:            hashedPath,
				PartitionKey:    ingest.KeySource{Header: corpus.KeyHeader},
				ExplicitHashKey: ingest.KeySource{JSONPath: corpus.DeepKeyPath},
			},
		},
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		SkipAlarms:    true,
		SkipTracing:   true,
		SkipAccount:   true, // the setting is the account's, and would stay
	})
	// Without the account's role for logs a stage with logs does not deploy, and TestInvokeMethod needs no stage.
	stage := api.RestApi.DeploymentStage().Node().DefaultChild().(awsapigateway.CfnStage)
	stage.AddPropertyDeletionOverride(jsii.String("AccessLogSetting"))
	stage.AddPropertyDeletionOverride(jsii.String("MethodSettings"))

	awscdk.NewCfnOutput(stack, jsii.String("ApiId"), &awscdk.CfnOutputProps{Value: api.RestApi.RestApiId()})
	return stack
}
