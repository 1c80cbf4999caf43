package ingest_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/ingest"
)

func ExampleNewIngestApi() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Pipeline"), nil)
	stream := awskinesis.NewStream(stack, jsii.String("Stream"), nil)

	api := ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: stream})

	fmt.Println(*api.RestApi.Node().Path())
	// Output: Pipeline/Ingest/RestApi
}
