package load_test

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/spec"
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
	case value["Fn::Select"] != nil: // a part of an ARN
		split := value["Fn::Select"].([]any)[1].(map[string]any)["Fn::Split"].([]any)
		return longName(t, split[1])
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

// certificate is the first of RDS's own.
func certificate(t *testing.T) string {
	t.Helper()
	bundle, err := os.ReadFile("../../lambdas/postgres/rds-global-bundle.pem")
	require.NoError(t, err)
	block, _ := pem.Decode(bundle)
	require.NotNil(t, block)
	return string(pem.EncodeToMemory(block))
}

func TestThroughAProxyGoesTheLoaderAndNotTheMigrator(t *testing.T) {
	stack := sized(2, &database.PrivateRdsProps{Proxy: &database.ProxyProps{}, CABundle: certificate(t)}, load.PostgresLoaderProps{})
	text := func(prefix string) string {
		_, function := one(t, stack, "AWS::Lambda::Function", prefix)
		return longName(t, properties(function)["Environment"].(map[string]any)["Variables"].(map[string]any)[spec.Variable])
	}
	assert.Regexp(t, `"host":"FnGetAttSizedDatabaseProxy\w*Endpoint\w*","port":"5432"`, text("LoaderFunction"))
	assert.Contains(t, text("LoaderFunction"), `"proxied":true`)
	assert.NotContains(t, text("LoaderFunction"), "ca_bundle", "the proxy's certificate is not signed by who signs the server's")
	assert.Regexp(t, `"host":"FnGetAttSizedDatabaseInstance\w*Endpoint\w*"`, text("LoaderMigrator"))
	assert.NotContains(t, text("LoaderMigrator"), "proxied")
	assert.Contains(t, text("LoaderMigrator"), "ca_bundle")

	_, migration := one(t, stack, "Custom::MillraceMigration", "")
	assert.Regexp(t, "SizedDatabaseInstance", longName(t, properties(migration)["Host"]))

	for prefix, want := range map[string]string{"LoaderRoleDefaultPolicy": "Proxy", "LoaderMigratorRoleDefaultPolicy": "Secret"} {
		assert.True(t, slices.ContainsFunc(allowed(t, stack, prefix), func(right string) bool { return strings.Contains(right, want) }), prefix)
	}
}

func TestNoPasswordStandsInATemplate(t *testing.T) {
	g, stack := newStacks()
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db, Tables: devices(), Migrations: folder(t, devices())})
	text, err := json.Marshal(cdktest.Template(stack).ToJSON())
	require.NoError(t, err)
	assert.NotRegexp(t, "(?i)passw|{{resolve:", string(text), "the loader has none, and the migrator reads it while it runs")

	// The database's own is CloudFormation's to look up.
	_, instance := one(t, g.stack, "AWS::RDS::DBInstance", "")
	password, err := json.Marshal(properties(instance)["MasterUserPassword"])
	require.NoError(t, err)
	assert.Contains(t, string(password), "{{resolve:secretsmanager:")
	assert.Equal(t, true, properties(instance)["EnableIAMDatabaseAuthentication"])
}

// The only way to a database is over verified TLS: no function's spec has a word
// by which to ask for less.
func TestNothingTurnsTheVerificationOfTLSOff(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	for id, function := range resourcesOf(stack, "AWS::Lambda::Function") {
		variables := properties(function)["Environment"].(map[string]any)["Variables"].(map[string]any)
		assert.NotRegexp(t, "(?i)ssl|tls|insecure|verify", longName(t, variables[spec.Variable]), id)
		assert.Len(t, variables, 1, id)
	}
}
