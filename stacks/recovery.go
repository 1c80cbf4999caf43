package stacks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/recovery"
)

// Recovery is what an environment is brought back from when its data, its region or its account is lost.
type Recovery struct {
	// BackupDays is how long AWS Backup keeps each day of the database and every second of the
	// lake, 0 to 35 days. Default: 0, no AWS Backup; RDS's own backups and the versions of objects stay.
	BackupDays int
	// LockDays is how long nobody may delete a recovery point, up to BackupDays, or those of whoever
	// copies here. Default: 0, no lock.
	LockDays int
	// CopyTo is the name of the environment, in CopyRegion and the same account, that copies go to as
	// they are made: objects, the database's backups, AWS Backup's recovery points. It must be Receiving and
	// deployed before. Default: none.
	CopyTo string
	// CopyRegion is the region of CopyTo.
	CopyRegion string
	// Vaults are the ARNs of further vaults that recovery points are copied to, such as one in another account of the
	// organization. Default: none.
	Vaults []string
	// Receiving says that another environment copies into this one: its buckets, its vault and their
	// keys have names that the other one knows. Default: false.
	Receiving bool
}

func (r Recovery) validate(e Environment) error {
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(r.BackupDays < 0 || r.BackupDays > recovery.DefaultKeepDays, "Recovery.BackupDays must be 0 to %d days, got %d", recovery.DefaultKeepDays, r.BackupDays)
	kept := r.BackupDays
	if r.Receiving {
		kept = recovery.DefaultKeepDays
	}
	problem(r.LockDays < 0 || r.LockDays > kept, "Recovery.LockDays must be 0 to %d days, for which recovery points are kept, got %d", kept, r.LockDays)
	problem((r.CopyTo == "") != (r.CopyRegion == ""), "Recovery.CopyTo and CopyRegion must be given together, got %q and %q", r.CopyTo, r.CopyRegion)
	problem(r.CopyRegion != "" && !regionName.MatchString(r.CopyRegion), "Recovery.CopyRegion must be an AWS region, got %q", r.CopyRegion)
	problem(r.CopyRegion == e.Region && e.Region != "", "Recovery.CopyRegion must be another region than %s", e.Region)
	problem(len(r.Vaults) > 0 && r.BackupDays == 0, "Recovery.Vaults must be empty without BackupDays: there is nothing to copy")
	for _, vault := range r.Vaults {
		problem(!strings.HasPrefix(vault, "arn:"), "Recovery.Vaults must be ARNs, got %q", vault)
	}
	// With it the names of buckets have S3's 63 characters, in the region with the longest name.
	const longest = 15
	problem(r.Receiving && len(e.Name) > longest, "Name must be up to %d characters where the environment is Receiving, got %q", longest, e.Name)
	problem(len(r.CopyTo) > longest, "Recovery.CopyTo must be up to %d characters, got %q", longest, r.CopyTo)
	return errors.Join(errs...)
}

// The names of what an environment receives copies in. Whoever copies computes them, so that no
// stack needs a value of another region.
func receivingBucket(stack awscdk.Stack, environment, region, what string) string {
	return fmt.Sprintf("millrace-%s-%s-%s-%s", environment, what, *stack.Account(), region)
}
func receivingVault(environment string) string { return "millrace-" + environment }
func receivingAlias(environment, what string) string {
	return "alias/millrace-" + environment + "-" + what
}

func arnThere(s awscdk.Stack, service, region, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", *s.Partition(), service, region, *s.Account(), resource)
}

// What is received.
const (
	lakeCopies    = "lake"
	parquetCopies = "parquet"
	vaultCopies   = "vault" // the key of the vault, and of the database's backups
)

// named gives a bucket the name that copies know it by, where the environment is Receiving.
func (e Environment) named(stack awscdk.Stack, what string) func(*awss3.BucketProps) {
	if !e.Recovery.Receiving {
		return nil
	}
	return func(props *awss3.BucketProps) {
		props.BucketName = jsii.String(receivingBucket(stack, e.Name, e.Region, what))
	}
}

// protect defines what f's data is brought back from.
func (f *Foundation) protect(env Environment) {
	if env.Recovery.BackupDays > 0 || env.Recovery.Receiving {
		f.Vault = f.vault(env)
	}
	if env.Recovery.Receiving {
		alias := func(id, what string, key awskms.IKey) {
			awskms.NewAlias(f.Stack, &id, &awskms.AliasProps{AliasName: jsii.String(receivingAlias(env.Name, what)), TargetKey: key})
		}
		alias("LakeAlias", lakeCopies, f.Lake.Key)
		alias("VaultAlias", vaultCopies, f.Vault.Key)
	}
	if env.Recovery.BackupDays > 0 {
		f.backUp(env)
	}
	if env.Recovery.CopyTo != "" {
		f.copyAway(env)
	}
}

func (f *Foundation) vault(env Environment) *recovery.Vault {
	props := &recovery.VaultProps{RemovalPolicy: env.removalPolicy()}
	if env.Recovery.Receiving {
		props.Name = receivingVault(env.Name)
	}
	if env.Recovery.LockDays > 0 {
		props.Lock = &recovery.Lock{AtLeast: awscdk.Duration_Days(jsii.Number(env.Recovery.LockDays))}
	}
	vault := recovery.NewVault(f.Stack, "Vault", props)
	output(f.Stack, "BackupVault", vault.Vault.BackupVaultName(), "The vault that AWS Backup keeps recovery points in.")
	return vault
}

func (f *Foundation) backUp(env Environment) {
	props := &recovery.BackupsProps{
		Databases: []awsrds.DatabaseInstance{f.Database.Instance},
		Vault:     f.Vault.Vault,
		KeepFor:   awscdk.Duration_Days(jsii.Number(env.Recovery.BackupDays)),
	}
	for _, lake := range f.lakes() {
		props.Buckets = append(props.Buckets, lake.bucket.Bucket)
	}
	if to := env.Recovery.CopyTo; to != "" {
		props.CopyTo = append(props.CopyTo, recovery.Copy{
			VaultArn: arnThere(f.Stack, "backup", env.Recovery.CopyRegion, "backup-vault:"+receivingVault(to)),
		})
	}
	for _, vault := range env.Recovery.Vaults {
		props.CopyTo = append(props.CopyTo, recovery.Copy{VaultArn: vault})
	}
	recovery.NewBackups(f.Stack, "Backups", props)
}

func (f *Foundation) copyAway(env Environment) {
	to, region := env.Recovery.CopyTo, env.Recovery.CopyRegion
	for _, lake := range f.lakes() {
		recovery.NewReplication(f.Stack, lake.id+"Replication", &recovery.ReplicationProps{
			Bucket: lake.bucket.Bucket,
			To: recovery.Replica{
				BucketName: receivingBucket(f.Stack, to, region, lake.what),
				Region:     region,
				KeyArn:     arnThere(f.Stack, "kms", region, receivingAlias(to, lakeCopies)),
			},
		})
	}
	recovery.ReplicateBackups(f.Database.Instance, &recovery.ReplicatedBackups{
		Region: region,
		KeyArn: arnThere(f.Stack, "kms", region, receivingAlias(to, vaultCopies)),
	})
}

// lakes are the buckets that hold what no other place does.
func (f *Foundation) lakes() []protectedLake {
	return []protectedLake{{"Lake", lakeCopies, f.Lake}, {"ParquetLake", parquetCopies, f.Parquet}}
}

type protectedLake struct {
	id, what string
	bucket   *delivery.LakeBucket
}
