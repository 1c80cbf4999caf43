package migrator_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/spec"
)

// sensors is a table of these columns; one that begins with - is retired.
func sensors(columns ...string) []spec.Table {
	table := spec.Table{Name: "readings"}
	for _, name := range columns {
		retired := name[0] == '-'
		if retired {
			name = name[1:]
		}
		table.Columns = append(table.Columns, spec.Column{Name: name, Type: "text", Nullable: true, Retired: retired})
	}
	return []spec.Table{table}
}

func generated(t *testing.T, kind migrator.Kind, before, after []spec.Table) string {
	t.Helper()
	generate := migrator.Generate
	if kind == migrator.Contract {
		generate = migrator.GenerateContract
	}
	text, err := generate(before, after)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	return text
}

func withFile(files map[string]string, name, text string) map[string]string {
	files = maps.Clone(files)
	files[name] = text
	return files
}

func TestAChangeInThreeReleasesIsLetThrough(t *testing.T) {
	first := map[string]string{"00001_expand.sql": generated(t, migrator.Expand, nil, sensors("device"))}
	expand := withFile(first, "00002_expand.sql", generated(t, migrator.Expand, sensors("device"), sensors("device", "sensor")))
	migrate := withFile(expand, "00003_expand.sql", generated(t, migrator.Expand, sensors("device", "sensor"), sensors("-device", "sensor")))
	contract := withFile(migrate, "00004_contract.sql", generated(t, migrator.Contract, sensors("-device", "sensor"), sensors("sensor")))
	releases := []map[string]string{{}, first, expand, migrate, contract}
	for i := range releases[1:] {
		assert.NoError(t, migrator.CheckRelease(releases[i], releases[i+1]), "release %d", i+1)
	}
	assert.NoError(t, migrator.CheckRelease(nil, contract), "a first release has no loader before it")
}

func TestMigrationsThatBreakTheLastReleaseAreFound(t *testing.T) {
	const table, column = "-- +goose Up\nCREATE TABLE a (b int);\n", "-- +goose Up\nALTER TABLE a ADD COLUMN c int;\n"
	const drop = "-- +goose Up\n-- +millrace contract\nALTER TABLE a DROP COLUMN b;\n"
	last := map[string]string{"00002_a.sql": table}
	declared := map[string]string{"00001_expand.sql": generated(t, migrator.Expand, nil, sensors("device"))}
	early, err := spec.Mark(sensors("sensor"))
	require.NoError(t, err)
	for _, try := range []struct {
		name       string
		last, next map[string]string
		file, what string
	}{
		{"gone", last, map[string]string{}, "00002_a.sql", "is released and is gone"},
		{"edited", last, withFile(last, "00002_a.sql", table+"-- more\n"), "00002_a.sql", "is released and was edited"},
		{"between", last, withFile(last, "00001_b.sql", column), "00001_b.sql", "is new and comes before 00002_a.sql, which is released"},
		{"destructive", last, withFile(last, "00003_c.sql", "ALTER TABLE a DROP COLUMN b;"), "00003_c.sql", `takes something away ("DROP COLUMN")`},
		{"together", last, withFile(withFile(last, "00003_c.sql", column), "00004_d.sql", drop), "00004_d.sql", "is a contract, and 00003_c.sql is new too"},
		{
			"expand behind it", last, withFile(withFile(last, "00003_c.sql", drop), "00004_d.sql", column),
			"00003_c.sql", "is a contract, and 00004_d.sql is new too",
		},
		{
			"not retired", declared, withFile(declared, "00002_contract.sql", "-- +goose Up\n-- +millrace contract\n"+early+"\nALTER TABLE readings DROP COLUMN device;\n"),
			"00002_contract.sql", "takes away what the last release still writes",
		},
		{
			"retired at once", declared, withFile(declared, "00002_expand.sql", generated(t, migrator.Expand, sensors("device"), sensors("-device", "sensor"))),
			"00002_expand.sql", "adds sensor and retires device of table readings at once",
		},
	} {
		t.Run(try.name, func(t *testing.T) {
			err := migrator.CheckRelease(try.last, try.next)
			var found *migrator.ReleaseError
			require.ErrorAs(t, err, &found)
			assert.Equal(t, try.file, found.File)
			assert.Equal(t, try.what, found.What)
			assert.NotEmpty(t, found.Instead)
		})
	}
	assert.NoError(t, migrator.CheckRelease(last, withFile(last, "00003_c.sql", drop)), "a contract alone")
	assert.NoError(t, migrator.CheckRelease(last, last))
}
