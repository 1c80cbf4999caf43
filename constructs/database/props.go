package database

import (
	"cmp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"
)

// Defaults of [PrivateRdsProps].
const (
	DefaultAllocatedStorageGiB = 20
	DefaultBackupRetentionDays = 7
	// DefaultPort is not Postgres's own 5432, which every scan tries first (cdk-nag AwsSolutions-RDS11).
	DefaultPort          = 5433
	DefaultDatabaseName  = "millrace"
	DefaultRotationDays  = 30
	DefaultLogRetention  = awslogs.RetentionDays_ONE_MONTH
	DefaultRemovalPolicy = awscdk.RemovalPolicy_SNAPSHOT
)

// PrivateRdsProps says where the instance stands, how large and how safe it is.
type PrivateRdsProps struct {
	// Vpc is the network to stand in. Clients in it need their own way to Secrets
	// Manager and S3 (see [PrivateRds.GrantMaster]). Not the VPC of another
	// PrivateRds: its endpoints serve that database alone.
	//
	// Default: a new VPC of isolated subnets, with no way in or out but an endpoint of
	// Secrets Manager for this database's secret (billed by the hour and zone) and
	// an endpoint of S3 for the answers of custom resources.
	Vpc awsec2.IVpc
	// VpcSubnets chooses subnets of Vpc, in two zones at least.
	//
	// Default: the isolated ones.
	VpcSubnets *awsec2.SubnetSelection
	// AvailabilityZones are the names of the zones, two at least, of the new VPC's subnets. Zones
	// are never looked up, so that synth needs no credentials.
	//
	// Default: the first two zones of the region, chosen by CloudFormation.
	AvailabilityZones []string
	// SkipFlowLog leaves out the flow log of the new VPC.
	SkipFlowLog bool
	// InstanceType is the instance's class.
	//
	// Default: t4g.small, arm64 with 2 GiB.
	InstanceType awsec2.InstanceType
	// MultiAz keeps a synchronous standby in another zone, for twice the price.
	//
	// Default: false, one instance. An outage then lasts as long as a restart or a
	// restore; no event is lost meanwhile, since the stream keeps them.
	MultiAz bool
	// AllocatedStorageGiB is the size of the gp3 volume in GiB, 20 to 65,536. It can grow but not shrink.
	//
	// Default: [DefaultAllocatedStorageGiB].
	AllocatedStorageGiB int
	// BackupRetention is how far back the database can be restored to any second, 1 to 35 whole days.
	//
	// Default: [DefaultBackupRetentionDays] days.
	BackupRetention awscdk.Duration
	// Port is the server's TCP port, 1,150 to 65,535.
	//
	// Default: [DefaultPort].
	Port int
	// DatabaseName is the database made on the new instance: a letter, then
	// letters, digits and underscores, 63 at most. A change replaces the instance.
	//
	// Default: [DefaultDatabaseName].
	DatabaseName string
	// SkipDeletionProtection lets the instance be deleted though RemovalPolicy
	// keeps its data.
	//
	// Default: false, protected unless RemovalPolicy is DESTROY.
	SkipDeletionProtection bool
	// RotationInterval is how often the master's password changes, 1 to 999 whole days.
	//
	// Default: [DefaultRotationDays] days.
	RotationInterval awscdk.Duration
	// SkipRotation leaves the master's password as it is. Rotation needs the Serverless
	// Application Repository, and so a deploy with CAPABILITY_AUTO_EXPAND.
	SkipRotation bool
	// CABundle is the PEM text of the certificate authorities that sign the
	// server's certificate. Some hundred bytes: it travels in the clients' environment.
	//
	// Default: Amazon RDS's own, which clients have.
	CABundle string
	// Key encrypts the storage, its snapshots and the master's secret.
	//
	// Default: a new customer-managed key, rotated every year, kept whenever RemovalPolicy
	// keeps data. One of yours must leave its use to the IAM policies of the account, as keys do by default.
	Key awskms.IKey
	// RemovalPolicy says what becomes of the data when the instance leaves the
	// stack: DESTROY, SNAPSHOT (a last snapshot, with its key and secret), or
	// RETAIN (the instance goes on, with its network).
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// LogRetention is how long the flow log and the rotation's log are kept. The
	// instance's own log stays in RDS, which deletes it after 3 days
	// (rds.log_retention_period): CloudWatch would keep it for ever.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// Configure edits the L2 props of the instance last, after every default is set.
	//
	// Default: no change.
	Configure func(*awsrds.DatabaseInstanceProps)
}

func (p *PrivateRdsProps) withDefaults() *PrivateRdsProps {
	q := PrivateRdsProps{}
	if p != nil {
		q = *p
	}
	if q.VpcSubnets == nil {
		q.VpcSubnets = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
	}
	if q.InstanceType == nil {
		q.InstanceType = awsec2.InstanceType_Of(awsec2.InstanceClass_T4G, awsec2.InstanceSize_SMALL)
	}
	if q.BackupRetention == nil {
		q.BackupRetention = awscdk.Duration_Days(jsii.Number(DefaultBackupRetentionDays))
	}
	if q.RotationInterval == nil {
		q.RotationInterval = awscdk.Duration_Days(jsii.Number(DefaultRotationDays))
	}
	q.AllocatedStorageGiB = cmp.Or(q.AllocatedStorageGiB, DefaultAllocatedStorageGiB)
	q.Port = cmp.Or(q.Port, DefaultPort)
	q.DatabaseName = cmp.Or(q.DatabaseName, DefaultDatabaseName)
	q.LogRetention = cmp.Or(q.LogRetention, DefaultLogRetention)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}

// kept is what becomes of the things that kept data is worth nothing without.
func (p *PrivateRdsProps) kept() awscdk.RemovalPolicy {
	if p.RemovalPolicy == awscdk.RemovalPolicy_DESTROY {
		return awscdk.RemovalPolicy_DESTROY
	}
	return awscdk.RemovalPolicy_RETAIN
}
