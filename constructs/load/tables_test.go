package load_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/spec"
)

// devices is a table, as an importer declares it.
func devices() []spec.Table {
	return []spec.Table{{
		Name:    "devices",
		Columns: []spec.Column{{Name: "device", Type: "text", Path: "$.device.id"}, {Name: "level", Type: "numeric", Nullable: true}},
		Key:     []string{"device"},
	}}
}

// folder returns a new folder of the migrations that lead to each declaration in turn, as the generator writes them.
func folder(t *testing.T, declarations ...[]spec.Table) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "migrations")
	for _, tables := range declarations {
		path, err := migrator.Write(dir, migrator.Expand, tables)
		require.NoError(t, err)
		require.NotEmpty(t, path)
	}
	return dir
}

// withSite is devices and a column more.
func withSite() []spec.Table {
	tables := devices()
	tables[0].Columns = append(tables[0].Columns, spec.Column{Name: "site", Type: "text", Nullable: true})
	return tables
}

// migrations is what the migrator is told to apply.
func migrations(t *testing.T, stack awscdk.Stack) map[string]any {
	t.Helper()
	_, migration := one(t, stack, "Custom::MillraceMigration", "")
	files, _ := properties(migration)[migrator.MigrationsProperty].(map[string]any)
	return files
}

func TestTheLoaderKnowsTheTablesAndTheMigratorTheirMigrations(t *testing.T) {
	dir := folder(t, devices(), withSite())
	stack := with(load.PostgresLoaderProps{Tables: withSite(), Migrations: dir})

	_, function := one(t, stack, "AWS::Lambda::Function", "LoaderFunction")
	variables := properties(function)["Environment"].(map[string]any)["Variables"].(map[string]any)
	var loader spec.Loader
	require.NoError(t, spec.Decode(join(t, variables[spec.Variable]), &loader))
	assert.Equal(t, withSite(), loader.Tables)

	files := migrations(t, stack)
	require.Len(t, files, 2)
	for name, text := range files {
		want, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), text)
	}
}

func TestWithoutTablesTheMigrationsAreTheMigratorsOwn(t *testing.T) {
	assert.Empty(t, migrations(t, with(load.PostgresLoaderProps{})))
}

func TestAChangeOfTheTablesRunsTheMigratorAgain(t *testing.T) {
	before := with(load.PostgresLoaderProps{Tables: devices(), Migrations: folder(t, devices())})
	after := with(load.PostgresLoaderProps{Tables: withSite(), Migrations: folder(t, devices(), withSite())})
	again := with(load.PostgresLoaderProps{Tables: devices(), Migrations: folder(t, devices())})
	run := func(stack awscdk.Stack) map[string]any {
		_, migration := one(t, stack, "Custom::MillraceMigration", "")
		return properties(migration)
	}
	assert.NotEqual(t, run(before), run(after), "CloudFormation updates a resource whose properties differ")
	assert.Equal(t, run(before), run(again))
}

func TestTablesAreHeldToTheMigrations(t *testing.T) {
	g, _ := newStacks()
	validate := func(tables []spec.Table, dir string) string {
		err := (&load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db, Tables: tables, Migrations: dir}).Validate()
		if err == nil {
			return ""
		}
		return err.Error()
	}
	newest := "the newest migration, 00001_expand.sql, does not lead to the tables that are declared: generate the next one"
	assert.Empty(t, validate(devices(), folder(t, devices())))
	assert.Equal(t, newest, validate(withSite(), folder(t, devices())))
	assert.Equal(t, newest, validate(nil, folder(t, devices())))
	assert.Equal(t, "tables are declared, and there is no migration that makes them: generate it", validate(devices(), ""))
}

func TestAFolderOfMigrationsIsLookedThroughForEveryProblem(t *testing.T) {
	g, _ := newStacks()
	dir := folder(t, devices())
	for name, text := range map[string]string{"2_next.sql": "SELECT 1", "00003_large.sql": strings.Repeat("-", 100_000), "README.md": "not SQL"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "00004_folder.sql"), 0o700))
	empty := t.TempDir()

	err := (&load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db, Tables: devices(), Migrations: dir}).Validate()
	assert.ErrorContains(t, err, "migrations must be named like 00001_expand.sql, got 2_next.sql")
	assert.ErrorContains(t, err, "migrations must be at most 100000 bytes in all, got 100")
	assert.ErrorContains(t, err, "reading migrations: read "+filepath.Join(dir, "00004_folder.sql"))
	assert.NotContains(t, err.Error(), "README")

	err = (&load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db, Migrations: empty}).Validate()
	assert.EqualError(t, err, "migrations must be a folder of .sql files, found none in "+empty)
}

func TestTablesThatTheEnvironmentHasNoRoomForAreRefused(t *testing.T) {
	g, _ := newStacks()
	tables := devices()
	for i := range 100 {
		tables[0].Columns = append(tables[0].Columns, spec.Column{Name: "column_" + strings.Repeat("x", i), Type: "text", Nullable: true})
	}
	tables[0].Columns = slices.DeleteFunc(tables[0].Columns, func(c spec.Column) bool { return len(c.Name) > 63 })
	err := (&load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db, Tables: tables, Migrations: folder(t, tables)}).Validate()
	assert.ErrorContains(t, err, "tables must be at most 3584 bytes of JSON, which the function's environment has room for, got ")
}
