package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// everything are the props that every destination has, all of them given.
func everything(stack awscdk.Stack, stream awskinesis.IStream) delivery.DeliveryProps {
	return delivery.DeliveryProps{
		Source: stream,
		Key:    awskms.NewKey(stack, jsii.String("Key"), nil),
		Transform: &spec.Transformer{Steps: []spec.Step{
			{Hash: &spec.Hash{Paths: []string{"/user/email"}}},
			{Timestamp: &spec.Timestamp{Path: "/occurred_at"}},
		}},
		HashKey:             awssecretsmanager.NewSecret(stack, jsii.String("HashKey"), nil),
		ProcessorBufferSize: awscdk.Size_Kibibytes(jsii.Number(512)),
		EventBytes:          500,
		Retries:             new(0),
		ErrorPrefix:         "failed/!{firehose:error-output-type}/",
		BufferInterval:      awscdk.Duration_Seconds(jsii.Number(60)),
		Architecture:        awslambda.Architecture_X86_64(),
		LogRetention:        awslogs.RetentionDays_ONE_WEEK,
		RemovalPolicy:       awscdk.RemovalPolicy_DESTROY,
		AlarmActions:        []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(awssns.NewTopic(stack, jsii.String("Topic"), nil))},
	}
}

// theirs are those that take what is there already.
func theirs(stack awscdk.Stack) delivery.DeliveryProps {
	key := awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
	return delivery.DeliveryProps{
		Source: awskinesis.Stream_FromStreamAttributes(stack, jsii.String("Stream"), &awskinesis.StreamAttributes{
			StreamArn:     jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/events"),
			EncryptionKey: key,
		}),
		Bucket: awss3.Bucket_FromBucketName(stack, jsii.String("Bucket"), jsii.String("their-lake")),
		Key:    key,
		Transformer: awslambda.Function_FromFunctionAttributes(stack, jsii.String("Transformer"), &awslambda.FunctionAttributes{
			FunctionArn:     jsii.String("arn:aws:lambda:eu-west-1:111122223333:function:mine"),
			SameEnvironment: jsii.Bool(true),
		}),
	}
}

func TestGolden(t *testing.T) {
	for name, build := range map[string]func(awscdk.Stack){
		"minimal": func(stack awscdk.Stack) {
			delivery.NewFirehoseToS3(stack, "Delivery", nil)
		},
		"everything-on": func(stack awscdk.Stack) {
			all := everything(stack, source(stack))
			all.Transform.Steps = append(all.Transform.Steps, byType().Steps...)
			delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
				Source: all.Source, Key: all.Key, Transform: all.Transform, HashKey: all.HashKey,
				ProcessorBufferSize: all.ProcessorBufferSize, EventBytes: all.EventBytes, Retries: all.Retries,
				ErrorPrefix: all.ErrorPrefix, BufferInterval: all.BufferInterval, Architecture: all.Architecture,
				LogRetention: all.LogRetention, RemovalPolicy: all.RemovalPolicy, AlarmActions: all.AlarmActions,
				Prefix:       hourly + "customer=!{partitionKeyFromQuery:customer}/",
				TimeZone:     "Europe/Berlin",
				BufferSize:   awscdk.Size_Mebibytes(jsii.Number(128)),
				Partitioning: &delivery.Partitioning{JQ: map[string]string{"customer": ".customer.id"}, RetryDuration: awscdk.Duration_Minutes(jsii.Number(10))},
				Table:        &delivery.Table{Columns: columns(), Values: map[string][]string{"type": {"none", "quake"}, "customer": {"a", "b"}}},
				Parquet:      &delivery.Parquet{Compression: "GZIP"},
				Backup:       &delivery.Backup{Compression: delivery.ZIP},
			})
		},
		"bring-your-own": func(stack awscdk.Stack) {
			their := theirs(stack)
			delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
				Source: their.Source, Bucket: their.Bucket, Key: their.Key, Transformer: their.Transformer,
				Backup: &delivery.Backup{Bucket: awss3.Bucket_FromBucketName(stack, jsii.String("Raw"), jsii.String("their-records"))},
				Table:  &delivery.Table{Database: "lake", Columns: columns(), Results: awss3.Bucket_FromBucketName(stack, jsii.String("Results"), jsii.String("their-results"))},
			})
		},
		"direct-put-of-logs": func(stack awscdk.Stack) {
			delivery.NewFirehoseToS3(stack, "Logs", &delivery.FirehoseToS3Props{
				Transform: &spec.Transformer{CloudWatchLogs: &spec.CloudWatchLogs{}}, Prefix: "logs/day=!{timestamp:yyyy-MM-dd}/",
			})
		},
		"lake-bucket": func(stack awscdk.Stack) {
			delivery.NewLakeBucket(stack, "Lake", nil)
		},
		"opensearch-minimal": func(stack awscdk.Stack) {
			delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{Domain: domain(stack), Index: "events"})
		},
		"opensearch-everything-on": func(stack awscdk.Stack) {
			vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{RestrictDefaultSecurityGroup: jsii.Bool(false)})
			delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{
				DeliveryProps: everything(stack, source(stack)), Domain: domain(stack), Index: "events", Rotation: delivery.OneMonth,
				RetryDuration: awscdk.Duration_Hours(jsii.Number(1)), BackupAll: true, SkipDocumentID: true,
				Vpc: vpc, SecurityGroups: []awsec2.ISecurityGroup{awsec2.NewSecurityGroup(stack, jsii.String("Group"), &awsec2.SecurityGroupProps{Vpc: vpc})},
			})
		},
		"opensearch-bring-your-own": func(stack awscdk.Stack) {
			delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{DeliveryProps: theirs(stack), Collection: collection(), Index: "events"})
		},
		"redshift-minimal": func(stack awscdk.Stack) {
			delivery.NewFirehoseToRedshift(stack, "Warehouse", warehouse(stack))
		},
		"redshift-everything-on": func(stack awscdk.Stack) {
			props := warehouse(stack)
			props.DeliveryProps, props.Columns, props.RetryDuration = everything(stack, props.Source), []string{"event_id"}, awscdk.Duration_Seconds(jsii.Number(0))
			props.SecurityGroup = awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Group"), jsii.String("sg-0123456789abcdef0"), nil)
			delivery.NewFirehoseToRedshift(stack, "Warehouse", props)
		},
		"redshift-bring-your-own": func(stack awscdk.Stack) {
			props := warehouse(stack)
			props.DeliveryProps = theirs(stack)
			delivery.NewFirehoseToRedshift(stack, "Warehouse", props)
		},
		"stream-to-redshift": func(stack awscdk.Stack) {
			delivery.NewStreamToRedshift(stack, "Warehouse", &delivery.StreamToRedshiftProps{Source: source(stack)})
		},
		"iceberg-minimal": func(stack awscdk.Stack) {
			delivery.NewFirehoseToIceberg(stack, "Iceberg", &delivery.FirehoseToIcebergProps{Database: "lake", Columns: columns()[:1]})
		},
		"iceberg-everything-on": func(stack awscdk.Stack) {
			delivery.NewFirehoseToIceberg(stack, "Iceberg", &delivery.FirehoseToIcebergProps{
				DeliveryProps: everything(stack, source(stack)), Database: "lake", Table: "quakes", Columns: columns()[:1], UniqueKeys: []string{"event_id"},
				RetryDuration: awscdk.Duration_Hours(jsii.Number(2)), BackupAll: true,
			})
		},
		"iceberg-bring-your-own": func(stack awscdk.Stack) {
			delivery.NewFirehoseToIceberg(stack, "Iceberg", &delivery.FirehoseToIcebergProps{
				DeliveryProps: theirs(stack), Database: "lake", Warehouse: awss3.Bucket_FromBucketName(stack, jsii.String("Warehouse"), jsii.String("their-warehouse")),
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			stack := cdktest.NewStack()
			build(stack)
			cdktest.Golden(t, stack, name)
		})
	}
}
