package recovery

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbackup"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

const (
	// DefaultKeepDays is how long a recovery point stays: the most that a continuous one may.
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
	DefaultKeepDays = 35
	// DefaultHour is the hour of the day, in UTC, at which backups begin: AWS Backup fails
	// within an hour of the windows of RDS, for which database.PrivateRds has 01:00 to 04:00.
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/troubleshooting.html
	DefaultHour = 5

	// StartWithinHours is by when a backup must have begun; one that has not is cancelled.
	StartWithinHours = 1
	// EndWithinHours is how long it may then take.
	EndWithinHours = 12

	// https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupPlanInput.html
	longestPlan = 50 // characters of a plan's name
)

// Copy is a further vault that each recovery point goes to, as a snapshot, of another region or another account.
type Copy struct {
	// VaultArn is the ARN of the vault, which must be there already. Required.
	VaultArn string
	// KeepFor is how long the copy stays there, whole days.
	//
	// Default: as long as the first.
	KeepFor awscdk.Duration
}

// BackupsProps says what AWS Backup keeps, where and for how long.
type BackupsProps struct {
	// Databases are snapshotted every day. Their points in between are RDS's own: with a continuous
	// backup, AWS Backup would set their retention and window in place of the instance's props.
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
	Databases []awsrds.DatabaseInstance
	// Buckets are backed up continuously, so that one can be restored as it was at any second.
	// They must be versioned and defined in this app: EventBridge is turned on for them, by which AWS Backup hears of objects.
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/s3-backups.html
	Buckets []awss3.IBucket
	// Vault is where the recovery points go.
	//
	// Default: that of a new [Vault].
	Vault awsbackup.IBackupVault
	// KeepFor is how long a recovery point stays, 1 to 35 whole days with Buckets.
	//
	// Default: [DefaultKeepDays] days.
	KeepFor awscdk.Duration
	// Hour is the hour of the day at which backups begin, 1 to 23, in UTC.
	//
	// Default: [DefaultHour].
	Hour int
	// CopyTo are the vaults that each day's recovery point is copied to.
	//
	// Default: none.
	CopyTo []Copy
	// RemovalPolicy says what becomes of the new Vault when it leaves the stack.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *BackupsProps) Validate() error {
	if p == nil {
		p = new(BackupsProps)
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(len(p.Databases)+len(p.Buckets) == 0, "databases or buckets are required: there is nothing to back up")
	for _, bucket := range p.Buckets {
		_, ours := bucket.Node().DefaultChild().(awss3.CfnBucket)
		problem(!ours, "buckets must be defined in this app, got %s, which is imported: EventBridge must be turned on for it", *bucket.Node().Path())
	}
	most := math.Inf(1)
	if len(p.Buckets) > 0 {
		most = DefaultKeepDays
	}
	errs = append(errs, wholeDays("keep for", p.KeepFor, 1, most))
	problem(p.Hour < 0 || p.Hour > 23, "hour must be 1 to 23, got %d", p.Hour)
	for _, to := range p.CopyTo {
		problem(!*awscdk.Token_IsUnresolved(to.VaultArn) && !strings.HasPrefix(to.VaultArn, "arn:"), "copy to: vault ARN must be an ARN, got %q", to.VaultArn)
		errs = append(errs, wholeDays("copy to: keep for", to.KeepFor, 1, math.Inf(1)))
	}
	return errors.Join(errs...)
}

func (p *BackupsProps) withDefaults() *BackupsProps {
	q := *p
	if q.KeepFor == nil {
		q.KeepFor = awscdk.Duration_Days(jsii.Number(DefaultKeepDays))
	}
	q.Hour = cmp.Or(q.Hour, DefaultHour)
	return &q
}

// Backups is what AWS Backup does every day, and for buckets all day.
type Backups struct {
	constructs.Construct

	Vault      awsbackup.IBackupVault
	Role       awsiam.Role          // what AWS Backup assumes
	Daily      awsbackup.BackupPlan // of the databases; nil without any
	Continuous awsbackup.BackupPlan // of the buckets; nil without any
}

// NewBackups defines Backups in scope. It panics on invalid props (see [BackupsProps.Validate]).
func NewBackups(scope constructs.Construct, id string, props *BackupsProps) *Backups {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("recovery: %s: %w", id, err))
	}
	p := props.withDefaults()

	b := &Backups{Vault: p.Vault}
	constructs.NewConstruct_Override(b, scope, &id)
	if b.Vault == nil {
		b.Vault = NewVault(b, "Vault", &VaultProps{RemovalPolicy: p.RemovalPolicy}).Vault
	}
	b.Role = b.role(p)
	if len(p.Databases) > 0 {
		b.Daily = b.plan("Daily", p, false, databases(p.Databases))
	}
	if len(p.Buckets) > 0 {
		b.Continuous = b.plan("Continuous", p, true, buckets(p.Buckets))
	}
	return b
}

// VaultArn is the ARN of the vault that the recovery points go to.
func (b *Backups) VaultArn() *string { return b.Vault.BackupVaultArn() }

func databases(all []awsrds.DatabaseInstance) (resources []awsbackup.BackupResource) {
	for _, instance := range all {
		resources = append(resources, awsbackup.BackupResource_FromRdsDatabaseInstance(instance))
	}
	return resources
}

// buckets turns EventBridge on: by the L1, since the L2 does so by a custom resource in Node.
func buckets(all []awss3.IBucket) (resources []awsbackup.BackupResource) {
	for _, bucket := range all {
		bucket.Node().DefaultChild().(awss3.CfnBucket).AddPropertyOverride(
			jsii.String("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled"), jsii.Bool(true))
		resources = append(resources, awsbackup.BackupResource_FromArn(bucket.BucketArn()))
	}
	return resources
}

// role has the policies that AWS documents for it: what AWS Backup calls changes with AWS Backup.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/iam-service-roles.html
func (b *Backups) role(p *BackupsProps) awsiam.Role {
	role := awsiam.NewRole(b, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("backup.amazonaws.com"), nil),
	})
	allow := func(policy string) {
		role.AddManagedPolicy(awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/" + policy)))
		suppress.Rules(role, "It is the policy that AWS Backup documents for its role, and follows what the service calls",
			"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"+policy+"]")
	}
	if len(p.Databases) > 0 {
		allow("AWSBackupServiceRolePolicyForBackup")
	}
	if len(p.Buckets) > 0 {
		allow("AWSBackupServiceRolePolicyForS3Backup")
	}
	return role
}

func (b *Backups) plan(id string, p *BackupsProps, continuous bool, resources []awsbackup.BackupResource) awsbackup.BackupPlan {
	rule := &awsbackup.BackupPlanRuleProps{
		RuleName:           &id,
		BackupVault:        b.Vault,
		ScheduleExpression: awsevents.Schedule_Cron(&awsevents.CronOptions{Hour: jsii.String(fmt.Sprint(p.Hour)), Minute: jsii.String("0")}),
		StartWindow:        awscdk.Duration_Hours(jsii.Number(StartWithinHours)),
		CompletionWindow:   awscdk.Duration_Hours(jsii.Number(EndWithinHours)),
		DeleteAfter:        p.KeepFor,
	}
	if continuous {
		rule.EnableContinuousBackup = jsii.Bool(true)
	}
	copies := []*awsbackup.BackupPlanCopyActionProps{}
	for i, to := range p.CopyTo {
		keep := to.KeepFor
		if keep == nil {
			keep = p.KeepFor
		}
		copies = append(copies, &awsbackup.BackupPlanCopyActionProps{
			DestinationBackupVault: awsbackup.BackupVault_FromBackupVaultArn(b, jsii.Sprintf("%sCopy%d", id, i+1), &to.VaultArn),
			DeleteAfter:            keep,
		})
	}
	rule.CopyActions = &copies
	name := *awscdk.Names_UniqueResourceName(b, &awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(longestPlan - len(id) - 1), Separator: jsii.String("-")})
	plan := awsbackup.NewBackupPlan(b, &id, &awsbackup.BackupPlanProps{
		BackupPlanName:  jsii.String(name + "-" + id),
		BackupPlanRules: &[]awsbackup.BackupPlanRule{awsbackup.NewBackupPlanRule(rule)},
	})
	plan.AddSelection(jsii.String("Selection"), &awsbackup.BackupSelectionOptions{
		Resources:                  &resources,
		Role:                       b.Role,
		DisableDefaultBackupPolicy: jsii.Bool(true),
	})
	return plan
}
