package guard

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/stacks"
)

func harmless() []pair {
	return []pair{
		{name: "nothing"},
		{name: "more requests a second", after: values(func(e *stacks.Environment) { e.API.RateLimit, e.API.BurstLimit = 5000, 5000 })},
		{name: "a larger database", after: values(func(e *stacks.Environment) { e.Database.InstanceType, e.Database.StorageGiB = "m7g.xlarge", 500 })},
		{name: "a database in one zone, as the label says", labels: []string{"may-be-replaced"}, after: values(func(e *stacks.Environment) { e.Database.MultiAz = false })},
		{name: "backups for longer, as the label says", of: "staging", labels: []string{"may-be-replaced"}, after: values(func(e *stacks.Environment) { e.Database.BackupDays = 35 })},
		{name: "logs for longer", after: values(func(e *stacks.Environment) { e.LogRetention = awslogs.RetentionDays_TWO_YEARS })},
		{name: "logs for ever", after: pipeline(logPath, unset("RetentionInDays"))},
		{name: "the stream keeps a month", after: values(func(e *stacks.Environment) { e.Stream.RetentionHours = 720 })},
		{name: "the stream has shards", after: values(func(e *stacks.Environment) { e.Stream.Shards = 4 })},
		{name: "smaller objects", after: values(func(e *stacks.Environment) { e.Delivery.BufferSeconds, e.Delivery.BufferMiB = 60, 64 })},
		{name: "a column more", after: values(func(e *stacks.Environment) {
			e.Delivery.Parquet = append(e.Delivery.Parquet, delivery.Column{Name: "carrier", Type: "string"})
		})},
		{name: "Parquet for the first time", of: "dev", labels: []string{"iam-broadens"}, after: values(func(e *stacks.Environment) {
			e.Delivery.Parquet, e.Delivery.BufferSeconds, e.Delivery.BufferMiB = []delivery.Column{{Name: "event_id", Type: "string"}}, 60, 64
		})},
		{name: "a firewall", of: "dev", labels: []string{"iam-broadens"}, after: values(func(e *stacks.Environment) { e.API.Waf = true })},
		{name: "data that is kept from now on", of: "dev", after: values(func(e *stacks.Environment) { e.Disposable = false })},
		{name: "clients of a plan may send more", of: "dev", after: pipeline("Ingest/RestApi/UsagePlan/Resource", set("Throttle.RateLimit", 99))},
		{name: "the API's description", after: pipeline(apiPath, set("Description", "In by the front door"))},
		{name: "a method's answer, and so another deployment", after: pipeline("Ingest/RestApi/Default/events/POST/Resource", set("Integration.TimeoutInMillis", 3000))},
		{name: "the loader's memory and time", after: pipeline("Loader/Loader/Function/Resource", func(r awscdk.CfnResource) {
			set("MemorySize", 1024)(r)
			set("Timeout", 120)(r)
		})},
		{name: "the loader's code", after: pipeline("Loader/Loader/Function/Resource", set("Code.S3Key", "other.zip"))},
		{name: "larger batches", after: pipeline("Loader/Mapping", set("BatchSize", 900))},
		{name: "an alarm more", after: alarm("Quiet")},
		{name: "an alarm less", before: alarm("Quiet")},
		{name: "an alarm's threshold", before: alarm("Quiet"), after: edit{app: func(b built) {
			alarm("Quiet").app(b)
			set("Threshold", 2)(at(b.Foundation.Stack, "Core/Quiet/Resource"))
		}}},
		{name: "another alarm in place of one", before: alarm("Quiet"), after: edit{app: func(b built) {
			alarm("Loud").app(b)
			set("MetricName", "GetRecords.Bytes")(at(b.Foundation.Stack, "Core/Loud/Resource"))
		}}},
		{name: "a log group more", after: logGroup("Notes")},
		{name: "a stream more", labels: []string{"iam-broadens"}, after: core("Audit")},
		{name: "a bucket more", after: edit{app: func(b built) { awss3.NewBucket(b.Foundation.Stack, jsii.String("More"), nil) }}},
		{name: "a queue more", after: edit{app: func(b built) { awssqs.NewQueue(b.Pipeline.Stack, jsii.String("More"), nil) }}},
		{name: "an alias of a key", after: edit{app: func(b built) {
			awskms.NewAlias(b.Foundation.Stack, jsii.String("Name"), &awskms.AliasProps{AliasName: jsii.String("alias/core"), TargetKey: b.Foundation.Core.Key})
		}}},
		{name: "an output", after: edit{app: func(b built) {
			awscdk.NewCfnOutput(b.Pipeline.Stack, jsii.String("More"), &awscdk.CfnOutputProps{Value: jsii.String("more")})
		}}},
		{name: "a tag on everything", after: edit{app: func(b built) { awscdk.Tags_Of(b.app).Add(jsii.String("team"), jsii.String("data"), nil) }}},
		{name: "a saved query less", after: pipeline("ParquetLake/Catalog/OnceView", removed)},
		{name: "old versions for longer", after: foundation(bucketPath, set("LifecycleConfiguration.Rules.0.NoncurrentVersionExpiration.NoncurrentDays", 90))},
		{name: "the loader may do less", before: allow([]string{"s3:GetObject", "s3:ListBucket"}, []string{"arn:aws:s3:::a/*"}), after: allow([]string{"s3:GetObject"}, []string{"arn:aws:s3:::a/*"})},
		{name: "the loader may read less", before: allow([]string{"s3:Get*"}, []string{"arn:aws:s3:::a/*"}), after: allow([]string{"s3:GetObject"}, []string{"arn:aws:s3:::a/b/*"})},
		{name: "the loader may read, as the label says", labels: []string{"iam-broadens"}, after: allow([]string{"s3:GetObject"}, []string{"*"})},
		{name: "the network opens, as the label says", labels: []string{"network-broadens", "docs"}, after: foundation(groupPath, unset("SecurityGroupEgress"))},
		{name: "a rule of a group says why", after: pipeline("Loader/MigratorSecurityGroup/Resource", set("SecurityGroupEgress.1.Description", "S3"))},
		{name: "a rule of a group is narrower", after: pipeline("Loader/MigratorSecurityGroup/Resource", set("SecurityGroupEgress.1.CidrIp", "10.0.0.0/8"))},
		{
			name: "a migration adds a column", before: pipeline(migration, set("Migrations", expanded())),
			after: pipeline(migration, set("Migrations", and("00002_expand.sql", declares(device+","+sensor, "ALTER TABLE readings ADD COLUMN sensor text;")))),
		},
		{name: "the first migrations", after: pipeline(migration, set("Migrations", expanded()))},
	}
}
