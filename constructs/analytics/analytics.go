// Package analytics defines what is computed on the stream while it flows: counts and sums by key over tumbling
// windows in a Lambda function, and standard SQL on Managed Service for Apache Flink.
package analytics

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisanalyticsv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/internal/flinkapp"
)

// Runtime is the Flink of the service and, as FlinkVersion, of the laptop's tests (test/flink/requirements.in).
// https://docs.aws.amazon.com/managed-flink/latest/java/flink-2-3.html
const (
	Runtime      = "FLINK-2_3"
	FlinkVersion = "2.3.0"
)

// StreamAnalytics is an application of Managed Service for Apache Flink that runs .sql files on
// streams and on the lake. CloudFormation creates an application and does not start it: the first
// time, it is `aws kinesisanalyticsv2 start-application`; from then on an update restarts it from a snapshot.
type StreamAnalytics struct {
	constructs.Construct

	Application   awskinesisanalyticsv2.CfnApplication
	Role          awsiam.Role // what the application may
	LogGroup      awslogs.LogGroup
	SecurityGroup awsec2.SecurityGroup // of the application in its VPC; nil without one, and with groups of yours

	alarms []awscloudwatch.Alarm
}

// NewStreamAnalytics defines a StreamAnalytics in scope. It panics on invalid props
// (see [StreamAnalyticsProps.Validate]).
func NewStreamAnalytics(scope constructs.Construct, id string, props *StreamAnalyticsProps) *StreamAnalytics {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("analytics: %s: %w", id, err))
	}
	p := props.withDefaults()

	a := new(StreamAnalytics)
	constructs.NewConstruct_Override(a, scope, &id)
	code := a.code(p)
	a.LogGroup = a.logGroup(p)
	a.Role = a.role(p, code)
	a.Application = a.application(p, code)
	a.log()
	a.sayConnector(p)
	a.watch(p)
	return a
}

func (a *StreamAnalytics) logGroup(p *StreamAnalyticsProps) awslogs.LogGroup {
	group := awslogs.NewLogGroup(a, jsii.String("LogGroup"), &awslogs.LogGroupProps{
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	suppress.Rules(group, "CloudWatch Logs encrypts it with a key of its own; Flink logs what it does, and no row", "CKV_AWS_158")
	return group
}

func (a *StreamAnalytics) application(p *StreamAnalyticsProps, code awss3assets.Asset) awskinesisanalyticsv2.CfnApplication {
	configuration := &awskinesisanalyticsv2.CfnApplication_ApplicationConfigurationProperty{
		ApplicationCodeConfiguration: &awskinesisanalyticsv2.CfnApplication_ApplicationCodeConfigurationProperty{
			CodeContentType: jsii.String("ZIPFILE"),
			CodeContent: &awskinesisanalyticsv2.CfnApplication_CodeContentProperty{
				S3ContentLocation: &awskinesisanalyticsv2.CfnApplication_S3ContentLocationProperty{
					BucketArn: code.Bucket().BucketArn(),
					FileKey:   code.S3ObjectKey(),
				},
			},
		},
		EnvironmentProperties: &awskinesisanalyticsv2.CfnApplication_EnvironmentPropertiesProperty{PropertyGroups: a.properties(p)},
		FlinkApplicationConfiguration: &awskinesisanalyticsv2.CfnApplication_FlinkApplicationConfigurationProperty{
			CheckpointConfiguration: &awskinesisanalyticsv2.CfnApplication_CheckpointConfigurationProperty{
				ConfigurationType:    jsii.String("CUSTOM"),
				CheckpointingEnabled: jsii.Bool(true),
				CheckpointInterval:   p.CheckpointInterval.ToMilliseconds(nil),
				// What the service has by default: https://docs.aws.amazon.com/managed-flink/latest/java/how-fault.html
				MinPauseBetweenCheckpoints: jsii.Number(5_000),
			},
			MonitoringConfiguration: &awskinesisanalyticsv2.CfnApplication_MonitoringConfigurationProperty{
				ConfigurationType: jsii.String("CUSTOM"),
				LogLevel:          jsii.String("INFO"),
				MetricsLevel:      jsii.String("APPLICATION"),
			},
			ParallelismConfiguration: &awskinesisanalyticsv2.CfnApplication_ParallelismConfigurationProperty{
				ConfigurationType:  jsii.String("CUSTOM"),
				Parallelism:        jsii.Number(p.Parallelism),
				ParallelismPerKpu:  jsii.Number(p.ParallelismPerKPU),
				AutoScalingEnabled: jsii.Bool(!p.SkipAutoScaling),
			},
		},
		ApplicationSnapshotConfiguration: &awskinesisanalyticsv2.CfnApplication_ApplicationSnapshotConfigurationProperty{
			SnapshotsEnabled: jsii.Bool(true),
		},
	}
	if p.Vpc != nil {
		configuration.VpcConfigurations = a.network(p)
	}
	props := &awskinesisanalyticsv2.CfnApplicationProps{
		RuntimeEnvironment:       jsii.String(Runtime),
		ServiceExecutionRole:     a.Role.RoleArn(),
		ApplicationDescription:   jsii.String("Runs SQL on the stream: " + *a.Node().Path()),
		ApplicationConfiguration: configuration,
	}
	if p.Configure != nil {
		p.Configure(props)
	}
	application := awskinesisanalyticsv2.NewCfnApplication(a, jsii.String("Application"), props)
	// The service looks at code and network with the role when it makes the application.
	application.Node().AddDependency(a.Role)
	return application
}

// properties are what main.py and the service read: where the program and the connector are in the archive, and where each table is.
func (a *StreamAnalytics) properties(p *StreamAnalyticsProps) *[]any {
	run := map[string]*string{"python": jsii.String(flinkapp.Program)}
	if p.Connector != "" {
		run["jarfile"] = jsii.String(flinkapp.Connector)
	}
	groups := []any{
		group("kinesis.analytics.flink.run.options", run),
		// A shard without records would hold up every window.
		group("flink", map[string]*string{"table.exec.source.idle-timeout": jsii.Sprintf("%g s", *p.IdleTimeout.ToSeconds(nil))}),
	}
	for _, table := range p.Tables {
		groups = append(groups, group("table."+table.Name, table.options(awscdk.Stack_Of(a))))
	}
	return &groups
}

func group(id string, pairs map[string]*string) *awskinesisanalyticsv2.CfnApplication_PropertyGroupProperty {
	return &awskinesisanalyticsv2.CfnApplication_PropertyGroupProperty{PropertyGroupId: &id, PropertyMap: pairs}
}

func (a *StreamAnalytics) log() {
	stream := a.LogGroup.Node().FindChild(jsii.String("Stream")).(awslogs.LogStream)
	awskinesisanalyticsv2.NewCfnApplicationCloudWatchLoggingOption(a, jsii.String("Logging"), &awskinesisanalyticsv2.CfnApplicationCloudWatchLoggingOptionProps{
		ApplicationName: a.Application.Ref(),
		CloudWatchLoggingOption: &awskinesisanalyticsv2.CfnApplicationCloudWatchLoggingOption_CloudWatchLoggingOptionProperty{
			LogStreamArn: logStreamARN(a.LogGroup, stream),
		},
	})
}

func logStreamARN(group awslogs.LogGroup, stream awslogs.LogStream) *string {
	return awscdk.Stack_Of(group).FormatArn(&awscdk.ArnComponents{
		Service:      jsii.String("logs"),
		Resource:     jsii.String("log-group"),
		ResourceName: jsii.Sprintf("%s:log-stream:%s", *group.LogGroupName(), *stream.LogStreamName()),
		ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}
