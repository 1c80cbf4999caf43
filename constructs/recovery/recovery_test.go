package recovery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/recovery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

type object = map[string]any

func days(n float64) awscdk.Duration { return awscdk.Duration_Days(&n) }

func lakeAndDatabase(stack awscdk.Stack) (*delivery.LakeBucket, *database.PrivateRds) {
	return delivery.NewLakeBucket(stack, "Lake", nil), database.NewPrivateRds(stack, "Database", nil)
}

func replica() recovery.Replica {
	return recovery.Replica{BucketName: "copies", Region: "eu-central-1", KeyArn: "arn:aws:kms:eu-central-1:111122223333:alias/copies"}
}

func has(stack awscdk.Stack, kind string, properties object) {
	cdktest.Template(stack).HasResourceProperties(&kind, assertions.Match_ObjectLike(&properties))
}

func TestTheTwoLinesOfTheReadmeProtectTheLakeAndTheDatabase(t *testing.T) {
	stack := cdktest.NewStack()
	lake, db := lakeAndDatabase(stack)
	backups := recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{
		Databases: []awsrds.DatabaseInstance{db.Instance}, Buckets: []awss3.IBucket{lake.Bucket},
	})
	assert.NotNil(t, backups.Daily)
	assert.NotNil(t, backups.Continuous)
	has(stack, "AWS::Backup::BackupPlan", object{"BackupPlan": object{"BackupPlanRule": []any{object{
		"RuleName": "Daily", "ScheduleExpression": "cron(0 5 * * ? *)", "StartWindowMinutes": 60, "CompletionWindowMinutes": 720,
		"Lifecycle": object{"DeleteAfterDays": 35}, "EnableContinuousBackup": assertions.Match_Absent(),
	}}}})
	has(stack, "AWS::Backup::BackupPlan", object{"BackupPlan": object{"BackupPlanRule": []any{object{
		"RuleName": "Continuous", "EnableContinuousBackup": true, "Lifecycle": object{"DeleteAfterDays": 35},
	}}}})
	has(stack, "AWS::Backup::BackupSelection", object{"BackupSelection": object{"Resources": []any{
		object{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^LakeBucket")), "Arn"}},
	}}})
	has(stack, "AWS::Backup::BackupVault", object{"EncryptionKeyArn": object{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^BackupsVaultKey")), "Arn"}}})
}

func TestAWSBackupHearsOfObjects(t *testing.T) {
	stack := cdktest.NewStack()
	lake := delivery.NewLakeBucket(stack, "Lake", nil)
	recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{Buckets: []awss3.IBucket{lake.Bucket}})
	has(stack, "AWS::S3::Bucket", object{"NotificationConfiguration": object{"EventBridgeConfiguration": object{"EventBridgeEnabled": true}}})
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(0))
}

func TestTheRoleHasThePolicyOfWhatIsBackedUpAndNoOther(t *testing.T) {
	policies := func(props func(*delivery.LakeBucket, *database.PrivateRds) *recovery.BackupsProps) any {
		stack := cdktest.NewStack()
		lake, db := lakeAndDatabase(stack)
		recovery.NewBackups(stack, "Backups", props(lake, db))
		for _, role := range *cdktest.Template(stack).FindResources(jsii.String("AWS::IAM::Role"), object{"Properties": object{
			"AssumeRolePolicyDocument": object{"Statement": []any{object{"Principal": object{"Service": "backup.amazonaws.com"}}}},
		}}) {
			return (*role)["Properties"].(object)["ManagedPolicyArns"]
		}
		return nil
	}
	managed := func(name string) any {
		return object{"Fn::Join": []any{"", []any{"arn:", object{"Ref": "AWS::Partition"}, ":iam::aws:policy/service-role/" + name}}}
	}
	assert.Equal(t, []any{managed("AWSBackupServiceRolePolicyForBackup")}, policies(func(_ *delivery.LakeBucket, db *database.PrivateRds) *recovery.BackupsProps {
		return &recovery.BackupsProps{Databases: []awsrds.DatabaseInstance{db.Instance}}
	}))
	assert.Equal(t, []any{managed("AWSBackupServiceRolePolicyForS3Backup")}, policies(func(lake *delivery.LakeBucket, _ *database.PrivateRds) *recovery.BackupsProps {
		return &recovery.BackupsProps{Buckets: []awss3.IBucket{lake.Bucket}}
	}))
}

func TestEachRecoveryPointIsCopiedToEveryVaultThatIsNamed(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", nil)
	elsewhere, other := "arn:aws:backup:eu-central-1:111122223333:backup-vault:a", "arn:aws:backup:eu-central-1:444455556666:backup-vault:b"
	recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{
		Databases: []awsrds.DatabaseInstance{db.Instance},
		KeepFor:   days(90),
		CopyTo:    []recovery.Copy{{VaultArn: elsewhere}, {VaultArn: other, KeepFor: days(365)}},
	})
	has(stack, "AWS::Backup::BackupPlan", object{"BackupPlan": object{"BackupPlanRule": []any{object{"CopyActions": []any{
		object{"DestinationBackupVaultArn": elsewhere, "Lifecycle": object{"DeleteAfterDays": 90}},
		object{"DestinationBackupVaultArn": other, "Lifecycle": object{"DeleteAfterDays": 365}},
	}}}}})
}

func TestAVaultIsLockedAndAdmitsOthersIfAsked(t *testing.T) {
	stack := cdktest.NewStack()
	recovery.NewVault(stack, "Vault", &recovery.VaultProps{
		Name: "copies", Lock: &recovery.Lock{AtLeast: days(7), AtMost: days(400), ChangeableFor: days(3)}, AcceptFrom: []string{"444455556666"},
	})
	has(stack, "AWS::Backup::BackupVault", object{
		"BackupVaultName":   "copies",
		"LockConfiguration": object{"MinRetentionDays": 7, "MaxRetentionDays": 400, "ChangeableForDays": 3},
		"AccessPolicy": object{"Statement": []any{object{
			"Effect": "Allow", "Action": "backup:CopyIntoBackupVault", "Resource": "*",
			"Principal": object{"AWS": object{"Fn::Join": []any{"", []any{"arn:", object{"Ref": "AWS::Partition"}, ":iam::444455556666:root"}}}},
		}}},
	})
}

func TestAVaultAndItsKeyOutliveTheirStack(t *testing.T) {
	stack := cdktest.NewStack()
	recovery.NewVault(stack, "Vault", nil)
	for _, kind := range []string{"AWS::Backup::BackupVault", "AWS::KMS::Key"} {
		cdktest.Template(stack).HasResource(&kind, object{"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"})
	}
}

func TestObjectsAreReplicatedWithinAKnownTimeAndDeletionsAreNot(t *testing.T) {
	stack := cdktest.NewStack()
	lake := delivery.NewLakeBucket(stack, "Lake", nil)
	recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, To: replica()})
	minutes := object{"Minutes": 15}
	has(stack, "AWS::S3::Bucket", object{"ReplicationConfiguration": object{"Rules": []any{object{
		"Status":                  "Enabled",
		"DeleteMarkerReplication": object{"Status": "Disabled"},
		"SourceSelectionCriteria": object{"SseKmsEncryptedObjects": object{"Status": "Enabled"}},
		"Destination": object{
			"EncryptionConfiguration": object{"ReplicaKmsKeyID": replica().KeyArn},
			"Metrics":                 object{"Status": "Enabled", "EventThreshold": minutes},
			"ReplicationTime":         object{"Status": "Enabled", "Time": minutes},
		},
	}}}})
}

func TestWithoutTimeControlTheMetricsStay(t *testing.T) {
	stack := cdktest.NewStack()
	lake := delivery.NewLakeBucket(stack, "Lake", nil)
	recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, To: replica(), SkipTimeControl: true, DeleteMarkers: true})
	has(stack, "AWS::S3::Bucket", object{"ReplicationConfiguration": object{"Rules": []any{object{
		"DeleteMarkerReplication": object{"Status": "Enabled"},
		"Destination":             object{"Metrics": object{"Status": "Enabled"}, "ReplicationTime": assertions.Match_Absent()},
	}}}})
}

func TestReplicationUsesOneKeyThereAndOnlyForTheReplica(t *testing.T) {
	bucket := func(suffix string) any {
		return object{"Fn::Join": []any{"", []any{"arn:", object{"Ref": "AWS::Partition"}, ":s3:::copies" + suffix}}}
	}
	encrypts := func(resource any, conditions object) object {
		conditions["StringEquals"] = object{"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
		conditions["StringLike"] = object{"kms:EncryptionContext:aws:s3:arn": []any{bucket(""), bucket("/*")}}
		return object{"PolicyDocument": object{"Statement": assertions.Match_ArrayWith(&[]any{object{
			"Effect": "Allow", "Action": []any{"kms:Encrypt", "kms:GenerateDataKey"}, "Resource": resource, "Condition": conditions,
		}})}}
	}
	t.Run("by its alias", func(t *testing.T) {
		stack := cdktest.NewStack()
		lake := delivery.NewLakeBucket(stack, "Lake", nil)
		recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, To: replica()})
		has(stack, "AWS::IAM::Policy", encrypts(assertions.Match_AnyValue(), object{
			"ForAnyValue:StringEquals": object{"kms:ResourceAliases": []any{"alias/copies"}},
		}))
	})
	t.Run("by its ARN", func(t *testing.T) {
		stack := cdktest.NewStack()
		lake := delivery.NewLakeBucket(stack, "Lake", nil)
		to := replica()
		to.KeyArn = "arn:aws:kms:eu-central-1:111122223333:key/1234"
		recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, To: to})
		has(stack, "AWS::IAM::Policy", encrypts(to.KeyArn, object{}))
	})
}

func TestHowFarTheReplicaIsBehindIsMeasured(t *testing.T) {
	stack := cdktest.NewStack()
	lake := delivery.NewLakeBucket(stack, "Lake", nil)
	replication := recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, To: replica()})
	metrics := map[string]awscloudwatch.Metric{
		"ReplicationLatency":          replication.MetricLatency(nil),
		"BytesPendingReplication":     replication.MetricPending(nil),
		"OperationsFailedReplication": replication.MetricFailed(nil),
	}
	for name, metric := range metrics {
		metric.CreateAlarm(stack, jsii.String("Alarm"+name), &awscloudwatch.CreateAlarmOptions{Threshold: jsii.Number(900), EvaluationPeriods: jsii.Number(1)})
	}
	for name := range metrics {
		has(stack, "AWS::CloudWatch::Alarm", object{"Namespace": "AWS/S3", "MetricName": name, "Dimensions": []any{
			object{"Name": "DestinationBucket", "Value": "copies"},
			object{"Name": "RuleId", "Value": "Replication"},
			object{"Name": "SourceBucket", "Value": object{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^LakeBucket"))}},
		}})
	}
}

func TestTheDatabasesOwnBackupsAreReplicated(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", nil)
	recovery.ReplicateBackups(db.Instance, &recovery.ReplicatedBackups{Region: "eu-central-1", KeyArn: replica().KeyArn, KeepFor: days(14)})
	has(stack, "AWS::RDS::DBInstance", object{
		"AutomaticBackupReplicationRegion": "eu-central-1", "AutomaticBackupReplicationKmsKeyId": replica().KeyArn, "AutomaticBackupReplicationRetentionPeriod": 14,
	})
}

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	stack := cdktest.NewStack()
	imported := awss3.Bucket_FromBucketName(stack, jsii.String("Theirs"), jsii.String("theirs"))
	plain := awss3.NewBucket(stack, jsii.String("Plain"), nil)
	for name, test := range map[string]struct {
		err      error
		problems []string
	}{
		"a vault": {
			(&recovery.VaultProps{Name: "a vault", AcceptFrom: []string{"1"}, Lock: &recovery.Lock{AtMost: awscdk.Duration_Hours(jsii.Number(36)), ChangeableFor: days(2)}}).Validate(),
			[]string{
				`name must be 2 to 50 letters, digits, '-' and '_', got "a vault"`, `accept from must be accounts of twelve digits, got "1"`, "lock: at least is required",
				"lock: at most must be at least 1 whole days, got 1.5", "lock: changeable for must be at least 3 whole days, got 2",
			},
		},
		"no backups": {(*recovery.BackupsProps)(nil).Validate(), []string{"databases or buckets are required"}},
		"backups": {
			(&recovery.BackupsProps{Buckets: []awss3.IBucket{imported}, KeepFor: days(36), Hour: 24, CopyTo: []recovery.Copy{{VaultArn: "vault", KeepFor: awscdk.Duration_Hours(jsii.Number(1))}}}).Validate(),
			[]string{
				"buckets must be defined in this app, got Test/Theirs", "keep for must be 1 to 35 whole days, got 36", "hour must be 1 to 23, got 24",
				`copy to: vault ARN must be an ARN, got "vault"`, "copy to: keep for must be at least 1 whole days",
			},
		},
		"no replication": {(*recovery.ReplicationProps)(nil).Validate(), []string{"bucket is required", "to: bucket name is required", "to: region is required", "to: key ARN is required"}},
		"replication of theirs": {
			(&recovery.ReplicationProps{Bucket: imported, To: replica()}).Validate(), []string{"bucket must be defined in this app", "key is required"},
		},
		"replication without a key": {(&recovery.ReplicationProps{Bucket: plain, To: replica()}).Validate(), []string{"key is required: the bucket has none of its own"}},
		"no second backups":         {(*recovery.ReplicatedBackups)(nil).Validate(), []string{"region is required"}},
		"second backups": {
			(&recovery.ReplicatedBackups{Region: "eu-central-1", KeyArn: "key", KeepFor: days(36)}).Validate(), []string{`key ARN must be an ARN, got "key"`, "keep for must be 1 to 35 whole days, got 36"},
		},
	} {
		for _, problem := range test.problems {
			assert.ErrorContains(t, test.err, problem, name)
		}
	}
	assert.NoError(t, (*recovery.VaultProps)(nil).Validate())
}

func TestInvalidPropsPanicWithThePackagesName(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", nil)
	for _, f := range []func(){
		func() { recovery.NewVault(stack, "Vault", &recovery.VaultProps{Name: "?"}) },
		func() { recovery.NewBackups(stack, "Backups", nil) },
		func() { recovery.NewReplication(stack, "Replication", nil) },
		func() { recovery.ReplicateBackups(db.Instance, nil) },
	} {
		assert.Regexp(t, "^recovery: ", cdktest.Panics(t, f))
	}
}

func TestEachConstructMayBeAScope(t *testing.T) {
	stack := cdktest.NewStack()
	lake, db := lakeAndDatabase(stack)
	vault := recovery.NewVault(stack, "Vault", nil)
	backups := recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{Databases: []awsrds.DatabaseInstance{db.Instance}, Vault: vault.Vault})
	replication := recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, To: replica()})
	awskms.NewKey(vault, jsii.String("More"), nil)
	awskms.NewKey(backups, jsii.String("More"), nil)
	awskms.NewKey(replication, jsii.String("More"), nil)
	assert.Equal(t, *vault.Arn(), *backups.VaultArn())
}

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack := cdktest.NewStack()
		lake := delivery.NewLakeBucket(stack, "Lake", nil)
		recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{Buckets: []awss3.IBucket{lake.Bucket}})
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		stack := cdktest.NewStack()
		lake := delivery.NewLakeBucket(stack, "Lake", &delivery.LakeBucketProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
		instance := awsrds.NewDatabaseInstance(stack, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
			Engine: awsrds.DatabaseInstanceEngine_Postgres(&awsrds.PostgresInstanceEngineProps{Version: awsrds.PostgresEngineVersion_VER_17()}),
			Vpc:    awsec2.NewVpc(stack, jsii.String("Vpc"), nil),
		})
		vault := recovery.NewVault(stack, "Vault", &recovery.VaultProps{
			Name: "backups", Lock: &recovery.Lock{AtLeast: days(7), AtMost: days(35), ChangeableFor: days(14)},
			AcceptFrom: []string{"444455556666"}, RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		})
		recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{
			Databases: []awsrds.DatabaseInstance{instance}, Buckets: []awss3.IBucket{lake.Bucket}, Vault: vault.Vault, KeepFor: days(14), Hour: 22,
			CopyTo: []recovery.Copy{{VaultArn: "arn:aws:backup:eu-central-1:444455556666:backup-vault:copies", KeepFor: days(365)}},
		})
		recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, To: replica(), DeleteMarkers: true})
		recovery.ReplicateBackups(instance, &recovery.ReplicatedBackups{Region: "eu-central-1", KeyArn: replica().KeyArn, KeepFor: days(14)})
		cdktest.Golden(t, stack, "everything-on")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := cdktest.NewStack()
		key := awskms.Key_FromKeyArn(stack, jsii.String("Mine"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
		lake := delivery.NewLakeBucket(stack, "Lake", &delivery.LakeBucketProps{Key: key})
		vault := recovery.NewVault(stack, "Vault", &recovery.VaultProps{Key: key})
		recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{Buckets: []awss3.IBucket{lake.Bucket}, Vault: vault.Vault})
		recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{Bucket: lake.Bucket, Key: key, To: replica(), SkipTimeControl: true})
		cdktest.Golden(t, stack, "bring-your-own")
	})
}
