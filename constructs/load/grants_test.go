package load_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// allowed returns what a policy allows, sorted, as "action on resource".
func allowed(t *testing.T, stack awscdk.Stack, prefix string) (list []string) {
	t.Helper()
	_, policy := one(t, stack, "AWS::IAM::Policy", prefix)
	for _, each := range properties(policy)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
		statement := each.(map[string]any)
		require.Equal(t, "Allow", statement["Effect"])
		actions, several := statement["Action"].([]any)
		if !several {
			actions = []any{statement["Action"]}
		}
		for _, action := range actions {
			list = append(list, action.(string)+" on "+name(t, statement["Resource"]))
		}
	}
	slices.Sort(list)
	return list
}

var hash = regexp.MustCompile(`[0-9A-F]{8}`)

// name shortens a resource of a policy to what tells it from others, without CDK's hashes.
func name(t *testing.T, resource any) string {
	t.Helper()
	return hash.ReplaceAllString(longName(t, resource), "")
}

func longName(t *testing.T, resource any) string {
	t.Helper()
	if text, ok := resource.(string); ok {
		return text
	}
	switch value := resource.(map[string]any); {
	case value["Fn::GetAtt"] != nil:
		return value["Fn::GetAtt"].([]any)[0].(string)
	case value["Fn::ImportValue"] != nil:
		_, output, _ := strings.Cut(value["Fn::ImportValue"].(string), "Output")
		return output
	default:
		var parts []string
		for _, part := range value["Fn::Join"].([]any)[1].([]any) {
			if text, ok := part.(string); ok {
				parts = append(parts, text)
			} else if _, isRef := part.(map[string]any)["Ref"]; isRef {
				parts = append(parts, "…")
			} else {
				parts = append(parts, longName(t, part))
			}
		}
		return strings.Join(parts, "")
	}
}

var interfaces = []string{
	"ec2:AssignPrivateIpAddresses on *", "ec2:CreateNetworkInterface on *", "ec2:DeleteNetworkInterface on *",
	"ec2:DescribeNetworkInterfaces on *", "ec2:DescribeSubnets on *", "ec2:UnassignPrivateIpAddresses on *",
}

func TestTheLoaderMayDoThisAndNothingElse(t *testing.T) {
	got := allowed(t, with(load.PostgresLoaderProps{}), "LoaderRoleDefaultPolicy")
	assert.Equal(t, append(slices.Clone(interfaces),
		"kinesis:DescribeStream on FnGetAttCoreStreamArn",
		"kinesis:DescribeStreamSummary on FnGetAttCoreStreamArn",
		"kinesis:GetRecords on FnGetAttCoreStreamArn",
		"kinesis:GetShardIterator on FnGetAttCoreStreamArn",
		"kinesis:ListShards on FnGetAttCoreStreamArn",
		"kms:Decrypt on FnGetAttCoreKeyArn",
		"kms:GenerateDataKey on FnGetAttCoreKeyArn",
		"logs:CreateLogStream on LoaderLogGroup",
		"logs:PutLogEvents on LoaderLogGroup",
		"rds-db:connect on arn:…:rds-db:…:…:dbuser:FnGetAttDatabaseInstanceDbiResourceId/millrace_loader",
		"s3:ListBucket on LoaderOnFailure",
		"s3:PutObject on LoaderOnFailure/aws/lambda/*",
	), got)
}

func TestTheMigratorMayDoThisAndNothingElse(t *testing.T) {
	got := allowed(t, with(load.PostgresLoaderProps{}), "LoaderMigratorRoleDefaultPolicy")
	assert.Equal(t, append(slices.Clone(interfaces),
		"kms:Decrypt on FnGetAttDatabaseKeyArn",
		"logs:CreateLogStream on LoaderMigratorLogGroup",
		"logs:PutLogEvents on LoaderMigratorLogGroup",
		"secretsmanager:GetSecretValue on RefDatabaseSecretAttachment",
	), got)
}

func TestNoManagedPolicyWidensARole(t *testing.T) {
	for id, role := range resourcesOf(with(load.PostgresLoaderProps{}), "AWS::IAM::Role") {
		assert.NotContains(t, properties(role), "ManagedPolicyArns", id)
	}
}

func TestTheLoaderGoesToTheDatabaseAndNowhereElse(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	loader, group := one(t, stack, "AWS::EC2::SecurityGroup", "LoaderLoaderSecurityGroup")
	assert.Equal(t, []any{map[string]any{"CidrIp": "127.0.0.1/32", "Description": "To nowhere", "IpProtocol": "-1"}}, properties(group)["SecurityGroupEgress"])

	template := cdktest.Template(stack)
	from := map[string]any{"GroupId": map[string]any{"Fn::GetAtt": []any{loader, "GroupId"}}}
	template.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupEgress"), from, jsii.Number(1))
	from["FromPort"], from["ToPort"] = 5433, 5433
	from["DestinationSecurityGroupId"] = map[string]any{"Fn::ImportValue": assertions.Match_StringLikeRegexp(jsii.String("DatabaseSecurityGroup"))}
	template.ResourcePropertiesCountIs(jsii.String("AWS::EC2::SecurityGroupEgress"), from, jsii.Number(1))
}

func TestTheDatabasesStackKnowsNothingOfItsLoaders(t *testing.T) {
	untouched := newGround(cdktest.NewApp())
	g, stack := newStacks()
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db})

	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), jsii.Number(3))
	assert.Equal(t, (*cdktest.Template(untouched.stack).ToJSON())["Resources"], (*cdktest.Template(g.stack).ToJSON())["Resources"])
	assert.Empty(t, *g.stack.Dependencies())
}
