package load_test

import (
	"path/filepath"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		cdktest.Golden(t, with(load.PostgresLoaderProps{}), "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		g, stack := newStacks()
		load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{
			Source:                stream.NewStreamingCore(g.stack, "Large", &stream.StreamingCoreProps{Shards: 8}).Stream,
			Database:              database.NewPrivateRds(g.stack, "Proxied", &database.PrivateRdsProps{SkipRotation: true, Proxy: &database.ProxyProps{}}),
			Tables:                devices(),
			Migrations:            filepath.Join("testdata", "migrations"),
			StartingPosition:      awslambda.StartingPosition_LATEST,
			Disabled:              true,
			BatchSize:             10_000,
			BatchWindow:           awscdk.Duration_Seconds(jsii.Number(5)),
			ParallelizationFactor: 4,
			ReservedConcurrency:   24,
			RetryAttempts:         100,
			MaxRecordAge:          awscdk.Duration_Days(jsii.Number(3)),
			FailureRetention:      awscdk.Duration_Days(jsii.Number(365)),
			MaxLag:                awscdk.Duration_Minutes(jsii.Number(10)),
			AlarmActions:          []awscloudwatch.IAlarmAction{pager(stack)},
			Architecture:          awslambda.Architecture_X86_64(),
			Timeout:               awscdk.Duration_Minutes(jsii.Number(5)),
			MemoryMiB:             1_024,
			LogRetention:          awslogs.RetentionDays_ONE_YEAR,
			RemovalPolicy:         awscdk.RemovalPolicy_DESTROY,
		})
		cdktest.Golden(t, stack, "everything")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := cdktest.NewStack()
		load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{
			Source: awskinesis.NewStream(stack, jsii.String("TheirStream"), nil),
			Database: database.FromExisting(stack, "TheirDatabase", &database.ExistingProps{
				Host:         "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com",
				DatabaseName: "orders",
				ResourceID:   "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
				Secret: awssecretsmanager.Secret_FromSecretCompleteArn(stack, jsii.String("TheirSecret"),
					jsii.String("arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-a1b2c3")),
				Vpc: awsec2.Vpc_FromVpcAttributes(stack, jsii.String("TheirVpc"), &awsec2.VpcAttributes{
					VpcId:             jsii.String("vpc-12345678"),
					AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"),
					IsolatedSubnetIds: jsii.Strings("subnet-11111111", "subnet-22222222"),
				}),
				SecurityGroups: []awsec2.ISecurityGroup{awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("TheirGroup"), jsii.String("sg-12345678"), nil)},
			}),
			OnFailure: awss3.NewBucket(stack, jsii.String("TheirBucket"), nil),
		})
		cdktest.Golden(t, stack, "bring-your-own")
	})
}
