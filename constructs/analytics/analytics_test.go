package analytics_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisanalyticsv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/analytics"
	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

const sql = "../../examples/anomalies/sql/windows.sql"

func pager(stack awscdk.Stack) awscloudwatch.IAlarmAction {
	return awscloudwatchactions.NewSnsAction(awssns.Topic_FromTopicArn(stack, jsii.String("Pager"), jsii.String("arn:aws:sns:eu-west-1:111122223333:pager")))
}

// tables are those of windows.sql: events from a stream, windows to another.
func tables(stack awscdk.Stack) []analytics.Table {
	return []analytics.Table{
		{Name: "events", Stream: stream.NewStreamingCore(stack, "Core", nil).Stream},
		{Name: "windows", Stream: stream.NewStreamingCore(stack, "Results", nil).Stream, Writes: true},
	}
}

// with is a stack with the smallest use, changed by change.
func with(change func(awscdk.Stack, *analytics.StreamAnalyticsProps)) (awscdk.Stack, *analytics.StreamAnalytics) {
	stack := cdktest.NewStack()
	props := &analytics.StreamAnalyticsProps{SQL: []string{sql}, Tables: tables(stack)}
	if change != nil {
		change(stack, props)
	}
	return stack, analytics.NewStreamAnalytics(stack, "Analytics", props)
}

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack, _ := with(nil)
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		stack, _ := with(func(stack awscdk.Stack, p *analytics.StreamAnalyticsProps) {
			p.SQL = append(p.SQL, "testdata/lake.sql")
			lake := delivery.NewLakeBucket(stack, "Lake", nil).Bucket
			p.Tables = append(p.Tables,
				analytics.Table{Name: "history", Bucket: lake, Prefix: "events/", StrictJSON: true},
				analytics.Table{Name: "hours", Bucket: lake, Prefix: "hours/", Writes: true, Options: map[string]string{"sink.rolling-policy.rollover-interval": "5 min"}})
			p.Connector = "testdata/connector.jar"
			p.Parallelism, p.ParallelismPerKPU, p.SkipAutoScaling = 8, 2, true
			p.CheckpointInterval = awscdk.Duration_Seconds(jsii.Number(30))
			p.IdleTimeout = awscdk.Duration_Minutes(jsii.Number(5))
			p.MaxLag = awscdk.Duration_Minutes(jsii.Number(10))
			p.Vpc = awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{MaxAzs: jsii.Number(2), NatGateways: jsii.Number(1)})
			p.AlarmActions = []awscloudwatch.IAlarmAction{pager(stack)}
			p.LogRetention = awslogs.RetentionDays_ONE_YEAR
			p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
		})
		cdktest.Golden(t, stack, "everything")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := cdktest.NewStack()
		analytics.NewStreamAnalytics(stack, "Analytics", &analytics.StreamAnalyticsProps{
			SQL: []string{sql},
			Tables: []analytics.Table{
				{Name: "events", Stream: awskinesis.Stream_FromStreamArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/theirs"))},
				{Name: "windows", Bucket: awss3.Bucket_FromBucketName(stack, jsii.String("Bucket"), jsii.String("theirs")), Prefix: "windows/", Writes: true},
			},
			Vpc: awsec2.Vpc_FromVpcAttributes(stack, jsii.String("Vpc"), &awsec2.VpcAttributes{
				VpcId: jsii.String("vpc-12345678"), AvailabilityZones: jsii.Strings("eu-west-1a"), PrivateSubnetIds: jsii.Strings("subnet-11111111"),
			}),
			SecurityGroups: []awsec2.ISecurityGroup{awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Group"), jsii.String("sg-12345678"), nil)},
			SkipAlarms:     true,
		})
		cdktest.Golden(t, stack, "bring-your-own")
	})
}

func TestTheApplicationCheckpointsScalesAndSnapshotsOnTheNewestRuntime(t *testing.T) {
	stack, _ := with(nil)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::KinesisAnalyticsV2::Application"), map[string]any{
		"RuntimeEnvironment": "FLINK-2_3",
		"ApplicationConfiguration": assertions.Match_ObjectLike(&map[string]any{
			"ApplicationSnapshotConfiguration": map[string]any{"SnapshotsEnabled": true},
			"FlinkApplicationConfiguration": map[string]any{
				"CheckpointConfiguration":  map[string]any{"ConfigurationType": "CUSTOM", "CheckpointingEnabled": true, "CheckpointInterval": 60_000, "MinPauseBetweenCheckpoints": 5_000},
				"MonitoringConfiguration":  map[string]any{"ConfigurationType": "CUSTOM", "LogLevel": "INFO", "MetricsLevel": "APPLICATION"},
				"ParallelismConfiguration": map[string]any{"ConfigurationType": "CUSTOM", "Parallelism": 1, "ParallelismPerKPU": 1, "AutoScalingEnabled": true},
			},
		}),
	})
}

func TestTheRoleIsForThisServiceAndAccountAndReadsWhatIsReadAndWritesWhatIsWritten(t *testing.T) {
	stack, a := with(nil)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{
		"AssumeRolePolicyDocument": assertions.Match_ObjectLike(&map[string]any{"Statement": []any{assertions.Match_ObjectLike(&map[string]any{
			"Principal": map[string]any{"Service": "kinesisanalytics.amazonaws.com"},
			"Condition": assertions.Match_ObjectLike(&map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": map[string]any{"Ref": "AWS::AccountId"}}}),
		})}}),
	})
	statement := func(resource any, actions any) {
		template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
			"Roles": []any{map[string]any{"Ref": *stack.GetLogicalId(a.Role.Node().DefaultChild().(awscdk.CfnElement))}},
			"PolicyDocument": assertions.Match_ObjectLike(&map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
				map[string]any{"Action": actions, "Effect": "Allow", "Resource": resource},
			})}),
		})
	}
	arn := func(path string) any {
		node := stack.Node().FindChild(jsii.String(path)).Node().FindChild(jsii.String("Stream")).Node().DefaultChild()
		return map[string]any{"Fn::GetAtt": []any{*stack.GetLogicalId(node.(awscdk.CfnElement)), "Arn"}}
	}
	statement(arn("Core"), []any{"kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"})
	statement(arn("Results"), "kinesis:PutRecords")
}

func TestTheLaptopHasTheFlinkOfTheService(t *testing.T) {
	text, err := os.ReadFile("../../test/flink/requirements.in")
	require.NoError(t, err)
	assert.Contains(t, string(text), "\napache-flink=="+analytics.FlinkVersion+"\n")
	minor, _, _ := strings.Cut(strings.Replace(analytics.FlinkVersion, ".", "_", 1), ".")
	assert.Equal(t, analytics.Runtime, "FLINK-"+minor)
}

func TestTheSameFilesMakeTheSameAsset(t *testing.T) {
	key := func() any {
		stack, a := with(nil)
		return stack.Resolve(a.Application.ApplicationConfiguration()).(map[string]any)["applicationCodeConfiguration"].(map[string]any)["codeContent"].(map[string]any)["s3ContentLocation"].(map[string]any)["fileKey"]
	}
	first, second := key(), key()
	assert.Equal(t, first, second)
	assert.Contains(t, first, ".zip")
}

func TestWithoutAConnectorSynthSaysThatTheApplicationCannotRunAndBuildsTheRest(t *testing.T) {
	stack, _ := with(nil)
	found := assertions.Annotations_FromStack(stack).FindWarning(jsii.String("/Test/Analytics"), assertions.Match_StringLikeRegexp(jsii.String("no connector to Kinesis.*Flink 2.3.0")))
	assert.Len(t, *found, 1)
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::KinesisAnalyticsV2::Application"), jsii.Number(1))

	stack, _ = with(func(_ awscdk.Stack, p *analytics.StreamAnalyticsProps) { p.Connector = "testdata/connector.jar" })
	assert.Empty(t, *assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_AnyValue()))
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::KinesisAnalyticsV2::Application"), map[string]any{
		"ApplicationConfiguration": assertions.Match_ObjectLike(&map[string]any{"EnvironmentProperties": map[string]any{"PropertyGroups": assertions.Match_ArrayWith(&[]any{
			map[string]any{"PropertyGroupId": "kinesis.analytics.flink.run.options", "PropertyMap": map[string]any{"python": "main.py", "jarfile": "lib/connector.jar"}},
		})}}),
	})
}

func TestAlarmsAreThoseThatAWSRecommends(t *testing.T) {
	stack, a := with(nil)
	assert.Len(t, a.Alarms(), 3)
	template := cdktest.Template(stack)
	for name, properties := range map[string]map[string]any{
		"Down":              {"MetricName": "downtime", "Threshold": 0, "Period": 60, "EvaluationPeriods": 3, "TreatMissingData": "breaching"},
		"FailedCheckpoints": {"Threshold": 0, "EvaluationPeriods": 3, "TreatMissingData": "notBreaching"},
		"Lag": {"Threshold": 300_000, "EvaluationPeriods": 15, "Metrics": []any{assertions.Match_ObjectLike(&map[string]any{"Expression": map[string]any{
			"Fn::Join": []any{"", []any{`SELECT MAX(millisBehindLatest) FROM "AWS/KinesisAnalytics" WHERE Application = '`, map[string]any{"Ref": assertions.Match_AnyValue()}, "'"}},
		}})}},
	} {
		template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), properties)
		require.NotNil(t, a.Node().FindChild(jsii.String("Alarms")).Node().TryFindChild(&name))
	}

	_, quiet := with(func(_ awscdk.Stack, p *analytics.StreamAnalyticsProps) { p.SkipAlarms = true })
	assert.Empty(t, quiet.Alarms())
}

func TestInAVpcTheApplicationReachesNothingButHTTPS(t *testing.T) {
	stack, a := with(func(stack awscdk.Stack, p *analytics.StreamAnalyticsProps) {
		p.Vpc = awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	})
	require.NotNil(t, a.SecurityGroup)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::EC2::SecurityGroup"), map[string]any{
		"SecurityGroupEgress":  []any{map[string]any{"CidrIp": "0.0.0.0/0", "Description": "To the AWS APIs", "FromPort": 443, "ToPort": 443, "IpProtocol": "tcp"}},
		"SecurityGroupIngress": assertions.Match_Absent(),
	})
}

func TestConfigureIsTheLastWord(t *testing.T) {
	stack, _ := with(func(_ awscdk.Stack, p *analytics.StreamAnalyticsProps) {
		p.Configure = func(props *awskinesisanalyticsv2.CfnApplicationProps) { props.ApplicationName = jsii.String("mine") }
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::KinesisAnalyticsV2::Application"), map[string]any{"ApplicationName": "mine"})
}

func TestValidateNamesEveryProblem(t *testing.T) {
	stack := cdktest.NewStack()
	theirs := awskinesis.NewStream(stack, jsii.String("Stream"), nil)
	bucket := awss3.NewBucket(stack, jsii.String("Bucket"), nil)
	missing := filepath.Join(t.TempDir(), "missing")
	for name, test := range map[string]struct {
		props *analytics.StreamAnalyticsProps
		want  string
	}{
		"nothing": {nil, "sql is required: name the .sql files to run\ntables are required: say where each table of the .sql files is"},
		"a table without a place and one too many": {
			&analytics.StreamAnalyticsProps{SQL: []string{sql}, Tables: []analytics.Table{{Name: "events", Stream: theirs}, {Name: "event", Stream: theirs}, {Name: "events", Stream: theirs}}},
			"table event is declared in no .sql file: those declare [\"events\" \"windows\"]\ntable events is given twice\ntable windows of the .sql files has no place: add it to the tables",
		},
		"tables that are wrong": {
			&analytics.StreamAnalyticsProps{SQL: []string{missing}, Tables: []analytics.Table{{Name: "a-b", Stream: theirs}, {Name: "both", Stream: theirs, Bucket: bucket, Prefix: "a/"}, {Name: "b", Bucket: bucket, Prefix: "a"}}},
			"table name must be 1 to 44 letters, digits and underscores, got \"a-b\"\ntable both must have a stream or a bucket: give one of the two\n" +
				"table b: prefix is the folder of a bucket, with a slash at its end, got \"a\"\nsql: open " + missing + ": no such file or directory",
		},
		"numbers that are wrong": {
			&analytics.StreamAnalyticsProps{
				SQL: []string{sql}, Tables: tables(stack), Parallelism: 257, ParallelismPerKPU: 9,
				CheckpointInterval: awscdk.Duration_Millis(jsii.Number(500)), MaxLag: awscdk.Duration_Seconds(jsii.Number(30)), VpcSubnets: &awsec2.SubnetSelection{},
				SkipAlarms: true, AlarmActions: []awscloudwatch.IAlarmAction{pager(stack)},
			},
			"parallelism must be 1 to 256, got 257\nparallelism per KPU must be 1 to 8, got 9\ncheckpoint interval must be at least 1 seconds, got 0.5\n" +
				"max lag must be at least 60 seconds, got 30\nvpc subnets or security groups are given without a vpc: give the vpc too\n" +
				"alarm actions are given and the alarms skipped: do one of the two",
		},
		"a connector that is another": {
			&analytics.StreamAnalyticsProps{SQL: []string{sql}, Tables: tables(awscdk.NewStack(stack, jsii.String("Other"), nil)), Connector: "testdata/connector.jar", ConnectorSHA256: "00"},
			"connector connector.jar must have the SHA-256 00, got ",
		},
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorContains(t, test.props.Validate(), test.want) })
	}
	assert.Contains(t, cdktest.Panics(t, func() { analytics.NewStreamAnalytics(stack, "Analytics", nil) }), "analytics: Analytics: sql is required")
}
