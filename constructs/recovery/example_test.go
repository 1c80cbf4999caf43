package recovery_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/recovery"
)

func ExampleNewVault() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Backups"), nil)
	recovery.NewVault(stack, "Vault", &recovery.VaultProps{
		Name:       "millrace-copies",
		Lock:       &recovery.Lock{AtLeast: awscdk.Duration_Days(jsii.Number(30))},
		AcceptFrom: []string{"111122223333"}, // the account that millrace runs in
	})
}

func ExampleNewBackups() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	lake := delivery.NewLakeBucket(stack, "Lake", nil)
	db := database.NewPrivateRds(stack, "Database", nil)
	recovery.NewBackups(stack, "Backups", &recovery.BackupsProps{
		Databases: []awsrds.DatabaseInstance{db.Instance},
		Buckets:   []awss3.IBucket{lake.Bucket},
		CopyTo:    []recovery.Copy{{VaultArn: "arn:aws:backup:eu-central-1:444455556666:backup-vault:millrace-copies"}},
	})
}

func ExampleNewReplication() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	lake := delivery.NewLakeBucket(stack, "Lake", nil)
	recovery.NewReplication(stack, "Replication", &recovery.ReplicationProps{
		Bucket: lake.Bucket,
		To: recovery.Replica{
			BucketName: "orders-copies-in-frankfurt",
			Region:     "eu-central-1",
			KeyArn:     "arn:aws:kms:eu-central-1:111122223333:alias/orders-copies",
		},
	})
}

func ExampleReplicateBackups() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	db := database.NewPrivateRds(stack, "Database", nil)
	recovery.ReplicateBackups(db.Instance, &recovery.ReplicatedBackups{
		Region: "eu-central-1",
		KeyArn: "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	})
}
