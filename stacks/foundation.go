package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/observe"
	"github.com/millrace-cdk/millrace/constructs/recovery"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

// Foundation is what holds data and must never be replaced: the stream, the
// lake's bucket, the database with its network, their keys, and who is told of alarms.
type Foundation struct {
	Stack    awscdk.Stack
	Core     *stream.StreamingCore
	Lake     *delivery.LakeBucket
	Parquet  *delivery.LakeBucket // there also while nothing is delivered to it
	Database *database.PrivateRds
	Vault    *recovery.Vault // nil where nothing is backed up by AWS Backup
	Alerts   *observe.Alerts
}

// NewFoundation defines env's Foundation stack.
func NewFoundation(scope constructs.Construct, env Environment) *Foundation {
	stack := newStack(scope, env, "Foundation", !env.Disposable)

	core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{
		Shards:            env.Stream.Shards,
		Retention:         awscdk.Duration_Hours(jsii.Number(env.Stream.RetentionHours)),
		ShardLevelMetrics: env.Stream.shardLevelMetrics(),
		RemovalPolicy:     env.removalPolicy(),
	})
	lake := delivery.NewLakeBucket(stack, "Lake", &delivery.LakeBucketProps{
		RemovalPolicy: env.removalPolicy(),
		Configure:     env.named(stack, lakeCopies),
	})
	// In every environment: who takes the delivery away keeps its objects, and costs no bucket.
	parquet := delivery.NewLakeBucket(stack, "ParquetLake", &delivery.LakeBucketProps{
		Key:           lake.Key,
		AccessLogs:    lake.AccessLogs,
		RemovalPolicy: env.removalPolicy(),
		Configure:     env.named(stack, parquetCopies),
	})
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{
		AvailabilityZones:   env.AvailabilityZones,
		InstanceType:        awsec2.NewInstanceType(jsii.String(env.Database.InstanceType)),
		MultiAz:             env.Database.MultiAz,
		AllocatedStorageGiB: env.Database.StorageGiB,
		BackupRetention:     awscdk.Duration_Days(jsii.Number(env.Database.BackupDays)),
		Port:                env.Database.Port,
		CABundle:            env.Database.CABundle,
		SkipRotation:        env.Database.SkipRotation,
		LogRetention:        env.LogRetention,
		RemovalPolicy:       env.removalPolicy(),
	})
	alerts := observe.NewAlerts(stack, "Alerts", &observe.AlertsProps{
		PageTo:        env.Operation.PageTo,
		TicketTo:      env.Operation.TicketTo,
		Severities:    env.Operation.Severities,
		Runbook:       env.Operation.Runbook,
		RemovalPolicy: env.removalPolicy(),
	})
	alert(env, alerts, core, db)

	output(stack, "StreamName", core.Stream.StreamName(), "The Kinesis data stream that carries every event.")
	output(stack, "LakeBucket", lake.Bucket.BucketName(), "The S3 bucket that the events are delivered to.")
	output(stack, "ParquetBucket", parquet.Bucket.BucketName(), "The S3 bucket that the events are delivered to as Parquet.")
	output(stack, "DatabaseSecretArn", db.Secret().SecretArn(), "The Secrets Manager secret of the database's master user.")
	foundation := &Foundation{Stack: stack, Core: core, Lake: lake, Parquet: parquet, Database: db, Alerts: alerts}
	foundation.protect(env)
	foundation.export()
	return foundation
}
