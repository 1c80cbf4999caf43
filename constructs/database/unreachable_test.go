package database_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestNothingLeadsToADatabaseWithEverythingAndItsClients(t *testing.T) {
	app := cdktest.NewApp()
	ground := awscdk.NewStack(app, jsii.String("Ground"), nil)
	upper := awscdk.NewStack(app, jsii.String("Upper"), nil)
	for name, props := range map[string]*database.PrivateRdsProps{
		"Plain":   nil,
		"Proxied": {Proxy: &database.ProxyProps{}},
		"Theirs":  {Vpc: theirVpc(ground)},
	} {
		db := database.NewPrivateRds(ground, name, props)
		db.GrantConnect(function(upper, name+"Loader", db), "millrace_loader")
		db.GrantMaster(function(upper, name+"Migrator", db))
	}
	paths, err := database.ProveUnreachable(map[string]map[string]any{
		"Ground": *cdktest.Template(ground).ToJSON(), "Upper": *cdktest.Template(upper).ToJSON(),
	})
	require.NoError(t, err)
	assert.Empty(t, paths)
}

func TestASynthWithAWayInFailsAndSaysTheWay(t *testing.T) {
	app := cdktest.NewApp()
	database.RequireUnreachable(app)
	ground := awscdk.NewStack(app, jsii.String("Ground"), nil)
	upper := awscdk.NewStack(app, jsii.String("Upper"), nil)
	db := database.NewPrivateRds(ground, "Database", nil)
	client := function(upper, "Client", db)
	db.GrantConnect(client, "reader")
	client.Connections().AllowFromAnyIpv4(awsec2.Port_Tcp(jsii.Number(22)), jsii.String("ssh"))

	message := cdktest.Panics(t, func() { app.Synth(nil) })
	assert.Contains(t, message, "Validation failed")
	report, err := os.ReadFile(filepath.Join(*app.Outdir(), "validation-report.json"))
	require.NoError(t, err)
	assert.Regexp(t, `Upper/ClientGroup\w+ \(lets in 0\.0\.0\.0/0\) -> Upper/ClientGroup\w+ \(the security group\) -> Upper/\w+ \(lets in the next group\) -> Ground/DatabaseSecurityGroup5C91FDCB \(the security group\) -> Ground/DatabaseInstanceAA8A5FDE`, string(report))
}

func TestASynthFailsForTheWayInAlone(t *testing.T) {
	// With nothing else to report: CDK then has no warning of its own that would make it look.
	app := cdktest.NewApp()
	database.RequireUnreachable(app)
	stack := awscdk.NewStack(app, jsii.String("Ground"), nil)
	db := database.NewPrivateRds(stack, "Database", nil)
	db.Connections().AllowFromAnyIpv4(awsec2.Port_Tcp(jsii.Number(5433)), nil)
	assert.Contains(t, cdktest.Panics(t, func() { app.Synth(nil) }), "Validation failed")
}

func TestASynthFailsWhereNothingCanBeProven(t *testing.T) {
	app := cdktest.NewApp()
	database.RequireUnreachable(app)
	stack := awscdk.NewStack(app, jsii.String("Ground"), nil)
	database.NewPrivateRds(stack, "Database", nil)
	awscdk.NewCfnStack(stack, jsii.String("Nested"), &awscdk.CfnStackProps{TemplateUrl: jsii.String("https://example.com/unknown.json")})
	assert.Contains(t, cdktest.Panics(t, func() { app.Synth(nil) }), "Validation failed")
}

func TestASynthWithoutAWayInPasses(t *testing.T) {
	app := cdktest.NewApp()
	database.RequireUnreachable(app)
	ground := awscdk.NewStack(app, jsii.String("Ground"), nil)
	database.NewPrivateRds(ground, "Database", nil)
	assert.NotNil(t, app.Synth(nil))

	empty := cdktest.NewApp()
	stack := awscdk.NewStack(empty, jsii.String("Empty"), nil)
	database.RequireUnreachable(stack)
	awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{RestrictDefaultSecurityGroup: jsii.Bool(false)})
	assert.NotNil(t, empty.Synth(nil))
}
