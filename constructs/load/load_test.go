package load_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// ground is a stream and a database in a stack of their own, as in the app.
type ground struct {
	stack awscdk.Stack
	core  *stream.StreamingCore
	db    *database.PrivateRds
}

func newGround(app awscdk.App) ground {
	stack := awscdk.NewStack(app, jsii.String("Ground"), nil)
	return ground{
		stack: stack,
		core:  stream.NewStreamingCore(stack, "Core", nil),
		db:    database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{SkipRotation: true}),
	}
}

// newStacks returns the ground and, in the same app, a stack for loaders.
func newStacks() (ground, awscdk.Stack) {
	app := cdktest.NewApp()
	return newGround(app), awscdk.NewStack(app, jsii.String("Test"), nil)
}

// with returns a stack with nothing in it but a loader of these props.
func with(props load.PostgresLoaderProps) awscdk.Stack {
	g, stack := newStacks()
	props.Source, props.Database = g.core.Stream, g.db
	load.NewPostgresLoader(stack, "Loader", &props)
	return stack
}

func resourcesOf(stack awscdk.Stack, resourceType string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, resource := range *cdktest.Template(stack).FindResources(&resourceType, nil) {
		found[id] = *resource
	}
	return found
}

// one returns the ID and the resource of a type whose ID begins with prefix.
func one(t *testing.T, stack awscdk.Stack, resourceType, prefix string) (string, map[string]any) {
	t.Helper()
	var ids []string
	all := resourcesOf(stack, resourceType)
	for id := range all {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	require.Len(t, ids, 1, "resources of type %s that begin with %s", resourceType, prefix)
	return ids[0], all[ids[0]]
}

func properties(resource map[string]any) map[string]any {
	return resource["Properties"].(map[string]any)
}

func TestTheMigrationRunsAgainWhenItsCodeOrTheDatabaseChanges(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	migratorID, migrator := one(t, stack, "AWS::Lambda::Function", "LoaderMigrator")
	_, migration := one(t, stack, "Custom::MillraceMigration", "")

	code := properties(migrator)["Code"].(map[string]any)
	require.NotEmpty(t, code["S3Key"])
	ran := properties(migration)
	assert.Equal(t, code["S3Key"], ran["Code"].(map[string]any)["s3Key"], "the asset's hash is its content's")
	assert.Contains(t, ran["Host"], "Fn::ImportValue")
	assert.Equal(t, "millrace", ran["Database"])
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{migratorID, "Arn"}}, ran["ServiceToken"])
	assert.EqualValues(t, 900, properties(migrator)["Timeout"])
	assert.Equal(t, "960", ran["ServiceTimeout"], "CloudFormation waits a little longer than the function runs, not for an hour")
}

func TestTheFunctionsLearnFromTheirSpecWhereTheDatabaseIs(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	environment := func(prefix string) string {
		_, function := one(t, stack, "AWS::Lambda::Function", prefix)
		variables := properties(function)["Environment"].(map[string]any)["Variables"].(map[string]any)
		return join(t, variables[spec.Variable])
	}
	at := spec.Database{Host: "token", Port: "token", Name: "millrace"}

	var loader spec.Loader
	require.NoError(t, spec.Decode(environment("LoaderFunction"), &loader))
	assert.Equal(t, spec.Loader{Database: at, User: spec.LoaderRole}, loader)

	var migrator spec.Migrator
	require.NoError(t, spec.Decode(environment("LoaderMigrator"), &migrator))
	assert.Equal(t, spec.Migrator{Database: at, SecretARN: "token"}, migrator)
}

// join does what CloudFormation does with Fn::Join; what it would look up becomes "token".
func join(t *testing.T, value any) string {
	t.Helper()
	parts := value.(map[string]any)["Fn::Join"].([]any)
	var text strings.Builder
	for _, part := range parts[1].([]any) {
		if literal, ok := part.(string); ok {
			text.WriteString(literal)
		} else {
			text.WriteString("token")
		}
	}
	return text.String()
}

func TestEveryLogGroupHasARetention(t *testing.T) {
	stack := with(load.PostgresLoaderProps{LogRetention: awslogs.RetentionDays_TWO_WEEKS})
	cdktest.Template(stack).AllResourcesProperties(jsii.String("AWS::Logs::LogGroup"), map[string]any{"RetentionInDays": 14})
	assert.Len(t, resourcesOf(stack, "AWS::Logs::LogGroup"), 2)
}

func TestConfigureHasTheLastWordOnTheLoadersFunctionAlone(t *testing.T) {
	stack := with(load.PostgresLoaderProps{Configure: func(p *awslambda.FunctionProps) { p.EphemeralStorageSize = awscdk.Size_Gibibytes(jsii.Number(1)) }})
	_, loader := one(t, stack, "AWS::Lambda::Function", "LoaderFunction")
	_, migrator := one(t, stack, "AWS::Lambda::Function", "LoaderMigrator")
	assert.Equal(t, map[string]any{"Size": 1_024.0}, properties(loader)["EphemeralStorage"])
	assert.NotContains(t, properties(migrator), "EphemeralStorage")
}

func TestTheFunctionTakesItsValuesFromTheProps(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{
		Architecture: awslambda.Architecture_X86_64(),
		Timeout:      awscdk.Duration_Minutes(jsii.Number(5)),
		MemoryMiB:    1_024,
	})).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Architectures": []any{"x86_64"}, "Timeout": 300, "MemorySize": 1_024, "Description": "Writes events into Postgres",
	})
}

func TestTwoLoadersStandInOneStack(t *testing.T) {
	g, stack := newStacks()
	for _, id := range []string{"One", "Two"} {
		load.NewPostgresLoader(stack, id, &load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db})
	}
	assert.Len(t, resourcesOf(stack, "AWS::Lambda::EventSourceMapping"), 2)
	assert.Len(t, resourcesOf(stack, "Custom::MillraceMigration"), 2)
}

func TestALoaderIsAScopeAndADependency(t *testing.T) {
	g, stack := newStacks()
	loader := load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db})
	extra := awslogs.NewLogGroup(loader, jsii.String("Extra"), &awslogs.LogGroupProps{Retention: awslogs.RetentionDays_ONE_DAY})
	awss3.NewBucket(stack, jsii.String("After"), nil).Node().AddDependency(loader)

	assert.Equal(t, "Test/Loader/Extra", *extra.Node().Path())
	mapping, _ := one(t, stack, "AWS::Lambda::EventSourceMapping", "")
	_, after := one(t, stack, "AWS::S3::Bucket", "After")
	assert.Contains(t, after["DependsOn"], mapping)
}
