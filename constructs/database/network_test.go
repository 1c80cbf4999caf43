package database_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestNothingLeadsIntoTheNewVpcOrOutOfIt(t *testing.T) {
	waysOut := []string{
		"AWS::EC2::InternetGateway", "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::VPCGatewayAttachment",
		"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::EIPAssociation", "AWS::EC2::Route", "AWS::EC2::VPCPeeringConnection",
		"AWS::EC2::TransitGatewayAttachment", "AWS::EC2::VPNGateway", "AWS::EC2::ClientVpnEndpoint",
	}
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", nil)
	db.GrantMaster(function(stack, "Migrator", db))
	db.GrantConnect(function(stack, "Loader", db), "someone")

	seen := map[string]int{}
	for id, resource := range resources(cdktest.Template(stack)) {
		resourceType := resource["Type"].(string)
		seen[resourceType]++
		assert.NotContains(t, waysOut, resourceType, id)
		properties, _ := resource["Properties"].(map[string]any)
		switch resourceType {
		case "AWS::EC2::Subnet":
			assert.Equal(t, false, properties["MapPublicIpOnLaunch"], id)
		case "AWS::RDS::DBInstance":
			assert.Equal(t, false, properties["PubliclyAccessible"], id)
		case "AWS::EC2::SecurityGroup":
			assert.NotContains(t, properties, "SecurityGroupIngress", id)
			assert.NotEmpty(t, properties["SecurityGroupEgress"], "%s: without a rule EC2 lets everything out", id)
		case "AWS::EC2::SecurityGroupIngress":
			assert.Contains(t, properties, "SourceSecurityGroupId", "%s lets in something else than a group", id)
			assert.NotContains(t, properties, "CidrIp", id)
		}
		if strings.HasPrefix(resourceType, "AWS::EC2::") {
			text, err := json.Marshal(properties)
			require.NoError(t, err)
			assert.NotContains(t, string(text), "0.0.0.0/0", id)
			assert.NotContains(t, string(text), "::/0", id)
		}
	}
	// The walk is worth something only if it met what it judges.
	for _, resourceType := range []string{"AWS::EC2::Subnet", "AWS::RDS::DBInstance", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"} {
		assert.NotZero(t, seen[resourceType], resourceType)
	}
}

func TestEachZoneHasASubnetWithARouteTableOfItsOwn(t *testing.T) {
	stack := with(&database.PrivateRdsProps{AvailabilityZones: []string{"eu-west-1a", "eu-west-1c", "eu-west-1b"}})
	template := cdktest.Template(stack)
	for zone, cidr := range map[string]string{"eu-west-1a": "10.0.0.0/20", "eu-west-1c": "10.0.16.0/20", "eu-west-1b": "10.0.32.0/20"} {
		template.HasResourceProperties(jsii.String("AWS::EC2::Subnet"), map[string]any{"AvailabilityZone": zone, "CidrBlock": cidr})
	}
	assert.Equal(t, 3, count(stack, "AWS::EC2::Subnet"))
	assert.Equal(t, 3, count(stack, "AWS::EC2::RouteTable"))
	assert.Equal(t, 3, count(stack, "AWS::EC2::SubnetRouteTableAssociation"))
	assert.Len(t, one(t, stack, "AWS::RDS::DBSubnetGroup")["SubnetIds"], 3)
}

func TestNoZoneIsEverLookedUp(t *testing.T) {
	for name, zones := range map[string][]string{"zones given": {"eu-west-1a", "eu-west-1b"}, "no zones given": nil} {
		t.Run(name, func(t *testing.T) {
			app := cdktest.NewApp()
			stack := awscdk.NewStack(app, jsii.String("Test"), &awscdk.StackProps{
				Env: &awscdk.Environment{Account: jsii.String("111122223333"), Region: jsii.String("eu-west-1")},
			})
			database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{AvailabilityZones: zones})
			missing := app.Synth(nil).Manifest().Missing
			assert.True(t, missing == nil || len(*missing) == 0, "the CLI would look up: %v", missing)
		})
	}
}

func TestTheS3EndpointLeadsToCloudFormationsAnswersAlone(t *testing.T) {
	app := cdktest.NewApp()
	stack := awscdk.NewStack(app, jsii.String("Test"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("111122223333"), Region: jsii.String("eu-west-1")},
	})
	database.NewPrivateRds(stack, "Database", nil)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::EC2::VPCEndpoint"), map[string]any{
		"VpcEndpointType": "Gateway",
		"PolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Action":    "s3:PutObject",
			"Effect":    "Allow",
			"Principal": map[string]any{"AWS": "*"}, // CloudFormation signed the URL, with its own name
			"Resource": map[string]any{"Fn::Join": []any{"", []any{
				"arn:", map[string]any{"Ref": "AWS::Partition"}, ":s3:::cloudformation-custom-resource-response-euwest1/*",
			}}},
		}}},
	})
}

func TestTheSecretsEndpointLeadsToThisSecretAloneAndLetsInNoNetwork(t *testing.T) {
	stack := with(nil)
	secret := map[string]any{"Ref": "DatabaseSecret3B817195"}
	account := map[string]any{"StringEquals": map[string]any{"aws:PrincipalAccount": map[string]any{"Ref": "AWS::AccountId"}}}
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::EC2::VPCEndpoint"), map[string]any{
		"VpcEndpointType":   "Interface",
		"PrivateDnsEnabled": true,
		"PolicyDocument": map[string]any{"Statement": []any{
			assertions.Match_ObjectLike(&map[string]any{"Resource": secret, "Condition": account}),
			assertions.Match_ObjectLike(&map[string]any{"Action": "secretsmanager:GetRandomPassword", "Resource": "*", "Condition": account}),
		}},
	})
	// The rotation is let in; a function comes in by GrantMaster.
	template.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{
		"FromPort":              443,
		"GroupId":               map[string]any{"Fn::GetAtt": []any{"DatabaseSecretsEndpointSecurityGroupCC2327A0", "GroupId"}},
		"SourceSecurityGroupId": map[string]any{"Fn::GetAtt": []any{"DatabaseRotationSecurityGroup8E1B7C66", "GroupId"}},
	}, jsii.Number(1))
	template.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{"FromPort": 443}, jsii.Number(1))
}

func TestTheNewVpcHasAFlowLogUnlessSkipped(t *testing.T) {
	cdktest.Template(with(nil)).HasResourceProperties(jsii.String("AWS::EC2::FlowLog"), map[string]any{"ResourceType": "VPC", "TrafficType": "ALL"})

	skipped := with(&database.PrivateRdsProps{SkipFlowLog: true, SkipRotation: true, SkipLogExports: true, SkipMonitoring: true})
	assert.Zero(t, count(skipped, "AWS::EC2::FlowLog"))
	assert.Zero(t, count(skipped, "AWS::Logs::LogGroup"))
	assert.Zero(t, count(skipped, "AWS::IAM::Role"))
}

func TestAVpcThatWasGivenIsLeftAsItIs(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{Vpc: theirVpc(stack)})

	assert.Equal(t, 1, count(stack, "AWS::EC2::VPC"))
	assert.Zero(t, count(stack, "AWS::EC2::VPCEndpoint"))
	assert.Zero(t, count(stack, "AWS::EC2::FlowLog"))
	assert.Nil(t, db.SecretsEndpoint)
	// The rotation goes whichever way that VPC has to Secrets Manager.
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::EC2::SecurityGroup"), map[string]any{
		"GroupDescription":    "Rotation of the secret of Test/Database",
		"SecurityGroupEgress": assertions.Match_ArrayWith(&[]any{map[string]any{"CidrIp": "0.0.0.0/0", "Description": "Secrets Manager", "FromPort": 443, "IpProtocol": "tcp", "ToPort": 443}}),
	})
}
