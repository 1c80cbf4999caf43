package database

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

func (db *PrivateRds) instance(p *PrivateRdsProps, secret awssecretsmanager.ISecret) awsrds.DatabaseInstance {
	engine := awsrds.DatabaseInstanceEngine_Postgres(&awsrds.PostgresInstanceEngineProps{Version: p.EngineVersion})
	destroyed := p.RemovalPolicy == awscdk.RemovalPolicy_DESTROY
	props := &awsrds.DatabaseInstanceProps{
		Engine:             engine,
		InstanceType:       p.InstanceType,
		InstanceIdentifier: jsii.String(p.Identifier),
		MultiAz:            jsii.Bool(p.MultiAz),
		DatabaseName:       jsii.String(p.DatabaseName),
		Port:               jsii.Number(p.Port),
		Credentials:        awsrds.Credentials_FromSecret(secret, jsii.String(masterUser)),
		ParameterGroup:     awsrds.NewParameterGroup(db, jsii.String("Parameters"), &awsrds.ParameterGroupProps{Engine: engine, Parameters: p.parameters()}),

		Vpc:                db.vpc,
		VpcSubnets:         db.subnets,
		SecurityGroups:     db.server.SecurityGroups(),
		PubliclyAccessible: jsii.Bool(false),
		IamAuthentication:  jsii.Bool(true),
		CaCertificate:      awsrds.CaCertificate_RDS_CA_RSA2048_G1(),

		StorageType:          awsrds.StorageType_GP3,
		AllocatedStorage:     jsii.Number(p.AllocatedStorageGiB),
		StorageEncrypted:     jsii.Bool(true),
		StorageEncryptionKey: db.Key,

		BackupRetention:         p.BackupRetention,
		DeleteAutomatedBackups:  jsii.Bool(destroyed),
		CopyTagsToSnapshot:      jsii.Bool(true),
		DeletionProtection:      jsii.Bool(!destroyed && !p.SkipDeletionProtection),
		RemovalPolicy:           p.RemovalPolicy,
		AutoMinorVersionUpgrade: jsii.Bool(true),

		PreferredBackupWindow:      jsii.String(p.BackupWindow),
		PreferredMaintenanceWindow: jsii.String(p.MaintenanceWindow),
	}
	// RDS takes a highest size that is the size itself for an error.
	if p.MaxAllocatedStorageGiB > p.AllocatedStorageGiB {
		props.MaxAllocatedStorage = jsii.Number(p.MaxAllocatedStorageGiB)
	}
	db.observe(p, props)
	if p.Configure != nil {
		p.Configure(props)
	}
	groups := db.logGroups(p, props)
	instance := awsrds.NewDatabaseInstance(db, jsii.String("Instance"), props)
	for _, group := range groups {
		instance.Node().AddDependency(group)
	}
	// CDK's role, where the props bring none.
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html#USER_Monitoring.OS.confused-deputy
	if role, ok := instance.Node().TryFindChild(jsii.String("MonitoringRole")).(awsiam.Role); ok {
		iam.TrustFor(role, "rds", "db", awscdk.ArnFormat_COLON_RESOURCE_NAME)
		suppress.Rules(role, "It is the policy that RDS documents for enhanced monitoring, which opens log groups that begin with RDS",
			"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole]")
	}
	if props.MultiAz == nil || !*props.MultiAz {
		suppress.Rules(instance, "MultiAz is a prop, since the standby is a second instance to pay", "AwsSolutions-RDS3", "CKV_AWS_157")
	}
	if props.DeletionProtection == nil || !*props.DeletionProtection {
		suppress.Rules(instance, "The props say that it may be deleted", "AwsSolutions-RDS10")
	}
	return instance
}

// observe turns on what looks into the server while it runs.
func (db *PrivateRds) observe(p *PrivateRdsProps, props *awsrds.DatabaseInstanceProps) {
	if !p.SkipInsights {
		props.EnablePerformanceInsights = jsii.Bool(true)
		props.PerformanceInsightEncryptionKey = db.Key // it shows statements
		props.DatabaseInsightsMode = p.Insights
		// Advanced takes 15 months and no less; a week of standard costs nothing.
		// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DatabaseInsights.TurningOnAdvanced.html
		props.PerformanceInsightRetention = awsrds.PerformanceInsightRetention_DEFAULT
		if p.Insights == awsrds.DatabaseInsightsMode_ADVANCED {
			props.PerformanceInsightRetention = awsrds.PerformanceInsightRetention_MONTHS_15
		}
	}
	if !p.SkipMonitoring {
		props.MonitoringInterval = p.MonitoringInterval
	}
	if !p.SkipLogExports {
		props.CloudwatchLogsExports = jsii.Strings(logTypes()...)
	}
}

// logsWithoutKey is why a log group of the database has no key of its own.
const logsWithoutKey = "CloudWatch Logs encrypts it with a key of its own; it has no values of rows, since no statement's parameters are logged"

// logTypes are all that RDS for PostgreSQL exports.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
func logTypes() []string { return []string{"postgresql", "upgrade", "iam-db-auth-error"} }

// logGroups are where RDS will write the instance's logs. It would make them
// itself, for ever and without a way to say less; so they are here first, by the
// name that it takes, which is why the instance has a name of its own.
func (db *PrivateRds) logGroups(p *PrivateRdsProps, props *awsrds.DatabaseInstanceProps) []awslogs.LogGroup {
	if props.CloudwatchLogsExports == nil {
		return nil
	}
	var groups []awslogs.LogGroup
	for _, logType := range *props.CloudwatchLogsExports {
		groups = append(groups, awslogs.NewLogGroup(db, jsii.String("Log-"+*logType), &awslogs.LogGroupProps{
			LogGroupName:  jsii.Sprintf("/aws/rds/instance/%s/%s", *props.InstanceIdentifier, *logType),
			Retention:     p.LogRetention,
			RemovalPolicy: p.logsKept(),
		}))
	}
	for _, group := range groups {
		suppress.Rules(group, logsWithoutKey, "CKV_AWS_158")
	}
	return groups
}

// identifier is the instance's name where none is given: what its path says, and
// a hash of it. RDS takes 63 lower-case letters, digits and single hyphens.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.Constraints
func (db *PrivateRds) identifier() string {
	const longest = 63
	return strings.ToLower(*awscdk.Names_UniqueResourceName(db, &awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(longest), Separator: jsii.String("-")}))
}
