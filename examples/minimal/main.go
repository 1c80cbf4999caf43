// Command minimal is the smallest app of all of millrace: an API whose events
// come to rest in a lake and in a private Postgres.
//
//	cdk synth --app 'go run ./examples/minimal'
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
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
	stack := awscdk.NewStack(app, jsii.String("Minimal"), nil)

	core := stream.NewStreamingCore(stack, "Core", nil)
	ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: core.Stream})
	delivery.NewFirehoseToS3(stack, "Lake", &delivery.FirehoseToS3Props{Source: core.Stream})
	db := database.NewPrivateRds(stack, "Database", nil)
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: core.Stream, Database: db})

	app.Synth(nil)
}
