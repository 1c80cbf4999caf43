package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func warehouse(stack awscdk.Stack) *delivery.FirehoseToRedshiftProps {
	return &delivery.FirehoseToRedshiftProps{
		DeliveryProps: delivery.DeliveryProps{Source: source(stack)},
		URL:           "jdbc:redshift://lake.111122223333.eu-west-1.redshift-serverless.amazonaws.com:5439/dev",
		Secret:        awssecretsmanager.Secret_FromSecretCompleteArn(stack, jsii.String("Secret"), jsii.String("arn:aws:secretsmanager:eu-west-1:111122223333:secret:redshift-AbCdEf")),
		Table:         "public.events",
	}
}

func TestEventsAreCopiedToAPublicWarehouse(t *testing.T) {
	stack := cdktest.NewStack()
	props := warehouse(stack)
	props.Columns = []string{"event_id", "event_type"}
	delivery.NewFirehoseToRedshift(stack, "Warehouse", props)

	template := cdktest.Template(stack)
	deliveryStream(template, map[string]any{"RedshiftDestinationConfiguration": map[string]any{
		"ClusterJDBCURL": props.URL,
		"CopyCommand": map[string]any{
			"DataTableName": "public.events", "DataTableColumns": "event_id,event_type", "CopyOptions": delivery.DefaultCopyOptions,
		},
		"Username": assertions.Match_Absent(), "Password": assertions.Match_Absent(),
		"SecretsManagerConfiguration": map[string]any{"Enabled": true, "SecretARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:redshift-AbCdEf", "RoleARN": arn("^WarehouseRole")},
		"RetryOptions":                map[string]any{"DurationInSeconds": 3600},
		"S3Configuration": map[string]any{
			"BucketARN": arn("^WarehouseBackupBucket"), "CompressionFormat": "GZIP", "Prefix": named("^redshift/year="), "ErrorOutputPrefix": delivery.DefaultErrorPrefix,
			"BufferingHints": map[string]any{"IntervalInSeconds": 300, "SizeInMBs": 64},
		},
		"CloudWatchLoggingOptions": map[string]any{"LogStreamName": map[string]any{"Ref": named("^WarehouseLogGroupRedshiftDestination")}},
	}})
	alarm(template, map[string]any{"MetricName": "DeliveryToS3.DataFreshness"})
	alarm(template, map[string]any{"MetricName": "DeliveryToRedshift.Success"})
	allowed(template, "WarehouseRole", assertions.Match_ObjectLike(&map[string]any{"Action": []any{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}}))
}

func TestOnlyFirehosesAddressesAreLetInToTheWarehouse(t *testing.T) {
	stack := awscdk.NewStack(cdktest.NewApp(), jsii.String("Test"), &awscdk.StackProps{Env: &awscdk.Environment{Region: jsii.String("eu-west-1")}})
	props := warehouse(stack)
	props.Port = 5440
	props.SecurityGroup = awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Group"), jsii.String("sg-0123456789abcdef0"), nil)
	delivery.NewFirehoseToRedshift(stack, "Warehouse", props)

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{
		"GroupId": "sg-0123456789abcdef0", "IpProtocol": "tcp", "FromPort": 5440, "ToPort": 5440,
		"CidrIp":      "52.19.239.192/27", // https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-rs-vpc
		"Description": delivery.PublicEndpointReason,
	})
	assert.LessOrEqual(t, len(delivery.PublicEndpointReason), 255)
}

func TestAPrivateWarehouseReadsTheStreamByItself(t *testing.T) {
	stack := cdktest.NewStack()
	s := delivery.NewStreamToRedshift(stack, "Warehouse", &delivery.StreamToRedshiftProps{Source: source(stack), View: "lake.events"})

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{"AssumeRolePolicyDocument": map[string]any{"Statement": []any{
		map[string]any{"Principal": map[string]any{"Service": "redshift.amazonaws.com"}},
		map[string]any{"Principal": map[string]any{"Service": "redshift-serverless.amazonaws.com"}},
	}}})
	allowed(template, "WarehouseRole",
		map[string]any{"Effect": "Allow", "Action": []any{"kinesis:DescribeStreamSummary", "kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"}, "Resource": arn("^Source")},
		map[string]any{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn("^SourceKey")},
		map[string]any{"Effect": "Allow", "Action": "kinesis:ListStreams", "Resource": "*"},
	)
	assert.Contains(t, s.SQL, "CREATE EXTERNAL SCHEMA IF NOT EXISTS millrace FROM KINESIS IAM_ROLE '")
	assert.Contains(t, s.SQL, "CREATE MATERIALIZED VIEW lake.events AUTO REFRESH YES AS")
	assert.Contains(t, s.SQL, "CREATE VIEW lake.events_once AS")
	template.HasOutput(jsii.String("*"), map[string]any{"Description": "Run once in the warehouse, when the role is associated with it."})
}
