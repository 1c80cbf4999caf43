package database

import (
	"cmp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
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
	// DefaultStorageGrowth is how many times its size the storage may become by itself.
	DefaultStorageGrowth = 5
	// DefaultBackupWindow and DefaultMaintenanceWindow are in UTC.
	DefaultBackupWindow      = "01:00-02:00"
	DefaultMaintenanceWindow = "sun:03:00-sun:04:00"
	DefaultInsights          = awsrds.DatabaseInsightsMode_STANDARD
	DefaultMonitoringSeconds = 60
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
	// Identifier is the instance's name in RDS: lower-case letters, digits and single
	// hyphens, 63 at most, with a letter first. A change replaces the instance.
	//
	// Default: the construct's path and a hash of it.
	Identifier string
	// EngineVersion is the version of Postgres. With a major version alone RDS takes its
	// default minor one, and upgrades it; a template that names one cannot follow. To change the
	// major version, let Configure set AllowMajorVersionUpgrade.
	//
	// Default: 17.
	EngineVersion awsrds.PostgresEngineVersion
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
	// MaxAllocatedStorageGiB is the size in GiB up to which RDS makes the volume larger by
	// itself when a tenth of it is left. AllocatedStorageGiB itself turns that off.
	//
	// Default: [DefaultStorageGrowth] times AllocatedStorageGiB, 65,536 at most.
	MaxAllocatedStorageGiB int
	// MaxConnections is how many connections the server takes, 20 to 262,143.
	//
	// Default: 100 for each GiB of InstanceType's memory, 5,000 at most; RDS's own choice,
	// which is not known here, for a class whose memory is not known.
	MaxConnections int
	// Parameters are further parameters of the server. Those that keep it to TLS and
	// data out of its log cannot be changed.
	//
	// Default: none.
	Parameters map[string]string
	// BackupRetention is how far back the database can be restored to any second, 1 to 35 whole days.
	//
	// Default: [DefaultBackupRetentionDays] days.
	BackupRetention awscdk.Duration
	// BackupWindow is when the daily backup is made, "hh:mm-hh:mm" in UTC, 30 minutes at least.
	//
	// Default: [DefaultBackupWindow].
	BackupWindow string
	// MaintenanceWindow is when RDS upgrades the minor version and the system,
	// "ddd:hh:mm-ddd:hh:mm" in UTC, 30 minutes at least and a day at most, and not during BackupWindow.
	//
	// Default: [DefaultMaintenanceWindow].
	MaintenanceWindow string
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
	// Proxy puts an RDS Proxy before the instance, for clients by the hundred.
	//
	// Default: none; clients connect directly.
	Proxy *ProxyProps
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
	// Insights is the mode of Database Insights: standard, with a week of history, or
	// advanced, with 15 months, which is billed by processor.
	//
	// Default: [DefaultInsights].
	Insights awsrds.DatabaseInsightsMode
	// SkipInsights leaves Database Insights out.
	SkipInsights bool
	// MonitoringInterval is the time between two readings of the system (enhanced
	// monitoring), which go to the account's log group RDSOSMetrics: 1, 5, 10, 15, 30 or 60 seconds.
	//
	// Default: [DefaultMonitoringSeconds] seconds.
	MonitoringInterval awscdk.Duration
	// SkipMonitoring leaves enhanced monitoring out.
	SkipMonitoring bool
	// LogRetention is how long the instance's logs, the flow log and the rotation's log are kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// SkipLogExports leaves the instance's logs in RDS, which deletes them after 3 days (rds.log_retention_period).
	SkipLogExports bool
	// SkipAlarms leaves out the alarms that [PrivateRds.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
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
	if q.EngineVersion == nil {
		// cfn-lint (W3691) takes "17" for 17.0; RDS takes it for its default minor version:
		// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.DBVersions.html
		q.EngineVersion = awsrds.PostgresEngineVersion_VER_17()
	}
	if q.MonitoringInterval == nil {
		q.MonitoringInterval = awscdk.Duration_Seconds(jsii.Number(DefaultMonitoringSeconds))
	}
	if q.Proxy != nil {
		q.Proxy = q.Proxy.withDefaults()
	}
	q.MaxConnections = cmp.Or(q.MaxConnections, connections(*q.InstanceType.ToString()))
	q.BackupWindow = cmp.Or(q.BackupWindow, DefaultBackupWindow)
	q.MaintenanceWindow = cmp.Or(q.MaintenanceWindow, DefaultMaintenanceWindow)
	q.Insights = cmp.Or(q.Insights, DefaultInsights)
	q.AllocatedStorageGiB = cmp.Or(q.AllocatedStorageGiB, DefaultAllocatedStorageGiB)
	q.MaxAllocatedStorageGiB = cmp.Or(q.MaxAllocatedStorageGiB, min(DefaultStorageGrowth*q.AllocatedStorageGiB, maxStorageGiB))
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

// logsKept is what becomes of the logs of the instance and of its rotation, whose names are fixed: one that
// stayed without its instance would block the next stack of this name.
func (p *PrivateRdsProps) logsKept() awscdk.RemovalPolicy {
	if p.RemovalPolicy == awscdk.RemovalPolicy_RETAIN {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}
