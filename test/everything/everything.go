// Package everything is a stack of what stands in no environment: the other constructs, and what else the ones
// that do stand there can be told to be. Nobody deploys it. test/scan and test/trust hold it to what they
// hold the environments to, so that an importer of any construct gets what was looked at.
package everything

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsopensearchservice"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/observe"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

// kept is what the rules ask of logs where data is kept.
const kept = awslogs.RetentionDays_THREE_MONTHS

// New defines the stack in scope. What it brings to the constructs is imported, so that all that is found in it is theirs.
func New(scope constructs.Construct) awscdk.Stack {
	stack := awscdk.NewStack(scope, jsii.String("Millrace-everything-All"), &awscdk.StackProps{
		Env: &awscdk.Environment{Region: jsii.String("eu-west-1")},
	})
	core := stream.NewStreamingCore(stack, "Shared", &stream.StreamingCoreProps{
		Shards: 2, ShardLevelMetrics: []awskinesis.ShardLevelMetrics{awskinesis.ShardLevelMetrics_INCOMING_BYTES},
	})
	core.GrantRead(awsiam.NewAccountPrincipal(jsii.String("444455556666")))
	core.AddConsumer("analytics")
	alerts := observe.NewAlerts(stack, "Alerts", nil)
	apis(stack, core, alerts)
	columns := deliveries(stack, core)
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{
		MultiAz: true, Proxy: &database.ProxyProps{}, LogRetention: kept, RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
	})
	loader := load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: core.Stream, Database: db, LogRetention: kept})
	around := watched{
		observe.NewDeadLetters(stack, "Letters", &observe.DeadLettersProps{
			Queue: awssqs.Queue_FromQueueArn(stack, jsii.String("Queue"), jsii.String("arn:aws:sqs:eu-west-1:111122223333:letters")),
		}),
		observe.NewReleases(stack, "Releases", &observe.ReleasesProps{
			Pipeline: awscodepipeline.Pipeline_FromPipelineArn(stack, jsii.String("Pipeline"), jsii.String("arn:aws:codepipeline:eu-west-1:111122223333:release")),
		}),
	}
	alerts.Watch(core)
	columns = append(columns, observe.Column{Title: "Loader", Of: loader}, observe.Column{Title: "Database", Of: db}, observe.Column{Title: "Around", Of: around})
	for _, column := range columns {
		alerts.Watch(column.Of)
	}
	observe.NewDashboard(stack, "Line", &observe.DashboardProps{
		Symptoms: observe.NewSymptoms(stack, "Symptoms", &observe.SymptomsProps{Alerts: alerts}), Columns: columns,
	})
	return stack
}

// watched are several as one.
type watched []observe.Watched

func (w watched) Alarms() (all []awscloudwatch.Alarm) {
	for _, one := range w {
		all = append(all, one.Alarms()...)
	}
	return all
}

// apis are the ways to let clients in that no environment has: by Cognito, from other origins, under a domain; by an
// authorizer of the importer's, from inside a VPC.
func apis(stack awscdk.Stack, core *stream.StreamingCore, alerts *observe.Alerts) {
	alerts.Watch(ingest.NewIngestApi(stack, "Pages", &ingest.IngestApiProps{
		Stream:    core.Stream,
		Auth:      ingest.AuthCognito,
		UserPools: []awscognito.IUserPool{awscognito.UserPool_FromUserPoolId(stack, jsii.String("Users"), jsii.String("eu-west-1_abcdefghi"))},
		Domain: &awsapigateway.DomainNameOptions{
			DomainName:  jsii.String("events.example.com"),
			Certificate: awscertificatemanager.Certificate_FromCertificateArn(stack, jsii.String("Certificate"), jsii.String("arn:aws:acm:eu-west-1:111122223333:certificate/1")),
		},
		Cors:         &awsapigateway.CorsOptions{AllowOrigins: jsii.Strings("https://app.example.com")},
		Waf:          &ingest.Waf{},
		LogRetention: kept,
	}))
	alerts.Watch(ingest.NewIngestApi(stack, "Inside", &ingest.IngestApiProps{
		Stream: core.Stream,
		Auth:   ingest.AuthAuthorizer,
		Authorizer: awsapigateway.NewTokenAuthorizer(stack, jsii.String("Authorizer"), &awsapigateway.TokenAuthorizerProps{
			Handler: awslambda.Function_FromFunctionArn(stack, jsii.String("Decider"), jsii.String("arn:aws:lambda:eu-west-1:111122223333:function:decider")),
		}),
		Endpoint: &awsapigateway.EndpointConfiguration{
			Types: &[]awsapigateway.EndpointType{awsapigateway.EndpointType_PRIVATE},
			VpcEndpoints: &[]awsec2.IVpcEndpoint{awsec2.InterfaceVpcEndpoint_FromInterfaceVpcEndpointAttributes(stack, jsii.String("Door"), &awsec2.InterfaceVpcEndpointAttributes{
				VpcEndpointId: jsii.String("vpce-0123456789abcdef0"), Port: jsii.Number(443),
			})},
		},
		Policy: awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
				Actions:    jsii.Strings("execute-api:Invoke"),
				Resources:  jsii.Strings("execute-api:/*"),
				Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceVpce": "vpce-0123456789abcdef0"}},
			}),
		}}),
		Waf:          &ingest.Waf{},
		LogRetention: kept,
	}))
}

// deliveries are the destinations but S3, and direct PUT to S3 with all that can be on.
func deliveries(stack awscdk.Stack, core *stream.StreamingCore) []observe.Column {
	from := delivery.DeliveryProps{Source: core.Stream, LogRetention: kept}
	vpc := awsec2.Vpc_FromVpcAttributes(stack, jsii.String("Vpc"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-0123456789abcdef0"), AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"),
		PrivateSubnetIds: jsii.Strings("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
	})
	search := delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{
		DeliveryProps: from,
		Domain: awsopensearchservice.Domain_FromDomainAttributes(stack, jsii.String("Domain"), &awsopensearchservice.DomainAttributes{
			DomainArn: jsii.String("arn:aws:es:eu-west-1:111122223333:domain/search"), DomainEndpoint: jsii.String("search.eu-west-1.es.amazonaws.com"),
		}),
		Index: "events", Vpc: vpc,
		SecurityGroups: []awsec2.ISecurityGroup{awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("SearchGroup"), jsii.String("sg-0123456789abcdef0"), nil)},
	})
	collected := delivery.NewFirehoseToOpenSearch(stack, "Collected", &delivery.FirehoseToOpenSearchProps{
		DeliveryProps: from, Index: "events",
		Collection: &delivery.Collection{Name: "search", Arn: "arn:aws:aoss:eu-west-1:111122223333:collection/abc", Endpoint: "https://abc.eu-west-1.aoss.amazonaws.com"},
	})
	warehouse := delivery.NewFirehoseToRedshift(stack, "Warehouse", &delivery.FirehoseToRedshiftProps{
		DeliveryProps: from,
		URL:           "jdbc:redshift://lake.111122223333.eu-west-1.redshift-serverless.amazonaws.com:5439/dev",
		Secret:        awssecretsmanager.Secret_FromSecretCompleteArn(stack, jsii.String("WarehouseSecret"), jsii.String("arn:aws:secretsmanager:eu-west-1:111122223333:secret:redshift-AbCdEf")),
		Table:         "public.events",
		SecurityGroup: awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("WarehouseGroup"), jsii.String("sg-0123456789abcdef1"), nil),
	})
	delivery.NewStreamToRedshift(stack, "View", &delivery.StreamToRedshiftProps{Source: core.Stream})
	iceberg := delivery.NewFirehoseToIceberg(stack, "Iceberg", &delivery.FirehoseToIcebergProps{
		DeliveryProps: from, Database: "lake", Columns: []delivery.Column{{Name: "event_id", Type: "string"}}, UniqueKeys: []string{"event_id"},
	})
	put := delivery.NewFirehoseToS3(stack, "Put", &delivery.FirehoseToS3Props{
		Prefix:       "events/customer=!{partitionKeyFromQuery:customer}/hour=!{timestamp:yyyy-MM-dd-HH}/",
		Partitioning: &delivery.Partitioning{JQ: map[string]string{"customer": ".customer.id"}},
		Table:        &delivery.Table{Columns: []delivery.Column{{Name: "event_id", Type: "string"}}, Values: map[string][]string{"customer": {"a", "b"}}},
		Parquet:      &delivery.Parquet{},
		Backup:       &delivery.Backup{},
		LogRetention: kept,
	})
	return []observe.Column{
		{Title: "Search", Of: search},
		{Title: "Collected", Of: collected},
		{Title: "Warehouse", Of: warehouse},
		{Title: "Iceberg", Of: iceberg},
		{Title: "Put", Of: put},
	}
}
