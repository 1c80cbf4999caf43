package spec_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/spec"
)

func TestEveryProblemOfATableIsToldAtOnce(t *testing.T) {
	table := spec.Table{
		Name: "My Table", Key: []string{"nowhere", "maybe"}, Conflict: "merge",
		Columns: []spec.Column{
			{Name: "event_id", Type: "text"},
			{Name: "a", Type: "varchar(7)"},
			{Name: "a", Type: "text", Path: "$..a"},
			{Name: "maybe", Type: "text", Nullable: true},
			{Name: "B-52", Type: "text", Path: "$['b']"},
		},
	}
	err := spec.ValidateTables([]spec.Table{table, table})
	for _, problem := range []string{
		`table My Table: a table's name must be lower case letters, digits and _, up to 63, got "My Table"`,
		"table My Table is declared twice", "every table has a column event_id: do not declare it",
		`column a: type must be one of text, integer, bigint,`, `got "varchar(7)"`, "column a is declared twice",
		`column a: path must be like $.device.id, $.tags[0] or $['odd name'], got "$..a"`,
		`key column "nowhere" is not among the columns`, "key column maybe must not be nullable, retired or jsonb",
		`conflict must be ignore, update or update_if_newer, got "merge"`, `got "B-52"`,
	} {
		assert.ErrorContains(t, err, problem)
	}
}

func TestNewerNamesAColumnThatHasAnOrder(t *testing.T) {
	table := spec.Table{Name: "t", Conflict: spec.UpdateIfNewer, Columns: []spec.Column{{Name: "at", Type: "timestamptz"}, {Name: "text", Type: "text"}}}
	for newer, ok := range map[string]bool{"at": true, "text": false, "": false, "else": false} {
		table.Newer = newer
		assert.Equal(t, ok, table.Validate() == nil, newer)
	}
	table.Conflict, table.Newer = spec.Ignore, "at"
	assert.ErrorContains(t, table.Validate(), "newer is only for the conflict rule update_if_newer")
}

func TestPathLeadsToOneValue(t *testing.T) {
	for path, want := range map[string][]string{
		"":                    {"c"},
		"$.a":                 {"a"},
		"$.a.b_1[7]['x y'].z": {"a", "b_1", "7", "x y", "z"},
		"$['it is']":          {"it is"},
	} {
		steps, err := spec.Column{Name: "c", Path: path}.PathSteps()
		require.NoError(t, err, path)
		assert.Equal(t, want, steps, path)
	}
	for _, path := range []string{"$", "a", "$.", "$.a.", "$[*]", "$[-1]", "$.a[?(@.b)]", "$['it's']", "$.a b", "$['']"} {
		_, err := spec.Column{Name: "c", Path: path}.PathSteps()
		assert.Error(t, err, path)
	}
}

func TestMigrationTellsWhatItLeadsTo(t *testing.T) {
	want := []spec.Table{{Name: "t", Columns: []spec.Column{{Name: "c", Type: "text", Path: "$['a -- b']", Default: "x\ny"}}}}
	line, err := spec.Mark(want)
	require.NoError(t, err)
	got, err := spec.TablesOf("-- +goose Up\n" + line + "\nSELECT 1;\n")
	require.NoError(t, err)
	assert.Equal(t, want, got)

	_, err = spec.TablesOf("-- +goose Up\n")
	require.ErrorContains(t, err, "the migration has no line")
	_, err = spec.TablesOf(`-- +millrace tables [{"chairs":4}]`)
	require.ErrorContains(t, err, "decoding the line")
}

func TestNewestMigrationLeadsToTheDeclaredTables(t *testing.T) {
	tables := []spec.Table{{Name: "t", Columns: []spec.Column{{Name: "c", Type: "text"}}}}
	line, err := spec.Mark(tables)
	require.NoError(t, err)
	files := map[string]string{"00001_a.sql": "no head", "00002_b.sql": line + "\n"}
	require.NoError(t, spec.CheckMigrations(files, tables))
	require.NoError(t, spec.CheckMigrations(nil, nil))
	require.ErrorContains(t, spec.CheckMigrations(nil, tables), "there is no migration that makes them: generate it")
	require.ErrorContains(t, spec.CheckMigrations(files, nil), "the newest migration, 00002_b.sql, does not lead to the tables that are declared")
	delete(files, "00002_b.sql")
	require.ErrorContains(t, spec.CheckMigrations(files, tables), "reading 00001_a.sql: the migration has no line")
}
