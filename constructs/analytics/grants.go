package analytics

import (
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisanalyticsv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// interfaceActions are what the service needs, in the application's role, to connect an application to a VPC.
// https://docs.aws.amazon.com/managed-flink/latest/java/vpc-permissions.html
var interfaceActions = [...]string{
	"ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeDhcpOptions",
	"ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface",
}

// role may read the archive, write the log, and do with each table what the SQL does.
// https://docs.aws.amazon.com/managed-flink/latest/java/cloudwatch-logs.html
func (a *StreamAnalytics) role(p *StreamAnalyticsProps, code awss3assets.Asset) awsiam.Role {
	role := awsiam.NewRole(a, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("kinesisanalytics.amazonaws.com"), nil),
	})
	iam.TrustFor(role, "kinesisanalytics", "application", awscdk.ArnFormat_SLASH_RESOURCE_NAME)
	iam.Allow(role, *code.Bucket().ArnForObjects(code.S3ObjectKey()), "s3:GetObject", "s3:GetObjectVersion")

	log := awslogs.NewLogStream(a.LogGroup, jsii.String("Stream"), &awslogs.LogStreamProps{LogGroup: a.LogGroup, RemovalPolicy: p.RemovalPolicy})
	iam.Allow(role, *logStreamARN(a.LogGroup, log), "logs:PutLogEvents")
	iam.Allow(role, *a.LogGroup.LogGroupArn(), "logs:DescribeLogStreams")
	iam.Allow(role, *awscdk.Stack_Of(a).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("logs"), Resource: jsii.String("log-group"), ResourceName: jsii.String("*"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	}), "logs:DescribeLogGroups")
	suppress.Rules(suppress.Policy(role), "The service looks its log group up in the list of them, which has no narrower resource",
		`AwsSolutions-IAM5[/^Resource::arn:.+:log-group:\*$/]`)
	for _, table := range p.Tables {
		table.grant(role)
	}
	if p.Vpc != nil {
		iam.Allow(role, "*", interfaceActions[:]...)
		suppress.Rules(suppress.Policy(role), "The service makes the network interfaces with the application's role, and documents it for every resource",
			"AwsSolutions-IAM5[Resource::*]", "CKV_AWS_111", "Privilege-Resource[ec2:CreateNetworkInterface]",
			"Privilege-Resource[ec2:CreateNetworkInterfacePermission]", "Privilege-Resource[ec2:DeleteNetworkInterface]")
	}
	return role
}

// grant allows what Flink's connectors call, and no more: to Kinesis, of version 6.0.0, which names a stream by its ARN.
// https://github.com/apache/flink-connector-aws/blob/v6.0.0/flink-connector-aws/flink-connector-aws-kinesis-streams
func (t Table) grant(role awsiam.Role) {
	switch {
	case t.Stream != nil && t.Writes:
		t.Stream.Grant(role, jsii.String("kinesis:PutRecords"))
	case t.Stream != nil:
		t.Stream.Grant(role, *jsii.Strings("kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")...)
	case t.Writes:
		iam.Allow(role, *t.Bucket.ArnForObjects(jsii.String(t.Prefix + "*")), "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:GetObject", "s3:DeleteObject")
	default:
		iam.Allow(role, *t.Bucket.ArnForObjects(jsii.String(t.Prefix + "*")), "s3:GetObject")
	}
	if t.Bucket != nil {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:    jsii.Strings("s3:ListBucket"),
			Resources:  &[]*string{t.Bucket.BucketArn()},
			Conditions: &map[string]any{"StringLike": map[string]any{"s3:prefix": t.Prefix + "*"}},
		}))
		suppress.Rules(suppress.Policy(role), "Flink names the objects of a table; the folder is all that is known before",
			`AwsSolutions-IAM5[/^Resource::.+\/`+strings.ReplaceAll(regexp.QuoteMeta(t.Prefix), "/", `\/`)+`\*$/]`)
	}
	key := t.encryptionKey()
	if key == nil {
		return
	}
	if t.Bucket != nil || !t.Writes { // a part of an object is written with it too
		key.Grant(role, jsii.String("kms:Decrypt"))
	}
	if t.Writes {
		key.Grant(role, jsii.String("kms:GenerateDataKey"))
	}
}

func (a *StreamAnalytics) network(p *StreamAnalyticsProps) *[]any {
	groups := make([]*string, 0, len(p.SecurityGroups))
	for _, group := range p.SecurityGroups {
		groups = append(groups, group.SecurityGroupId())
	}
	if len(groups) == 0 {
		a.SecurityGroup = awsec2.NewSecurityGroup(a, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
			Vpc: p.Vpc, Description: jsii.String("The Flink application " + *a.Node().Path()), AllowAllOutbound: jsii.Bool(false),
		})
		a.SecurityGroup.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)), jsii.String("To the AWS APIs"), nil)
		groups = append(groups, a.SecurityGroup.SecurityGroupId())
	}
	return &[]any{&awskinesisanalyticsv2.CfnApplication_VpcConfigurationProperty{
		SecurityGroupIds: &groups,
		SubnetIds:        p.Vpc.SelectSubnets(p.VpcSubnets).SubnetIds,
	}}
}
