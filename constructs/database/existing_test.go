package database_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// aurora is a cluster that was there already, in stack.
func aurora(stack awscdk.Stack) *database.Existing {
	key := awskms.NewKey(stack, jsii.String("TheirKey"), nil)
	vpc := theirVpc(stack)
	return database.FromExisting(stack, "Database", &database.ExistingProps{
		Host:           "events.cluster-abc.eu-west-1.rds.amazonaws.com",
		DatabaseName:   "events",
		ResourceID:     "cluster-ABCDEFGHIJKL01234",
		Vpc:            vpc,
		VpcSubnets:     &awsec2.SubnetSelection{SubnetGroupName: jsii.String("Data")},
		MaxConnections: 1_000,
		Secret: awssecretsmanager.Secret_FromSecretAttributes(stack, jsii.String("TheirSecret"), &awssecretsmanager.SecretAttributes{
			SecretCompleteArn: jsii.String("arn:aws:secretsmanager:eu-west-1:111122223333:secret:events-AbCdEf"),
			EncryptionKey:     key,
		}),
		SecurityGroups: []awsec2.ISecurityGroup{
			awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("TheirGroup"), jsii.String("sg-0123456789abcdef0"), nil),
		},
	})
}

func TestAnExistingClusterIsADatabase(t *testing.T) {
	stack := cdktest.NewStack()
	db := aurora(stack)
	assert.Equal(t, "events.cluster-abc.eu-west-1.rds.amazonaws.com", *db.Host())
	assert.Equal(t, db.Host(), db.DirectHost())
	assert.Equal(t, "5432", *db.Port())
	assert.Equal(t, "5432", *db.DirectPort())
	assert.Equal(t, "events", db.Name())
	assert.Equal(t, 1_000, db.MaxConnections())
	assert.False(t, db.Proxied())
	assert.Empty(t, db.CABundle())

	client := function(stack, "Client", db)
	client.Node().AddDependency(db)
	db.GrantConnect(client, "millrace_loader")
	db.GrantMaster(client)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{
			map[string]any{"Action": "rds-db:connect", "Effect": "Allow", "Resource": map[string]any{"Fn::Join": []any{"", []any{
				"arn:",
				map[string]any{"Ref": "AWS::Partition"},
				":rds-db:",
				map[string]any{"Ref": "AWS::Region"},
				":",
				map[string]any{"Ref": "AWS::AccountId"},
				":dbuser:cluster-ABCDEFGHIJKL01234/millrace_loader",
			}}}},
			map[string]any{"Action": "secretsmanager:GetSecretValue", "Effect": "Allow", "Resource": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:events-AbCdEf"},
			assertions.Match_ObjectLike(&map[string]any{"Action": "kms:Decrypt", "Resource": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^TheirKey")), "Arn"}}}),
		}},
	})
	template.HasResourceProperties(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{
		"GroupId": "sg-0123456789abcdef0", "FromPort": 5432, "ToPort": 5432,
		"SourceSecurityGroupId": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^ClientGroup")), "GroupId"}},
	})
	cdktest.Golden(t, stack, "existing")
}

func TestAnExistingDatabaseMayHaveAnEndpointForItsSecret(t *testing.T) {
	stack := cdktest.NewStack()
	vpc := theirVpc(stack)
	group := database.NewClosedGroup(stack, "Group", vpc, "Theirs")
	endpoint := awsec2.NewInterfaceVpcEndpoint(stack, jsii.String("Endpoint"), &awsec2.InterfaceVpcEndpointProps{
		Vpc: vpc, Service: awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER(), Open: jsii.Bool(false),
	})
	db := database.FromExisting(stack, "Database", &database.ExistingProps{
		Host: "host", DatabaseName: "events", ResourceID: "db-A", Vpc: vpc, SecretsEndpoint: endpoint,
		Secret:         awssecretsmanager.NewSecret(stack, jsii.String("Secret"), nil),
		SecurityGroups: []awsec2.ISecurityGroup{group},
		Port:           6543,
	})
	db.GrantMaster(function(stack, "Client", db))
	template := cdktest.Template(stack)
	for _, port := range []int{443, 6543} {
		template.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), map[string]any{"FromPort": port}, jsii.Number(1))
	}
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{assertions.Match_ObjectLike(&map[string]any{"Action": "secretsmanager:GetSecretValue"})}},
	})
}

func TestAnExistingDatabaseNamesEveryProblemAtOnce(t *testing.T) {
	assert.EqualError(t, (*database.ExistingProps)(nil).Validate(), `host is required: pass the database's DNS name
database name is required: pass the name of the database on that server
secret is required: pass the secret with the master's username and password
vpc is required: pass the database's network
security groups are required: pass those that the database stands in
resource id must be db-… or cluster-…, as describe-db-instances says, got ""`)

	err := (&database.ExistingProps{ResourceID: "my-cluster", Port: 70_000, MaxConnections: -1, CABundle: "x"}).Validate()
	assert.ErrorContains(t, err, `got "my-cluster"`)
	assert.ErrorContains(t, err, "port must be 1 to 65535, got 70000")
	assert.ErrorContains(t, err, "max connections must be 1 to 262143, got -1")
	assert.ErrorContains(t, err, "ca bundle must be certificates in PEM")
	message := cdktest.Panics(t, func() { database.FromExisting(cdktest.NewStack(), "Database", nil) })
	assert.Contains(t, message, "database: Database: host is required")
}
