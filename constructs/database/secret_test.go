package database_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestThePasswordIsGeneratedAndStandsNowhereInTheTemplate(t *testing.T) {
	stack := with(nil)
	instance := one(t, stack, "AWS::RDS::DBInstance")
	assert.Equal(t, map[string]any{"Fn::Join": []any{"", []any{
		"{{resolve:secretsmanager:", map[string]any{"Ref": "DatabaseSecret3B817195"}, ":SecretString:password::}}",
	}}}, instance["MasterUserPassword"])

	secret := one(t, stack, "AWS::SecretsManager::Secret")
	assert.NotContains(t, secret, "SecretString")
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{"DatabaseKey5E5D9547", "Arn"}}, secret["KmsKeyId"])
	excluded := secret["GenerateSecretString"].(map[string]any)["ExcludeCharacters"].(string)
	for character := ' '; character <= '~'; character++ {
		inUrlsAsItIs := strings.ContainsRune("-._~", character) || character >= '0' && character <= '9' ||
			character >= 'A' && character <= 'Z' || character >= 'a' && character <= 'z'
		assert.True(t, inUrlsAsItIs || strings.ContainsRune(excluded, character), "%q may occur in a password", character)
	}
}

func TestThePasswordRotatesEvery30DaysAndNotDuringTheDeploy(t *testing.T) {
	stack := with(nil)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::SecretsManager::RotationSchedule"), map[string]any{
		"RotationRules":             map[string]any{"ScheduleExpression": "rate(30 days)"},
		"RotateImmediatelyOnUpdate": false,
	})
	application := one(t, stack, "AWS::Serverless::Application")
	secret := one(t, stack, "AWS::SecretsManager::Secret")
	assert.Equal(t, secret["GenerateSecretString"].(map[string]any)["ExcludeCharacters"],
		application["Parameters"].(map[string]any)["excludeCharacters"], "rotated passwords are made as the first one")
}

func TestTheRotationsLogGroupIsTheOneThatItsFunctionWritesTo(t *testing.T) {
	long := strings.Repeat("ALongName", 9) // CDK cuts the function's name
	for _, id := range []string{"Database", long} {
		stack := cdktest.NewStack()
		database.NewPrivateRds(stack, id, nil)
		name := one(t, stack, "AWS::Serverless::Application")["Parameters"].(map[string]any)["functionName"].(string)
		cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Logs::LogGroup"), map[string]any{
			"LogGroupName":    "/aws/lambda/" + name,
			"RetentionInDays": 30,
		})
	}
}

func TestTheRotationsLogIsKeptWhereTheInstanceIs(t *testing.T) {
	for policy, kept := range map[awscdk.RemovalPolicy]string{awscdk.RemovalPolicy_RETAIN: "Retain", awscdk.RemovalPolicy_SNAPSHOT: "Delete", awscdk.RemovalPolicy_DESTROY: "Delete"} {
		cdktest.Template(with(&database.PrivateRdsProps{RemovalPolicy: policy})).HasResource(jsii.String("AWS::Logs::LogGroup"), map[string]any{
			"Properties":     map[string]any{"LogGroupName": assertions.Match_StringLikeRegexp(jsii.String("^/aws/lambda/"))},
			"DeletionPolicy": kept, "UpdateReplacePolicy": kept,
		})
	}
}

func TestSkipRotationNeedsNoServerlessRepository(t *testing.T) {
	stack := with(&database.PrivateRdsProps{SkipRotation: true})
	for _, resourceType := range []string{"AWS::Serverless::Application", "AWS::SecretsManager::RotationSchedule", "AWS::SecretsManager::ResourcePolicy"} {
		assert.Zero(t, count(stack, resourceType), resourceType)
	}
	assert.NotContains(t, *cdktest.Template(stack).ToJSON(), "Transform")
}
