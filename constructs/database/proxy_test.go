package database_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestTheProxyTakesIamAndTlsAloneAndNoSecret(t *testing.T) {
	stack := with(&database.PrivateRdsProps{Proxy: &database.ProxyProps{}})
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::RDS::DBProxy"), map[string]any{
		"DefaultAuthScheme": "IAM_AUTH",
		"Auth":              assertions.Match_Absent(),
		"RequireTLS":        true,
		"DebugLogging":      false,
		"EngineFamily":      "POSTGRESQL",
		"IdleClientTimeout": 600,
		"VpcSecurityGroupIds": []any{map[string]any{"Fn::GetAtt": []any{
			assertions.Match_StringLikeRegexp(jsii.String("^DatabaseProxySecurityGroup")), "GroupId",
		}}},
	})
	template.HasResourceProperties(jsii.String("AWS::RDS::DBProxyTargetGroup"), map[string]any{
		"DBInstanceIdentifiers":           []any{map[string]any{"Ref": "DatabaseInstanceAA8A5FDE"}},
		"ConnectionPoolConfigurationInfo": map[string]any{"MaxConnectionsPercent": 90, "ConnectionBorrowTimeout": 30},
	})
}

func TestTheProxyIsWhatClientsConnectToAndTheMigratorIsNot(t *testing.T) {
	stack := cdktest.NewStack()
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{Proxy: &database.ProxyProps{}, SkipRotation: true})
	assert.True(t, db.Proxied())
	assert.Equal(t, "5432", *db.Port())
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{"DatabaseProxyE01FC4E6", "Endpoint"}}, stack.Resolve(db.Host()))
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{"DatabaseInstanceAA8A5FDE", "Endpoint.Address"}}, stack.Resolve(db.DirectHost()))
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{"DatabaseInstanceAA8A5FDE", "Endpoint.Port"}}, stack.Resolve(db.DirectPort()))

	db.GrantConnect(function(stack, "Loader", db), "millrace_loader")
	db.GrantMaster(function(stack, "Migrator", db))
	to := map[string]string{}
	for _, resource := range resources(cdktest.Template(stack)) {
		if resource["Type"] == "AWS::EC2::SecurityGroupIngress" {
			p := resource["Properties"].(map[string]any)
			to[groupOf(p["SourceSecurityGroupId"])+" "+portOf(p)] = groupOf(p["GroupId"])
		}
	}
	assert.Equal(t, map[string]string{
		"LoaderGroup1374D0E2 5432":                   "DatabaseProxySecurityGroupCCC9DB86",
		"DatabaseProxySecurityGroupCCC9DB86 a token": "DatabaseSecurityGroup5C91FDCB",
		"MigratorGroup7695F13A 5433":                 "DatabaseSecurityGroup5C91FDCB",
		"MigratorGroup7695F13A 443":                  "DatabaseSecretsEndpointSecurityGroupCC2327A0",
	}, to)
}

func groupOf(value any) string { return value.(map[string]any)["Fn::GetAtt"].([]any)[0].(string) }

func portOf(rule map[string]any) string {
	if port, ok := rule["FromPort"].(float64); ok {
		return *jsii.Sprintf("%g", port)
	}
	return "a token"
}

func TestAClientMayConnectToTheProxyAsItsUserAndTheProxyToTheInstance(t *testing.T) {
	app := cdktest.NewApp()
	ground := awscdk.NewStack(app, jsii.String("Ground"), nil)
	upper := awscdk.NewStack(app, jsii.String("Upper"), nil)
	db := database.NewPrivateRds(ground, "Database", &database.PrivateRdsProps{Proxy: &database.ProxyProps{}, SkipRotation: true, SkipFlowLog: true})
	db.GrantConnect(function(upper, "Client", db), "millrace_loader")

	below := one(t, ground, "AWS::IAM::Policy")["PolicyDocument"].(map[string]any)["Statement"].([]any)
	require.Len(t, below, 1)
	assert.Equal(t, "rds-db:connect", below[0].(map[string]any)["Action"])
	resource := *jsii.Sprintf("%v", below[0].(map[string]any)["Resource"])
	assert.Contains(t, resource, "DatabaseInstanceAA8A5FDE DbiResourceId")
	assert.Contains(t, resource, "/millrace_loader")

	above := one(t, upper, "AWS::IAM::Policy")["PolicyDocument"].(map[string]any)["Statement"].([]any)
	require.Len(t, above, 1)
	resource = *jsii.Sprintf("%v", above[0].(map[string]any)["Resource"])
	assert.Contains(t, resource, "DBProxyArn", "the proxy's own resource id is the end of its ARN")
	assert.Contains(t, resource, "/millrace_loader")
	assert.NotContains(t, resource, "DbiResourceId")
}

func TestTheProxyCanBeTuned(t *testing.T) {
	template := cdktest.Template(with(&database.PrivateRdsProps{Proxy: &database.ProxyProps{
		ConnectionsPercent: 50,
		BorrowTimeout:      awscdk.Duration_Seconds(jsii.Number(5)),
		IdleTimeout:        awscdk.Duration_Minutes(jsii.Number(2)),
		Configure:          func(p *awsrds.DatabaseProxyProps) { p.DbProxyName = jsii.String("mine") },
	}}))
	template.HasResourceProperties(jsii.String("AWS::RDS::DBProxy"), map[string]any{"DBProxyName": "mine", "IdleClientTimeout": 120})
	template.HasResourceProperties(jsii.String("AWS::RDS::DBProxyTargetGroup"), map[string]any{
		"ConnectionPoolConfigurationInfo": map[string]any{"MaxConnectionsPercent": 50, "ConnectionBorrowTimeout": 5},
	})

	err := (&database.PrivateRdsProps{Proxy: &database.ProxyProps{
		ConnectionsPercent: 101,
		BorrowTimeout:      awscdk.Duration_Minutes(jsii.Number(6)),
		IdleTimeout:        awscdk.Duration_Seconds(jsii.Number(90)),
	}}).Validate()
	assert.EqualError(t, err, `proxy connections must be 1 to 100 percent, got 101
proxy borrow timeout must be 1 to 300 whole seconds, got 360
proxy idle timeout must be 1 to 480 whole minutes, got 1.5`)
}
