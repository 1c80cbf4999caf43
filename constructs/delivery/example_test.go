package delivery_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsopensearchservice"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
)

func ExampleNewFirehoseToS3() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	lake := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Source:         core.Stream,
		BufferInterval: awscdk.Duration_Minutes(jsii.Number(1)),
	})
	awscdk.NewCfnOutput(stack, jsii.String("Bucket"), &awscdk.CfnOutputProps{Value: lake.Bucket.BucketName()})
}

func ExampleNewFirehoseToS3_partitioned() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	// Parquet by type and hour, without what identifies a person, for Athena.
	lake := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Source: core.Stream,
		Prefix: "events/type=!{partitionKeyFromLambda:type}/hour=!{timestamp:yyyy-MM-dd-HH}/",
		Transform: &spec.Transformer{Steps: []spec.Step{
			{Remove: &spec.Remove{Paths: []string{"/customer/name", "/customer/email"}}},
			{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "type", Path: "/event_type", Default: "none"}}}},
		}},
		Partitioning: &delivery.Partitioning{},
		Table: &delivery.Table{
			Columns: []delivery.Column{{Name: "event_id", Type: "string"}, {Name: "price", Type: "decimal(10,2)"}},
			Values:  map[string][]string{"type": {"none", "order", "return"}},
		},
		Parquet: &delivery.Parquet{},
		Backup:  &delivery.Backup{},
	})
	analyst := awsiam.Role_FromRoleName(stack, jsii.String("Analyst"), jsii.String("analyst"), nil)
	lake.Catalog.GrantQuery(analyst)
}

func ExampleNewFirehoseToOpenSearch() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)
	domain := awsopensearchservice.Domain_FromDomainEndpoint(stack, jsii.String("Domain"), jsii.String("https://search-orders-abc.eu-west-1.es.amazonaws.com"))

	delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{
		DeliveryProps: delivery.DeliveryProps{Source: core.Stream},
		Domain:        domain,
		Index:         "orders",
	})
}

func ExampleNewFirehoseToRedshift() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	delivery.NewFirehoseToRedshift(stack, "Warehouse", &delivery.FirehoseToRedshiftProps{
		DeliveryProps: delivery.DeliveryProps{Source: core.Stream},
		URL:           "jdbc:redshift://orders.111122223333.eu-west-1.redshift-serverless.amazonaws.com:5439/dev",
		Secret:        awssecretsmanager.Secret_FromSecretNameV2(stack, jsii.String("Secret"), jsii.String("warehouse")),
		Table:         "orders",
	})
}

func ExampleNewStreamToRedshift() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	// Associate the role with the warehouse, and run the SQL there once.
	warehouse := delivery.NewStreamToRedshift(stack, "Warehouse", &delivery.StreamToRedshiftProps{Source: core.Stream})
	awscdk.NewCfnOutput(stack, jsii.String("Role"), &awscdk.CfnOutputProps{Value: warehouse.Role.RoleArn()})
}

func ExampleNewFirehoseToIceberg() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	core := stream.NewStreamingCore(stack, "Core", nil)

	delivery.NewFirehoseToIceberg(stack, "Iceberg", &delivery.FirehoseToIcebergProps{
		DeliveryProps: delivery.DeliveryProps{Source: core.Stream},
		Database:      "orders",
		Columns:       []delivery.Column{{Name: "event_id", Type: "string"}, {Name: "price", Type: "decimal(10,2)"}},
		UniqueKeys:    []string{"event_id"},
	})
}

func ExampleNewLakeBucket() {
	app := awscdk.NewApp(nil)
	kept := awscdk.NewStack(app, jsii.String("Kept"), nil)
	changing := awscdk.NewStack(app, jsii.String("Changing"), nil)

	// The data in a stack that is never taken down, the delivery in one that may be.
	lake := delivery.NewLakeBucket(kept, "Lake", nil)
	delivery.NewFirehoseToS3(changing, "Delivery", &delivery.FirehoseToS3Props{Bucket: lake.Bucket})
}
