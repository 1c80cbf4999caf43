package database_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestAnAuditorFindsWhoCameAndWhoChangedWhat(t *testing.T) {
	cdktest.Template(with(nil)).HasResourceProperties(jsii.String("AWS::RDS::DBParameterGroup"), map[string]any{
		"Parameters": map[string]any{
			"log_connections":          "1",
			"log_disconnections":       "1",
			"shared_preload_libraries": "pg_stat_statements,pgaudit",
			"pgaudit.log":              "ddl,role",
			"pgaudit.log_parameter":    "0",
		},
	})
}

func TestParametersCanBeAddedButNotThoseThatKeepDataSafe(t *testing.T) {
	cdktest.Template(with(&database.PrivateRdsProps{Parameters: map[string]string{"work_mem": "16384"}})).
		HasResourceProperties(jsii.String("AWS::RDS::DBParameterGroup"), map[string]any{
			"Parameters": map[string]any{"work_mem": "16384", "rds.force_ssl": "1"},
		})
	err := (&database.PrivateRdsProps{Parameters: map[string]string{"rds.force_ssl": "0", "log_statement": "all", "max_connections": "9"}}).Validate()
	assert.EqualError(t, err, `parameter log_statement is none, and cannot be changed
parameter max_connections is given by max connections
parameter rds.force_ssl is 1, and cannot be changed`)
}

func TestEveryLogOfTheInstanceIsExportedToAGroupThatIsThereFirst(t *testing.T) {
	stack := with(nil)
	instance := one(t, stack, "AWS::RDS::DBInstance")
	assert.Equal(t, []any{"postgresql", "upgrade", "iam-db-auth-error"}, instance["EnableCloudwatchLogsExports"])

	identifier := instance["DBInstanceIdentifier"].(string)
	assert.Regexp(t, "^test-database-?[0-9a-f]*$", identifier)
	all := resources(cdktest.Template(stack))
	depends := all["DatabaseInstanceAA8A5FDE"]["DependsOn"].([]any)
	names := map[any]bool{}
	for id, resource := range all {
		if resource["Type"] != "AWS::Logs::LogGroup" || !strings.HasPrefix(id, "DatabaseLog") {
			continue
		}
		names[resource["Properties"].(map[string]any)["LogGroupName"]] = true
		assert.Contains(t, depends, id, "RDS would make the group itself")
		assert.Equal(t, "Delete", resource["DeletionPolicy"])
	}
	assert.Equal(t, map[any]bool{
		"/aws/rds/instance/" + identifier + "/postgresql":        true,
		"/aws/rds/instance/" + identifier + "/upgrade":           true,
		"/aws/rds/instance/" + identifier + "/iam-db-auth-error": true,
	}, names)

	skipped := one(t, with(&database.PrivateRdsProps{SkipLogExports: true}), "AWS::RDS::DBInstance")
	assert.NotContains(t, skipped, "EnableCloudwatchLogsExports")
}

func TestTheLogsOfARetainedInstanceStay(t *testing.T) {
	for id, resource := range resources(cdktest.Template(with(&database.PrivateRdsProps{RemovalPolicy: awscdk.RemovalPolicy_RETAIN}))) {
		if resource["Type"] == "AWS::Logs::LogGroup" && strings.HasPrefix(id, "DatabaseLog") {
			assert.Equal(t, "Retain", resource["DeletionPolicy"], id)
		}
	}
}

func TestTheIdentifierIsWhatRdsTakesHoweverLongThePathIs(t *testing.T) {
	for _, id := range []string{"D", "Database", strings.Repeat("ALongName", 12)} {
		stack := cdktest.NewStack()
		db := database.NewPrivateRds(stack, id, &database.PrivateRdsProps{SkipRotation: true})
		identifier := one(t, stack, "AWS::RDS::DBInstance")["DBInstanceIdentifier"].(string)
		assert.NoError(t, (&database.PrivateRdsProps{Identifier: identifier}).Validate(), "%s", *db.Node().Path())
	}
	given := one(t, with(&database.PrivateRdsProps{Identifier: "events-1"}), "AWS::RDS::DBInstance")
	assert.Equal(t, "events-1", given["DBInstanceIdentifier"])
	for _, bad := range []string{"Events", "1events", "events-", "a--b", strings.Repeat("a", 64)} {
		assert.ErrorContains(t, (&database.PrivateRdsProps{Identifier: bad}).Validate(), "identifier must be lower-case letters", bad)
	}
}

func TestStorageGrowsByItselfUnlessItsMaximumIsItsSize(t *testing.T) {
	assert.EqualValues(t, 100, one(t, with(nil), "AWS::RDS::DBInstance")["MaxAllocatedStorage"])
	given := one(t, with(&database.PrivateRdsProps{AllocatedStorageGiB: 40, MaxAllocatedStorageGiB: 50}), "AWS::RDS::DBInstance")
	assert.EqualValues(t, 50, given["MaxAllocatedStorage"])
	fixed := one(t, with(&database.PrivateRdsProps{AllocatedStorageGiB: 40, MaxAllocatedStorageGiB: 40}), "AWS::RDS::DBInstance")
	assert.NotContains(t, fixed, "MaxAllocatedStorage")
	assert.ErrorContains(t, (&database.PrivateRdsProps{AllocatedStorageGiB: 40, MaxAllocatedStorageGiB: 30}).Validate(),
		"max allocated storage must be 40 to 65536 GiB, got 30")
}

func TestTheInstanceIsObserved(t *testing.T) {
	standard := one(t, with(nil), "AWS::RDS::DBInstance")
	assert.Equal(t, "standard", standard["DatabaseInsightsMode"])
	assert.Equal(t, true, standard["EnablePerformanceInsights"])
	assert.EqualValues(t, 7, standard["PerformanceInsightsRetentionPeriod"])
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{"DatabaseKey5E5D9547", "Arn"}}, standard["PerformanceInsightsKMSKeyId"])
	assert.EqualValues(t, 60, standard["MonitoringInterval"])
	assert.Contains(t, standard, "MonitoringRoleArn")

	advanced := one(t, with(&database.PrivateRdsProps{Insights: awsrds.DatabaseInsightsMode_ADVANCED, MonitoringInterval: awscdk.Duration_Seconds(jsii.Number(1))}), "AWS::RDS::DBInstance")
	assert.Equal(t, "advanced", advanced["DatabaseInsightsMode"])
	assert.EqualValues(t, 465, advanced["PerformanceInsightsRetentionPeriod"], "advanced takes 15 months")
	assert.EqualValues(t, 1, advanced["MonitoringInterval"])

	none := one(t, with(&database.PrivateRdsProps{SkipInsights: true, SkipMonitoring: true}), "AWS::RDS::DBInstance")
	for _, property := range []string{"DatabaseInsightsMode", "EnablePerformanceInsights", "MonitoringInterval", "MonitoringRoleArn"} {
		assert.NotContains(t, none, property)
	}
}

func TestTheWindowsAreSaidAndMustNotMeet(t *testing.T) {
	instance := one(t, with(nil), "AWS::RDS::DBInstance")
	assert.Equal(t, "01:00-02:00", instance["PreferredBackupWindow"])
	assert.Equal(t, "sun:03:00-sun:04:00", instance["PreferredMaintenanceWindow"])

	for _, windows := range [][2]string{
		{"02:00-03:00", ""}, {"04:00-05:00", ""}, {"23:30-00:30", "sun:00:30-sun:01:00"}, {"12:00-12:30", "sun:23:30-mon:00:30"},
	} {
		assert.NoError(t, (&database.PrivateRdsProps{BackupWindow: windows[0], MaintenanceWindow: windows[1]}).Validate(), windows)
	}
	for _, c := range []struct{ backup, maintenance, want string }{
		{"03:30-04:30", "", "backup window and maintenance window must not overlap, got 03:30-04:30 and sun:03:00-sun:04:00"},
		{"", "wed:01:59-wed:03:00", "must not overlap"},
		{"23:30-00:30", "mon:00:00-mon:00:30", "must not overlap"}, // Sunday's backup reaches into Monday
		{"00:00-01:00", "sun:23:30-mon:00:30", "must not overlap"},
		{"1:00-2:00", "", `backup window must be hh:mm-hh:mm in UTC, got "1:00-2:00"`},
		{"25:00-26:00", "", "backup window must be hh:mm-hh:mm"},
		{"01:00-01:29", "", `backup window must last 30 minutes to 24 hours, got "01:00-01:29"`},
		{"01:00-01:00", "", "backup window must last"},
		{"", "sunday:03:00-sunday:04:00", "maintenance window must be ddd:hh:mm-ddd:hh:mm in UTC"},
		{"", "sun:03:00-tue:04:00", "maintenance window must last 30 minutes to 24 hours"},
	} {
		assert.ErrorContains(t, (&database.PrivateRdsProps{BackupWindow: c.backup, MaintenanceWindow: c.maintenance}).Validate(), c.want)
	}
}

func TestTheVersionIsAValue(t *testing.T) {
	stack := with(&database.PrivateRdsProps{EngineVersion: awsrds.PostgresEngineVersion_VER_18()})
	assert.Equal(t, "18", one(t, stack, "AWS::RDS::DBInstance")["EngineVersion"])
	assert.Equal(t, "postgres18", one(t, stack, "AWS::RDS::DBParameterGroup")["Family"])
}

func TestConnectionsFollowTheMemoryOfTheClass(t *testing.T) {
	for class, want := range map[string]int{
		"t4g.micro": 100, "t4g.small": 200, "t4g.2xlarge": 3_200, "m7g.large": 800, "r8g.xlarge": 3_200, "m7g.16xlarge": 5_000, "x2g.large": 3_200,
	} {
		stack := cdktest.NewStack()
		db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{InstanceType: awsec2.NewInstanceType(jsii.String(class)), SkipRotation: true})
		assert.Equal(t, want, db.MaxConnections(), class)
		parameters := one(t, stack, "AWS::RDS::DBParameterGroup")["Parameters"].(map[string]any)
		assert.Equal(t, *jsii.Sprintf("%d", want), parameters["max_connections"], class)
	}
	given := database.NewPrivateRds(cdktest.NewStack(), "Database", &database.PrivateRdsProps{MaxConnections: 50})
	assert.Equal(t, 50, given.MaxConnections())

	unknown := cdktest.NewStack()
	db := database.NewPrivateRds(unknown, "Database", &database.PrivateRdsProps{InstanceType: awsec2.NewInstanceType(jsii.String("z9.huge"))})
	assert.Zero(t, db.MaxConnections())
	assert.NotContains(t, one(t, unknown, "AWS::RDS::DBParameterGroup")["Parameters"], "max_connections")
	assert.Len(t, db.Alarms(), 3, "neither memory nor connections have a limit that is known")
}

func TestTheAlarmsKnowTheInstanceAndTellTheActions(t *testing.T) {
	stack := cdktest.NewStack()
	topic := awssns.NewTopic(stack, jsii.String("Topic"), nil)
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{
		AlarmActions: []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(topic)},
	})
	assert.Len(t, db.Alarms(), 5)
	template := cdktest.Template(stack)
	for metric, threshold := range map[string]float64{
		"CPUUtilization":      90,
		"FreeableMemory":      2 * (1 << 30) / 20, // a twentieth of 2 GiB
		"FreeStorageSpace":    20 * (1 << 30) / 100 * 8,
		"DatabaseConnections": 160, // of 200
	} {
		template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
			"MetricName": metric,
			"Namespace":  "AWS/RDS",
			"Threshold":  float64(int(threshold)),
			"Dimensions": []any{map[string]any{"Name": "DBInstanceIdentifier", "Value": map[string]any{"Ref": "DatabaseInstanceAA8A5FDE"}}},
		})
	}
	template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"AlarmName": "Test-Database-StorageDays", "Threshold": 7, "ComparisonOperator": "LessThanThreshold", "TreatMissingData": "notBreaching",
		"Metrics": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{"Expression": "IF(RATE(free) < 0, free / (RATE(free) * -86400), 1000)"})}),
	})
	topicRef := []any{map[string]any{"Ref": stack.Resolve(topic.TopicArn()).(map[string]any)["Ref"]}}
	template.AllResourcesProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"AlarmActions": topicRef, "OKActions": topicRef})

	assert.Zero(t, count(with(&database.PrivateRdsProps{SkipAlarms: true}), "AWS::CloudWatch::Alarm"))
}

func TestAProxyIsWatchedByItsWaitAndItsLogins(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{Proxy: &database.ProxyProps{}})
	assert.Len(t, db.Alarms(), 7)
	for metric, threshold := range map[string]int{"DatabaseConnectionsBorrowLatency": 1_000_000, "ClientConnectionsSetupFailedAuth": 0} { // microseconds
		cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
			"MetricName": metric, "Namespace": "AWS/RDS", "Threshold": threshold, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
			"Dimensions": []any{map[string]any{"Name": "ProxyName", "Value": map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^DatabaseProxy"))}}},
		})
	}
}

func TestValidateRefusesToObserveAndNotToObserve(t *testing.T) {
	topic := awssns.NewTopic(cdktest.NewStack(), jsii.String("Topic"), nil)
	err := (&database.PrivateRdsProps{
		Insights: "better", SkipInsights: true,
		SkipMonitoring: true, MonitoringInterval: awscdk.Duration_Seconds(jsii.Number(7)),
		SkipAlarms: true, AlarmActions: []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(topic)},
		MaxConnections: 5,
	}).Validate()
	assert.EqualError(t, err, `max connections must be 20 to 262143, got 5
insights must be STANDARD or ADVANCED, got better
insights is given and skipped: give one
monitoring interval is given and monitoring is skipped: give one
monitoring interval must be one of [1 5 10 15 30 60] seconds, got 7
alarm actions are given and alarms are skipped: give one`)
}
