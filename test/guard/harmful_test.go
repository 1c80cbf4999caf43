package guard

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/stacks"
)

const (
	streamPath   = "Core/Stream/Resource"
	bucketPath   = "Lake/Bucket/Resource"
	databasePath = "Database/Instance/Resource"
	secretPath   = "Database/Secret/Resource"
	keyPath      = "Core/Key/Resource"
	deliveryPath = "Lake/DeliveryStream/Resource"
	apiPath      = "Ingest/RestApi/Resource"
	logPath      = "Ingest/AccessLog/Resource"
	groupPath    = "Database/SecurityGroup/Resource"
	loaderPath   = "Loader/Loader/Role/DefaultPolicy/Resource"
	migration    = "Loader/Migration/Default"
	mapping      = "Loader/Mapping"
	selection    = "Backups/Continuous/Selection/Resource"
)

// declares is a migration that leads to tables.
func declares(columns, sql string) string {
	return "-- +goose Up\n-- +millrace tables [{\"name\":\"readings\",\"columns\":[" + columns + "]}]\n" + sql + "\n"
}

const (
	device = `{"name":"device","type":"text"}`
	sensor = `{"name":"sensor","type":"text","nullable":true}`
)

func expanded() map[string]string {
	return map[string]string{"00001_expand.sql": declares(device, "CREATE TABLE readings (device text);")}
}

// and is expanded and one file more.
func and(name, text string) map[string]string {
	files := expanded()
	files[name] = text
	return files
}

// allow gives the loader a statement more.
func allow(actions, resources []string) edit {
	return edit{app: func(b built) {
		b.Pipeline.Loader.Function.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings(actions...), Resources: jsii.Strings(resources...),
		}))
	}}
}

func harmful() []pair {
	return []pair{
		{name: "the stream gets a name", after: foundation(streamPath, set("Name", "events")), finds: []string{"replaced " + streamPath + ": Name"}},
		{name: "the bucket gets a name", after: foundation(bucketPath, set("BucketName", "lake")), finds: []string{"replaced " + bucketPath + ": BucketName"}},
		{name: "the database gets another name", after: foundation(databasePath, set("DBName", "other")), finds: []string{"replaced " + databasePath + ": DBName"}},
		{name: "the database is not encrypted any more", after: foundation(databasePath, set("StorageEncrypted", false)), finds: []string{"replaced " + databasePath + ": StorageEncrypted"}},
		{name: "the database is restored from a snapshot", after: foundation(databasePath, set("DBSnapshotIdentifier", "one")), finds: []string{"may-be-replaced " + databasePath + ": DBSnapshotIdentifier"}},
		{name: "the secret gets a name", after: foundation(secretPath, set("Name", "master")), finds: []string{"replaced " + secretPath + ": Name"}},
		{name: "a log group gets a name", after: pipeline(logPath, set("LogGroupName", "access")), finds: []string{"replaced " + logPath + ": LogGroupName"}},
		{name: "the delivery stream gets a name", after: pipeline(deliveryPath, set("DeliveryStreamName", "lake")), finds: []string{"replaced " + deliveryPath + ": DeliveryStreamName"}},
		{name: "the API's key gets a name", of: "dev", after: pipeline("Ingest/RestApi/Key/Resource", set("Name", "client")), finds: []string{"replaced Ingest/RestApi/Key/Resource: Name"}},

		{name: "the stream is gone", after: foundation(streamPath, removed), finds: []string{"removed " + streamPath + ": the resource"}},
		{name: "the key is gone", after: foundation(keyPath, removed), finds: []string{"removed " + keyPath + ": the resource"}},
		{name: "the loader's bucket of failures is gone", after: pipeline("Loader/OnFailure/Resource", removed), finds: []string{"removed Loader/OnFailure/Resource: the resource"}},
		{name: "there is no Parquet any more", after: values(func(e *stacks.Environment) { e.Delivery.Parquet = nil }), finds: []string{
			"removed ParquetLake/PartitionedDeliveryStream/Resource: the resource",
		}},
		{name: "clients come with IAM and not with keys", of: "dev", after: values(func(e *stacks.Environment) { e.API.Auth = ingest.AuthIAM }), finds: []string{
			"removed Ingest/RestApi/Key/Resource: the resource",
		}},

		{name: "the stream gets another logical id", after: foundation(streamPath, renamed("Events")), finds: []string{"logical-id " + streamPath + ": logical id"}},
		{name: "the key gets another logical id", after: foundation(keyPath, renamed("Key")), finds: []string{"logical-id " + keyPath + ": logical id"}},
		{name: "the API gets another logical id", after: pipeline(apiPath, renamed("Api")), finds: []string{"logical-id " + apiPath + ": logical id"}},
		{name: "a construct that holds a stream is renamed", before: core("Audit"), after: core("Trail"), finds: []string{
			"logical-id Audit/Stream/Resource: logical id", "logical-id Audit/Key/Resource: logical id",
		}},
		{name: "an alarm's id inside of a construct changes", before: alarm("Quiet"), after: alarm("Silent"), finds: []string{"construct-id Core/Quiet/Resource: aws:cdk:path"}},
		{name: "a log group's id inside of a construct changes", before: logGroup("Notes"), after: logGroup("Journal"), finds: []string{
			"construct-id Loader/Notes/Resource: aws:cdk:path", "logical-id Loader/Notes/Resource: logical id",
		}},

		{name: "the stream keeps a day", after: values(func(e *stacks.Environment) { e.Stream.RetentionHours = 24 }), finds: []string{"retention " + streamPath + ": RetentionPeriodHours"}},
		{name: "the stream's retention is left to its default", after: foundation(streamPath, unset("RetentionPeriodHours")), finds: []string{"retention " + streamPath + ": RetentionPeriodHours"}},
		{name: "logs are kept for a month", after: values(func(e *stacks.Environment) { e.LogRetention = awslogs.RetentionDays_ONE_MONTH }), finds: []string{"retention " + logPath + ": RetentionInDays"}},
		{name: "backups are kept for a week", after: values(func(e *stacks.Environment) { e.Database.BackupDays = 7 }), finds: []string{"retention " + databasePath + ": BackupRetentionPeriod"}},
		{name: "the data may be deleted with the stack", after: values(func(e *stacks.Environment) { e.Disposable = true }), finds: []string{
			"retention " + streamPath + ": DeletionPolicy", "retention " + bucketPath + ": UpdateReplacePolicy", "retention " + databasePath + ": DeletionProtection",
			"retention : TerminationProtection",
		}},
		{name: "the lake's objects expire", after: foundation(bucketPath, set("LifecycleConfiguration.Rules.1", map[string]any{"Status": "Enabled", "ExpirationInDays": 400})), finds: []string{"retention " + bucketPath + ": LifecycleConfiguration.Expiration()"}},
		{name: "old versions go sooner", after: foundation(bucketPath, set("LifecycleConfiguration.Rules.0.NoncurrentVersionExpiration.NoncurrentDays", 3)), finds: []string{"retention " + bucketPath + ": LifecycleConfiguration.NoncurrentVersionExpiration()"}},
		{name: "versions are not kept any more", after: foundation(bucketPath, set("VersioningConfiguration.Status", "Suspended")), finds: []string{"retention " + bucketPath + ": VersioningConfiguration.Status"}},
		{name: "the foundation keeps less in five ways", after: edit{app: func(b built) {
			bucket := at(b.Foundation.Stack, bucketPath)
			set("LifecycleConfiguration.Rules.1", map[string]any{"Status": "Enabled", "ExpirationDate": "2027-01-01T00:00:00Z"})(bucket)
			set("ReplicationConfiguration.Rules.0.Status", "Disabled")(bucket)
			set("Enabled", false)(at(b.Foundation.Stack, keyPath))
			set("BackupSelection.Resources", []string{"arn:aws:s3:::other"})(at(b.Foundation.Stack, selection))
			set("BackupPlan.BackupPlanRule.0.EnableContinuousBackup", false)(at(b.Foundation.Stack, "Backups/Continuous/Resource"))
		}}, finds: []string{
			"retention " + bucketPath + ": LifecycleConfiguration.ExpirationDate()", "retention " + bucketPath + ": ReplicationConfiguration.Rules",
			"retention " + keyPath + ": Enabled", "retention " + selection + ": BackupSelection.Resources",
			"retention Backups/Continuous/Resource: BackupPlanRule.Continuous.EnableContinuousBackup",
		}},
		{name: "nothing is copied to another region any more", after: values(func(e *stacks.Environment) { e.Recovery.CopyTo, e.Recovery.CopyRegion = "", "" }), finds: []string{
			"retention " + bucketPath + ": ReplicationConfiguration.Rules", "retention " + databasePath + ": AutomaticBackupReplicationRegion",
			"retention Backups/Daily/Resource: BackupPlanRule.Daily.CopyActions",
		}},
		{name: "backups are not made any more", after: values(func(e *stacks.Environment) { e.Recovery = stacks.Recovery{} }), finds: []string{
			"retention Backups/Daily/Resource: the resource", "retention " + selection + ": the resource", "removed Vault/Vault/Resource: the resource",
		}},
		{name: "everything is in another region", after: values(func(e *stacks.Environment) {
			e.Region, e.AvailabilityZones = "eu-west-3", []string{"eu-west-3a", "eu-west-3b"}
		}), finds: []string{"replaced : Region"}},

		{name: "the loader loses records in four ways", after: pipeline(mapping, func(r awscdk.CfnResource) {
			set("StartingPosition", "LATEST")(r)
			set("MaximumRecordAgeInSeconds", 60)(r)
			unset("DestinationConfig")(r)
			unset("FunctionResponseTypes")(r)
		}), finds: []string{
			"replaced " + mapping + ": StartingPosition", "retention " + mapping + ": MaximumRecordAgeInSeconds",
			"retention " + mapping + ": DestinationConfig.OnFailure.Destination", "retention " + mapping + ": FunctionResponseTypes",
		}},
		{name: "the loader's mapping is gone", after: pipeline(mapping, removed), finds: []string{"removed " + mapping + ": the resource"}},

		{name: "the loader may read every bucket", after: allow([]string{"s3:GetObject"}, []string{"*"}), finds: []string{"iam-broadens Loader/Loader/Role/Resource: policy of AWS:${LoaderRole96C3402C}"}},
		{name: "a Deny is gone", after: pipeline("Loader/Loader/NoInterfacesForCode/Resource", removed), finds: []string{"iam-broadens Loader/Loader/Role/Resource: policy of AWS:${LoaderRole96C3402C}"}},
		{name: "a role gets a managed policy", after: pipeline("Loader/Loader/Role/Resource", set("ManagedPolicyArns", []string{"arn:aws:iam::aws:policy/AdministratorAccess"})), finds: []string{"iam-broadens Loader/Loader/Role/Resource: managed policies"}},
		{name: "another account may assume a role", after: pipeline("Loader/Loader/Role/Resource", set("AssumeRolePolicyDocument.Statement.1", map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"AWS": "arn:aws:iam::111122223333:root"},
		})), finds: []string{"iam-broadens Loader/Loader/Role/Resource: policy of AWS:arn:aws:iam::111122223333:root"}},
		{name: "the API lets anyone in", after: pipeline("Ingest/RestApi/Default/events/POST/Resource", set("AuthorizationType", "NONE")), finds: []string{"iam-broadens Ingest/RestApi/Default/events/POST/Resource: AuthorizationType"}},

		{name: "a group lets in a wider network", before: group("10.0.0.0/16"), after: group("10.0.0.0/8"), finds: []string{"network-broadens Guests: ingress"}},
		{name: "a group's egress is left to EC2's default", after: foundation(groupPath, unset("SecurityGroupEgress")), finds: []string{"network-broadens " + groupPath + ": egress"}},
		{name: "a rule more, as a resource", before: group("10.0.0.0/16"), after: edit{app: func(b built) {
			group("10.0.0.0/16").app(b)
			awsec2.NewCfnSecurityGroupIngress(b.Pipeline.Stack, jsii.String("Open"), &awsec2.CfnSecurityGroupIngressProps{
				GroupId: at(b.Pipeline.Stack, "Guests").GetAtt(jsii.String("GroupId"), awscdk.ResolutionTypeHint_STRING).ToString(),
				CidrIp:  jsii.String("192.0.2.0/24"), IpProtocol: jsii.String("-1"),
			})
		}}, finds: []string{"network-broadens Guests: ingress"}},
		{
			name: "a released migration is edited", before: pipeline(migration, set("Migrations", expanded())),
			after: pipeline(migration, set("Migrations", map[string]string{"00001_expand.sql": declares(device, "SELECT 1;")})),
			finds: []string{"migration " + migration + ": 00001_expand.sql"},
		},
		{
			name: "a migration drops a column", before: pipeline(migration, set("Migrations", expanded())),
			after: pipeline(migration, set("Migrations", and("00002_expand.sql", declares(sensor, "ALTER TABLE readings DROP COLUMN device;")))),
			finds: []string{"migration " + migration + ": 00002_expand.sql"},
		},
		{
			name: "a contract takes away what is still written", before: pipeline(migration, set("Migrations", expanded())),
			after: pipeline(migration, set("Migrations", and("00002_contract.sql", "-- +millrace contract\n"+declares(sensor, "ALTER TABLE readings DROP COLUMN device;")))),
			finds: []string{"migration " + migration + ": 00002_contract.sql"},
		},
	}
}
