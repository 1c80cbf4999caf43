package database_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// inTwoStacks defines a database in one stack and, in another, what clients does with it.
func inTwoStacks(clients func(awscdk.Stack, *database.PrivateRds)) (ground, upper awscdk.Stack) {
	app := cdktest.NewApp()
	ground = awscdk.NewStack(app, jsii.String("Ground"), nil)
	upper = awscdk.NewStack(app, jsii.String("Upper"), nil)
	clients(upper, database.NewPrivateRds(ground, "Database", nil))
	return ground, upper
}

func TestGrantConnectIsForOneUserOfOneInstance(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{SkipRotation: true})
	db.GrantConnect(function(stack, "Client", db), "millrace_loader")

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Action": "rds-db:connect",
			"Effect": "Allow",
			"Resource": map[string]any{"Fn::Join": []any{"", []any{
				"arn:",
				map[string]any{"Ref": "AWS::Partition"},
				":rds-db:",
				map[string]any{"Ref": "AWS::Region"},
				":",
				map[string]any{"Ref": "AWS::AccountId"},
				":dbuser:",
				map[string]any{"Fn::GetAtt": []any{"DatabaseInstanceAA8A5FDE", "DbiResourceId"}},
				"/millrace_loader",
			}}},
		}}},
	})
	server := map[string]any{"Fn::GetAtt": []any{"DatabaseSecurityGroup5C91FDCB", "GroupId"}}
	client := map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^ClientGroup")), "GroupId"}}
	template.HasResourceProperties(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{
		"GroupId": server, "SourceSecurityGroupId": client, "FromPort": 5433, "ToPort": 5433, "IpProtocol": "tcp",
	})
	template.HasResourceProperties(jsii.String("AWS::EC2::SecurityGroupEgress"), map[string]any{
		"GroupId": client, "DestinationSecurityGroupId": server, "FromPort": 5433, "ToPort": 5433, "IpProtocol": "tcp",
	})
	template.ResourceCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), jsii.Number(1))
	template.ResourceCountIs(jsii.String("AWS::EC2::SecurityGroupEgress"), jsii.Number(1))
}

func TestGrantMasterIsForTheSecretAndTheWayToIt(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{SkipRotation: true})
	db.GrantMaster(function(stack, "Client", db))

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{
			map[string]any{"Action": "secretsmanager:GetSecretValue", "Effect": "Allow", "Resource": map[string]any{"Ref": "DatabaseSecretAttachmentE5D1B020"}},
			map[string]any{
				"Action": "kms:Decrypt", "Effect": "Allow",
				"Resource": map[string]any{"Fn::GetAtt": []any{"DatabaseKey5E5D9547", "Arn"}},
				"Condition": map[string]any{"StringEquals": map[string]any{"kms:ViaService": map[string]any{"Fn::Join": []any{"", []any{
					"secretsmanager.", map[string]any{"Ref": "AWS::Region"}, ".amazonaws.com",
				}}}}},
			},
		}},
	})
	for _, port := range []int{443, 5433} {
		template.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{"FromPort": port}, jsii.Number(1))
		template.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupEgress"), map[string]any{"FromPort": port}, jsii.Number(1))
	}
}

func TestAClientInAnotherStackBringsItsRulesAlong(t *testing.T) {
	alone := awscdk.NewStack(cdktest.NewApp(), jsii.String("Ground"), nil)
	database.NewPrivateRds(alone, "Database", nil)
	ground, upper := inTwoStacks(func(stack awscdk.Stack, db *database.PrivateRds) {
		db.GrantConnect(function(stack, "Loader", db), "millrace_loader")
		db.GrantMaster(function(stack, "Migrator", db))
	})

	// Synthesizing both fails on a cycle between them.
	above, below := cdktest.Template(upper), cdktest.Template(ground)
	above.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{"FromPort": 5433}, jsii.Number(2))
	above.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{"FromPort": 443}, jsii.Number(1))
	assert.Equal(t, resources(cdktest.Template(alone)), resources(below), "the database's stack knows nothing of its clients")
	assert.Contains(t, *upper.Dependencies(), ground)
	assert.Empty(t, *ground.Dependencies())
}

func TestTheNetworkAloneCanBeOpened(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{SkipRotation: true, SkipFlowLog: true})
	client := function(stack, "Client", db)
	client.Connections().AllowToDefaultPort(db, nil)

	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), jsii.Number(1))
	assert.Zero(t, count(stack, "AWS::IAM::Policy"))
}

func TestAClientLearnsWhereTheDatabaseIs(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{DatabaseName: "events"})
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{"DatabaseInstanceAA8A5FDE", "Endpoint.Address"}}, stack.Resolve(db.Host()))
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{"DatabaseInstanceAA8A5FDE", "Endpoint.Port"}}, stack.Resolve(db.Port()))
	assert.Equal(t, map[string]any{"Ref": "DatabaseSecretAttachmentE5D1B020"}, stack.Resolve(db.Secret().SecretArn()))
	assert.Equal(t, "events", db.Name())
	assert.Empty(t, db.CABundle())
}
