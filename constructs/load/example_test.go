package load_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
)

func ExampleNewPostgresLoader() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)
	db := database.NewPrivateRds(stack, "Database", nil)
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: core.Stream, Database: db})
}

// Tables of one's own come beside the table events. The folder has the reviewed
// migrations that make them.
func ExampleNewPostgresLoader_tables() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Shards: 4})
	db := database.NewPrivateRds(stack, "Database", nil)
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{
		Source:   core.Stream,
		Database: db,
		Tables: []spec.Table{{
			Name:    "devices",
			Columns: []spec.Column{{Name: "device", Type: "text", Path: "$.device.id"}, {Name: "level", Type: "numeric", Nullable: true}},
			Key:     []string{"device"},
		}},
		Migrations:            "migrations",
		ParallelizationFactor: 2, // 8 batches at a time, and so 8 connections
	})
}
