package database

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// The new VPC's addresses: a /16 in /20 subnets, of which 16 fit. Whoever needs
// other ones, to peer with a network that has these, brings a VPC.
const (
	vpcCidr    = "10.0.0.0/16"
	subnetCidr = "10.0.%d.0/20" // of the n-th zone: 16 x n
	maxZones   = 16
)

// isolatedVpc is made of plain resources, since CDK's Vpc asks the stack for its
// zones even when they are given, and a stack with a concrete account and region
// then looks them up with credentials. So there is also nothing here that could
// make an internet gateway or a NAT.
//
// The default security group stays as AWS makes it, since only a custom resource
// in Node could empty it; nothing is ever put into it.
func (db *PrivateRds) isolatedVpc(p *PrivateRdsProps) awsec2.IVpc {
	scope := constructs.NewConstruct(db, jsii.String("Vpc"))
	resource := awsec2.NewCfnVPC(scope, jsii.String("Resource"), &awsec2.CfnVPCProps{
		CidrBlock:          jsii.String(vpcCidr),
		EnableDnsSupport:   jsii.Bool(true),
		EnableDnsHostnames: jsii.Bool(true), // the endpoint's private name needs both
	})
	tag(resource, scope)

	zones := zones(p)
	subnets, tables := make([]string, len(zones)), make([]string, len(zones))
	for i, zone := range zones {
		subnets[i], tables[i] = isolatedSubnet(scope, resource, i, zone)
	}
	vpc := awsec2.Vpc_FromVpcAttributes(scope, jsii.String("Vpc"), &awsec2.VpcAttributes{
		VpcId:                       resource.AttrVpcId(),
		VpcCidrBlock:                jsii.String(vpcCidr),
		AvailabilityZones:           jsii.Strings(zones...),
		IsolatedSubnetIds:           jsii.Strings(subnets...),
		IsolatedSubnetRouteTableIds: jsii.Strings(tables...),
	})
	if !p.SkipFlowLog {
		flowLog(scope, vpc, p)
	}
	return vpc
}

func zones(p *PrivateRdsProps) []string {
	if len(p.AvailabilityZones) > 0 {
		return p.AvailabilityZones
	}
	all := awscdk.Fn_GetAzs(nil)
	return []string{*awscdk.Fn_Select(jsii.Number(0), all), *awscdk.Fn_Select(jsii.Number(1), all)}
}

// isolatedSubnet has a route table of its own, which knows the VPC's addresses
// and, once the endpoint is there, S3's.
func isolatedSubnet(scope constructs.Construct, vpc awsec2.CfnVPC, i int, zone string) (subnetID, tableID string) {
	scope = constructs.NewConstruct(scope, jsii.Sprintf("Isolated%d", i+1))
	subnet := awsec2.NewCfnSubnet(scope, jsii.String("Subnet"), &awsec2.CfnSubnetProps{
		VpcId:               vpc.AttrVpcId(),
		AvailabilityZone:    jsii.String(zone),
		CidrBlock:           jsii.Sprintf(subnetCidr, 16*i),
		MapPublicIpOnLaunch: jsii.Bool(false),
	})
	table := awsec2.NewCfnRouteTable(scope, jsii.String("RouteTable"), &awsec2.CfnRouteTableProps{VpcId: vpc.AttrVpcId()})
	awsec2.NewCfnSubnetRouteTableAssociation(scope, jsii.String("Association"), &awsec2.CfnSubnetRouteTableAssociationProps{
		SubnetId:     subnet.AttrSubnetId(),
		RouteTableId: table.AttrRouteTableId(),
	})
	tag(subnet, scope)
	tag(table, scope)
	awscdk.Validations_Of(subnet).Acknowledge(&awscdk.Acknowledgment{
		Id:     jsii.String("CloudFormation-Validate::W3010"),
		Reason: jsii.String("Zones are values of the environment, so that nothing is looked up"),
	})
	return *subnet.AttrSubnetId(), *table.AttrRouteTableId()
}

// tag gives resource the name that the VPC console shows.
func tag(resource, named constructs.IConstruct) {
	awscdk.Tags_Of(resource).Add(jsii.String("Name"), named.Node().Path(), nil)
}

func flowLog(scope constructs.Construct, vpc awsec2.IVpc, p *PrivateRdsProps) {
	group := awslogs.NewLogGroup(scope, jsii.String("FlowLogGroup"), &awslogs.LogGroupProps{
		Retention:     p.LogRetention,
		RemovalPolicy: p.kept(),
	})
	suppress.Rules(group, "CloudWatch Logs encrypts it with a key of its own; it has addresses and ports", "CKV_AWS_158")
	log := awsec2.NewFlowLog(scope, jsii.String("FlowLog"), &awsec2.FlowLogProps{
		ResourceType: awsec2.FlowLogResourceType_FromVpc(vpc),
		Destination:  awsec2.FlowLogDestination_ToCloudWatchLogs(group, nil),
	})
	// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
	iam.TrustFor(log.Node().FindChild(jsii.String("IAMRole")).(awsiam.Role), "ec2", "vpc-flow-log", awscdk.ArnFormat_SLASH_RESOURCE_NAME)
}

// NewClosedGroup defines a security group in vpc, with description, that lets
// nothing in or out until something is granted: what a [Client] needs.
func NewClosedGroup(scope constructs.Construct, id string, vpc awsec2.IVpc, description string) awsec2.SecurityGroup {
	group := awsec2.NewSecurityGroup(scope, &id, &awsec2.SecurityGroupProps{
		Vpc:              vpc,
		Description:      &description,
		AllowAllOutbound: jsii.Bool(false),
	})
	// EC2 lets everything out of a group that is made without a rule for it. CDK's
	// own placeholder goes as soon as there is a rule to another group, and that
	// is a resource of its own, made later. So: AWS's documented placeholder.
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-securitygroup.html
	group.AddEgressRule(awsec2.Peer_Ipv4(jsii.String("127.0.0.1/32")), awsec2.Port_AllTraffic(), jsii.String("To nowhere"), nil)
	return group
}

// answerEndpoint lets custom resources in the VPC give CloudFormation their
// answer, which goes to a bucket of CloudFormation's by a URL that it signed;
// without it a deploy hangs. It leads to no other bucket.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-vpce-bucketnames.html
func (db *PrivateRds) answerEndpoint() {
	stack := awscdk.Stack_Of(db)
	region := *awscdk.Fn_Join(jsii.String(""), awscdk.Fn_Split(jsii.String("-"), stack.Region(), nil)) // "euwest1"
	endpoint := awsec2.NewGatewayVpcEndpoint(db, jsii.String("S3Endpoint"), &awsec2.GatewayVpcEndpointProps{
		Vpc:     db.vpc,
		Service: awsec2.GatewayVpcEndpointAwsService_S3(),
		Subnets: &[]*awsec2.SubnetSelection{db.subnets},
	})
	endpoint.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
		Actions:    jsii.Strings("s3:PutObject"),
		Resources:  jsii.Strings(fmt.Sprintf("arn:%s:s3:::cloudformation-custom-resource-response-%s/*", *stack.Partition(), region)),
	}))
}

// secretsEndpoint leads to this database's secret and to no other, and lets in
// those alone whom it was opened to.
func (db *PrivateRds) secretsEndpoint(secret awssecretsmanager.ISecret) awsec2.InterfaceVpcEndpoint {
	group := NewClosedGroup(db, "SecretsEndpointSecurityGroup", db.vpc, "Readers of the secret of "+*db.Node().Path())
	endpoint := awsec2.NewInterfaceVpcEndpoint(db, jsii.String("SecretsEndpoint"), &awsec2.InterfaceVpcEndpointProps{
		Vpc:            db.vpc,
		Subnets:        db.subnets,
		Service:        awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER(),
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		Open:           jsii.Bool(false), // CDK would let in the whole VPC
	})
	ours := &map[string]any{"StringEquals": map[string]any{"aws:PrincipalAccount": awscdk.Stack_Of(db).Account()}}
	for _, statement := range []*awsiam.PolicyStatementProps{
		{
			// What the migrator and the rotation call: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
			Actions: jsii.Strings("secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret",
				"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
			Resources: &[]*string{secret.SecretArn()},
		},
		{
			Actions:   jsii.Strings("secretsmanager:GetRandomPassword"), // of no secret, so it takes no resource
			Resources: jsii.Strings("*"),
		},
	} {
		statement.Principals = &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()}
		statement.Conditions = ours
		endpoint.AddToPolicy(awsiam.NewPolicyStatement(statement))
	}
	return endpoint
}
