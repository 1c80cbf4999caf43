package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func iceberg(stack awscdk.Stack) *delivery.FirehoseToIcebergProps {
	return &delivery.FirehoseToIcebergProps{
		DeliveryProps: delivery.DeliveryProps{Source: source(stack)}, Database: "lake",
		Columns: []delivery.Column{{Name: "event_id", Type: "string"}, {Name: "magnitude", Type: "double"}},
	}
}

func TestEventsBecomeRowsOfAnIcebergTable(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToIceberg(stack, "Iceberg", iceberg(stack))

	assert.Equal(t, []string{"Freshness", "Throttled", "Processing", "FunctionErrors", "FunctionThrottles", "FunctionDuration", "FailedShare", "FailedRecords", "FailedRows"}, names(f.Alarms()))
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::Glue::Table"), map[string]any{
		"OpenTableFormatInput": map[string]any{"IcebergInput": map[string]any{"MetadataOperation": "CREATE", "Version": "2"}},
		"TableInput": map[string]any{"Name": "events", "StorageDescriptor": map[string]any{
			"Columns": []any{
				map[string]any{"Name": "event_id", "Type": "string"},
				map[string]any{"Name": "magnitude", "Type": "double"},
				map[string]any{"Name": "_millrace", "Type": "struct<id:string,arrived_at:string>"},
			},
			"Location": map[string]any{"Fn::Join": []any{"", []any{"s3://", map[string]any{"Ref": named("^IcebergBackupBucket")}, "/lake/events"}}},
		}},
	})
	deliveryStream(template, map[string]any{"IcebergDestinationConfiguration": map[string]any{
		"AppendOnly":                        true,
		"DestinationTableConfigurationList": []any{map[string]any{"DestinationDatabaseName": "lake", "DestinationTableName": "events", "UniqueKeys": assertions.Match_Absent()}},
		"RetryOptions":                      map[string]any{"DurationInSeconds": 300},
		"s3BackupMode":                      "FailedDataOnly", // CloudFormation spells it so, of this destination alone
		"S3Configuration":                   backedUp("Iceberg"),
		"BufferingHints":                    map[string]any{"IntervalInSeconds": 300, "SizeInMBs": 64},
	}})
	alarm(template, map[string]any{"MetricName": "DeliveryToIceberg.DataFreshness"})
	alarm(template, map[string]any{"MetricName": "DeliveryToIceberg.FailedRowCount"})
	allowed(template, "IcebergRole",
		assertions.Match_ObjectLike(&map[string]any{"Action": []any{"glue:GetTable", "glue:GetDatabase", "glue:UpdateTable"}}),
		assertions.Match_ObjectLike(&map[string]any{"Action": "s3:DeleteObject"}))
}

func TestUniqueKeysUpdateRowsOfATableThatIsThere(t *testing.T) {
	stack := cdktest.NewStack()
	props := iceberg(stack)
	props.Columns, props.UniqueKeys, props.BackupAll = nil, []string{"event_id"}, true
	props.Warehouse = awss3.Bucket_FromBucketName(stack, jsii.String("Theirs"), jsii.String("warehouse"))
	delivery.NewFirehoseToIceberg(stack, "Iceberg", props)

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Glue::Table"), jsii.Number(0))
	deliveryStream(template, map[string]any{"IcebergDestinationConfiguration": map[string]any{
		"AppendOnly":                        false,
		"s3BackupMode":                      "AllData",
		"DestinationTableConfigurationList": []any{map[string]any{"UniqueKeys": []any{"event_id"}}},
		"ProcessingConfiguration": map[string]any{"Processors": []any{map[string]any{"Type": "Lambda"}, map[string]any{
			"Type": "MetadataExtraction",
			"Parameters": assertions.Match_ArrayWith(&[]any{map[string]any{
				"ParameterName":  "MetadataExtractionQuery",
				"ParameterValue": `{"destinationDatabaseName":"lake","destinationTableName":"events","operation":"update"}`,
			}}),
		}}},
	}})
	allowed(template, "IcebergRole", assertions.Match_ObjectLike(&map[string]any{
		"Action":   "s3:DeleteObject",
		"Resource": map[string]any{"Fn::Join": []any{"", []any{"arn:", map[string]any{"Ref": "AWS::Partition"}, ":s3:::warehouse/*"}}},
	}))
}
