// Command outsider is an app in a module of its own that imports millrace: the
// five lines of the README, and the same for this machine's processor.
package main

import (
	"runtime"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	smallest(awscdk.NewStack(app, jsii.String("Smallest"), nil))
	thisMachine(awscdk.NewStack(app, jsii.String("ThisMachine"), nil))
	app.Synth(nil)
}

func smallest(stack awscdk.Stack) {
	core := stream.NewStreamingCore(stack, "Core", nil)
	api := ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: core.Stream})
	lake := delivery.NewFirehoseToS3(stack, "Lake", &delivery.FirehoseToS3Props{Source: core.Stream})
	db := database.NewPrivateRds(stack, "Database", nil)
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: core.Stream, Database: db})
	_, _ = api, lake
}

func thisMachine(stack awscdk.Stack) {
	architecture := awslambda.Architecture_ARM_64()
	if runtime.GOARCH == "amd64" {
		architecture = awslambda.Architecture_X86_64()
	}
	core := stream.NewStreamingCore(stack, "Core", nil)
	delivery.NewFirehoseToS3(stack, "Lake", &delivery.FirehoseToS3Props{Source: core.Stream, Architecture: architecture})
	db := database.NewPrivateRds(stack, "Database", nil)
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: core.Stream, Database: db, Architecture: architecture})
}
