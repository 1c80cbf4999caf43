package load_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

func ExampleNewPostgresLoader() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)
	db := database.NewPrivateRds(stack, "Database", nil)
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: core.Stream, Database: db})
}
