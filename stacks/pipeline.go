package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/spec"
)

// HealthPath answers whoever asks whether the API stands.
const HealthPath = "/health"

// Pipeline is what every deploy may change: the API, the delivery to the lake
// and the loader, each an arrow between what [Foundation] holds.
type Pipeline struct {
	Stack   awscdk.Stack
	API     *ingest.IngestApi
	Lake    *delivery.FirehoseToS3
	Parquet *delivery.FirehoseToS3 // nil where the environment has no columns for it
	Loader  *load.PostgresLoader
}

// NewPipeline defines env's Pipeline stack on top of foundation.
func NewPipeline(scope constructs.Construct, env Environment, foundation *Foundation) *Pipeline {
	stack := newStack(scope, env, "Pipeline", false)
	source := foundation.Core.Stream

	var waf *ingest.Waf
	if env.API.Waf {
		waf = &ingest.Waf{}
	}
	api := ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
		Stream:        source,
		HealthPath:    HealthPath,
		Auth:          env.API.Auth,
		Clients:       env.clients(),
		Waf:           waf,
		RateLimit:     env.API.RateLimit,
		BurstLimit:    env.API.BurstLimit,
		SkipAccount:   env.API.AccountHasLogRole,
		LogRetention:  env.LogRetention,
		RemovalPolicy: env.removalPolicy(),
	})
	lake := delivery.NewFirehoseToS3(stack, "Lake", &delivery.FirehoseToS3Props{
		Source:         source,
		Bucket:         foundation.Lake.Bucket,
		BufferInterval: awscdk.Duration_Seconds(jsii.Number(env.Delivery.BufferSeconds)),
		BufferSize:     awscdk.Size_Mebibytes(jsii.Number(env.Delivery.BufferMiB)),
		Rollout:        env.Rollout,
		Architecture:   env.architecture(),
		LogRetention:   env.LogRetention,
		RemovalPolicy:  env.removalPolicy(),
	})
	var parquet *delivery.FirehoseToS3
	if len(env.Delivery.Parquet) > 0 {
		parquet = newParquet(stack, env, foundation)
	}
	loader := load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{
		Source:        source,
		Database:      foundation.Database,
		Rollout:       env.Rollout,
		Architecture:  env.architecture(),
		LogRetention:  env.LogRetention,
		RemovalPolicy: env.removalPolicy(),
	})
	alert(env, foundation.Alerts, api, lake, loader)
	if parquet != nil {
		alert(env, foundation.Alerts, parquet)
	}

	output(stack, "ApiUrl", api.URL(), "Where clients post events.")
	output(stack, "ApiId", api.RestApi.RestApiId(), "The REST API.")
	output(stack, "ApiStage", api.RestApi.DeploymentStage().StageName(), "The REST API's stage.")
	if api.ApiKey != nil {
		output(stack, "ApiKeyId", api.ApiKey.KeyId(), "The API key's id; its value is read by GetApiKey.")
	}
	if env.CheckedBy != "" {
		newCheck(stack, env, foundation, api)
	}
	return &Pipeline{Stack: stack, API: api, Lake: lake, Parquet: parquet, Loader: loader}
}

// parquetPrefix has a folder for each event_type, and below it one for each hour of arrival: a column each.
const parquetPrefix = "events/type=!{partitionKeyFromLambda:type}/hour=!{timestamp:yyyy-MM-dd-HH}/"

// newParquet delivers what analysts ask for: columns, in the order of their questions.
func newParquet(stack awscdk.Stack, env Environment, foundation *Foundation) *delivery.FirehoseToS3 {
	parquet := delivery.NewFirehoseToS3(stack, "ParquetLake", &delivery.FirehoseToS3Props{
		Source: foundation.Core.Stream,
		Bucket: foundation.Parquet.Bucket,
		Prefix: parquetPrefix,
		Transform: &spec.Transformer{Steps: []spec.Step{
			{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "type", Path: "/event_type", Default: "none"}}}},
		}},
		Partitioning:   &delivery.Partitioning{},
		Table:          &delivery.Table{Columns: env.Delivery.Parquet},
		Parquet:        &delivery.Parquet{},
		BufferInterval: awscdk.Duration_Seconds(jsii.Number(env.Delivery.BufferSeconds)),
		BufferSize:     awscdk.Size_Mebibytes(jsii.Number(env.Delivery.BufferMiB)),
		Rollout:        env.Rollout,
		Architecture:   env.architecture(),
		LogRetention:   env.LogRetention,
		RemovalPolicy:  env.removalPolicy(),
	})
	output(stack, "ParquetDeliveryStream", parquet.DeliveryStream.DeliveryStreamName(), "The delivery stream that writes Parquet.")
	output(stack, "ParquetWorkGroup", parquet.Catalog.WorkGroup.Name(), "The Athena workgroup to query it in; the Glue database has the same name.")
	return parquet
}
