package database_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// with returns a stack with nothing in it but a database of these props.
func with(props *database.PrivateRdsProps) awscdk.Stack {
	stack := cdktest.NewStack()
	database.NewPrivateRds(stack, "Database", props)
	return stack
}

func theirVpc(scope constructs.Construct) awsec2.IVpc {
	return awsec2.NewVpc(scope, jsii.String("TheirVpc"), &awsec2.VpcProps{
		RestrictDefaultSecurityGroup: jsii.Bool(false),
		NatGateways:                  jsii.Number(0),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String("Isolated"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
			{Name: jsii.String("Data"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		},
	})
}

// one returns the properties of the only resource of a type.
func one(t *testing.T, stack awscdk.Stack, resourceType string) map[string]any {
	t.Helper()
	found := *cdktest.Template(stack).FindResources(&resourceType, nil)
	require.Len(t, found, 1, "resources of type %s", resourceType)
	for _, resource := range found {
		properties, _ := (*resource)["Properties"].(map[string]any)
		return properties
	}
	return nil
}

func count(stack awscdk.Stack, resourceType string) int {
	return len(*cdktest.Template(stack).FindResources(&resourceType, nil))
}

func TestTheInstanceIsPostgresOnArmWithItsStorageEncrypted(t *testing.T) {
	cdktest.Template(with(nil)).HasResourceProperties(jsii.String("AWS::RDS::DBInstance"), map[string]any{
		"Engine":                  "postgres",
		"EngineVersion":           "17", // no minor version: AWS upgrades those
		"AutoMinorVersionUpgrade": true,
		"DBInstanceClass":         "db.t4g.small",
		"StorageType":             "gp3",
		"AllocatedStorage":        "20",
		"StorageEncrypted":        true,
		"KmsKeyId":                map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^DatabaseKey")), "Arn"}},
		"DBName":                  "millrace",
		"MultiAZ":                 false,
	})
}

func TestTheInstanceIsNotPublicAndTakesTlsAndIamTokens(t *testing.T) {
	template := cdktest.Template(with(nil))
	template.HasResourceProperties(jsii.String("AWS::RDS::DBInstance"), map[string]any{
		"PubliclyAccessible":              false,
		"EnableIAMDatabaseAuthentication": true,
		"Port":                            "5433",
		"CACertificateIdentifier":         "rds-ca-rsa2048-g1",
	})
	template.HasResourceProperties(jsii.String("AWS::RDS::DBParameterGroup"), map[string]any{
		"Family":     "postgres17",
		"Parameters": map[string]any{"rds.force_ssl": "1"},
	})
}

func TestTheServersLogHoldsNoStatements(t *testing.T) {
	cdktest.Template(with(nil)).HasResourceProperties(jsii.String("AWS::RDS::DBParameterGroup"), map[string]any{
		"Parameters": map[string]any{
			"log_connections":            "1",
			"log_disconnections":         "1",
			"log_statement":              "none",
			"log_min_duration_statement": "-1",
			"log_min_error_statement":    "panic",
			"log_error_verbosity":        "terse",

			"log_parameter_max_length":          "0",
			"log_parameter_max_length_on_error": "0",
			"pg_stat_statements.track_utility":  "0",
		},
	})
}

func TestTheDefaultsKeepTheDataWhenTheInstanceGoes(t *testing.T) {
	template := cdktest.Template(with(nil))
	template.HasResource(jsii.String("AWS::RDS::DBInstance"), map[string]any{
		"DeletionPolicy":      "Snapshot",
		"UpdateReplacePolicy": "Snapshot",
		"Properties": map[string]any{
			"DeletionProtection":     true,
			"BackupRetentionPeriod":  7,
			"DeleteAutomatedBackups": false,
			"CopyTagsToSnapshot":     true,
		},
	})
	// A snapshot is worth nothing without these.
	for _, resourceType := range []string{"AWS::KMS::Key", "AWS::SecretsManager::Secret"} {
		template.HasResource(&resourceType, map[string]any{"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"})
	}
}

func TestDestroyLeavesNothingBehind(t *testing.T) {
	template := cdktest.Template(with(&database.PrivateRdsProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY}))
	template.HasResourceProperties(jsii.String("AWS::RDS::DBInstance"), map[string]any{"DeletionProtection": false, "DeleteAutomatedBackups": true})
	for id, resource := range resources(template) {
		assert.NotEqual(t, "Retain", resource["DeletionPolicy"], id)
	}
}

func TestARetainedInstanceKeepsTheGroundItStandsOn(t *testing.T) {
	template := cdktest.Template(with(&database.PrivateRdsProps{RemovalPolicy: awscdk.RemovalPolicy_RETAIN}))
	for _, resourceType := range []string{
		"AWS::RDS::DBInstance", "AWS::RDS::DBSubnetGroup", "AWS::RDS::DBParameterGroup", "AWS::KMS::Key",
		"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup", "AWS::SecretsManager::Secret",
	} {
		template.AllResources(&resourceType, map[string]any{"DeletionPolicy": "Retain"})
	}
	template.AllResources(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{"DeletionPolicy": assertions.Match_Absent()})
}

func TestDeletionProtectionCanBeSkipped(t *testing.T) {
	instance := one(t, with(&database.PrivateRdsProps{SkipDeletionProtection: true}), "AWS::RDS::DBInstance")
	assert.Equal(t, false, instance["DeletionProtection"])
}

func TestEveryLogGroupHasARetention(t *testing.T) {
	cdktest.Template(with(&database.PrivateRdsProps{LogRetention: awslogs.RetentionDays_ONE_YEAR})).
		AllResourcesProperties(jsii.String("AWS::Logs::LogGroup"), map[string]any{"RetentionInDays": 365})
}

func TestConfigureHasTheLastWord(t *testing.T) {
	instance := one(t, with(&database.PrivateRdsProps{Configure: func(p *awsrds.DatabaseInstanceProps) {
		p.MaxAllocatedStorage = jsii.Number(77)
	}}), "AWS::RDS::DBInstance")
	assert.EqualValues(t, 77, instance["MaxAllocatedStorage"])
}

func TestPropsAreNotChanged(t *testing.T) {
	props := &database.PrivateRdsProps{}
	with(props)
	assert.Equal(t, &database.PrivateRdsProps{}, props)
}

func TestTwoDatabasesStandInOneStack(t *testing.T) {
	stack := cdktest.NewStack()
	database.NewPrivateRds(stack, "One", nil)
	database.NewPrivateRds(stack, "Two", nil)
	assert.Equal(t, 2, count(stack, "AWS::RDS::DBInstance"))
	assert.Equal(t, 2, count(stack, "AWS::EC2::VPC"))
}

func TestADatabaseIsAScopeAndADependency(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", nil)
	key := awskms.NewKey(db, jsii.String("Extra"), nil)
	key.Node().AddDependency(db.Instance)
	awslogs.NewLogGroup(stack, jsii.String("After"), nil).Node().AddDependency(db)

	assert.Equal(t, "Test/Database/Extra", *key.Node().Path())
	assert.Equal(t, stack.StackName(), awscdk.Stack_Of(db).StackName())
	cdktest.Template(stack).HasResource(jsii.String("AWS::Logs::LogGroup"), map[string]any{
		"DependsOn": assertions.Match_ArrayWith(&[]any{"DatabaseInstanceAA8A5FDE"}),
	})
}

func TestGoldenTemplates(t *testing.T) {
	cdktest.Golden(t, with(nil), "minimal")

	cdktest.Golden(t, with(&database.PrivateRdsProps{
		AvailabilityZones:   []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"},
		InstanceType:        awsec2.InstanceType_Of(awsec2.InstanceClass_R7G, awsec2.InstanceSize_LARGE),
		MultiAz:             true,
		AllocatedStorageGiB: 200,
		BackupRetention:     awscdk.Duration_Days(jsii.Number(35)),
		Port:                6543,
		DatabaseName:        "events",
		RotationInterval:    awscdk.Duration_Days(jsii.Number(7)),
		RemovalPolicy:       awscdk.RemovalPolicy_RETAIN,
		LogRetention:        awslogs.RetentionDays_ONE_YEAR,

		Identifier:             "events",
		EngineVersion:          awsrds.PostgresEngineVersion_VER_18(),
		MaxAllocatedStorageGiB: 1_000,
		MaxConnections:         500,
		Parameters:             map[string]string{"work_mem": "16384"},
		BackupWindow:           "22:00-23:00",
		MaintenanceWindow:      "tue:23:30-wed:00:30",
		Proxy:                  &database.ProxyProps{},
		Insights:               awsrds.DatabaseInsightsMode_ADVANCED,
		MonitoringInterval:     awscdk.Duration_Seconds(jsii.Number(5)),
	}), "everything")

	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{
		Vpc:        theirVpc(stack),
		VpcSubnets: &awsec2.SubnetSelection{SubnetGroupName: jsii.String("Data")},
		Key:        awskms.NewKey(stack, jsii.String("TheirKey"), nil),
	})
	db.GrantMaster(function(stack, "Client", db))
	cdktest.Golden(t, stack, "bring-your-own")
}

// function is one in the database's network, with a closed group.
func function(scope constructs.Construct, id string, db database.Database) awslambda.Function {
	return awslambda.NewFunction(scope, &id, &awslambda.FunctionProps{
		Code:           awslambda.Code_FromInline(jsii.String("exports.handler = async () => {}")),
		Handler:        jsii.String("index.handler"),
		Runtime:        awslambda.Runtime_NODEJS_22_X(),
		Vpc:            db.Vpc(),
		VpcSubnets:     db.Subnets(),
		SecurityGroups: &[]awsec2.ISecurityGroup{database.NewClosedGroup(scope, id+"Group", db.Vpc(), "A client")},
	})
}

// resources returns every resource of the template by its logical ID.
func resources(template assertions.Template) map[string]map[string]any {
	all := (*template.ToJSON())["Resources"].(map[string]any)
	byID := make(map[string]map[string]any, len(all))
	for id, resource := range all {
		byID[id] = resource.(map[string]any)
	}
	return byID
}
