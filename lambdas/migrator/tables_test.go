package migrator_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	"github.com/millrace-cdk/millrace/spec"
)

// readings is a table with a column of each kind.
func readings() spec.Table {
	return spec.Table{
		Name: "readings", Key: []string{"device", "at"}, Conflict: spec.Update,
		Columns: []spec.Column{
			{Name: "device", Type: "text", Path: "$.device.id"},
			{Name: "at", Type: "timestamptz"},
			{Name: "value", Type: "numeric", Nullable: true},
			{Name: "site", Type: "text", Default: "it's north"},
		},
	}
}

// changed returns readings with its column value changed.
func changed(change func(*spec.Column)) spec.Table {
	t := readings()
	change(&t.Columns[2])
	return t
}

// withoutValue returns readings without its column value.
func withoutValue() spec.Table {
	t := readings()
	t.Columns = slices.Delete(t.Columns, 2, 3)
	return t
}

func with(t spec.Table, c spec.Column) spec.Table {
	t.Columns = append(t.Columns[:len(t.Columns):len(t.Columns)], c)
	return t
}

func tables(all ...spec.Table) []spec.Table { return all }

func TestGeneratedMigrationIsReadable(t *testing.T) {
	sql, err := migrator.Generate(nil, tables(readings()))
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/readings.sql")
	require.NoError(t, err)
	assert.Equal(t, string(want), sql)

	declared, err := spec.TablesOf(sql)
	require.NoError(t, err)
	assert.Equal(t, tables(readings()), declared)

	sql, err = migrator.Generate(declared, tables(readings()))
	require.NoError(t, err)
	assert.Empty(t, sql, "nothing has changed")
}

func TestDestructiveChangeIsRefusedWithTheSentenceThatSaysHow(t *testing.T) {
	rekeyed := readings()
	rekeyed.Key = nil
	for name, c := range map[string]struct {
		before, after []spec.Table
		want          string
	}{
		"a table that is gone": {tables(readings()), nil, "table readings is not declared any more: the loader of the last release still fills it, and its rows would go. " +
			"Declare it with Retired, deploy that, and remove it in the release after it"},
		"a column that is gone": {tables(readings()), tables(withoutValue()), "table readings: column value is not declared any more: " +
			"the loader of the last release still writes it, and its values would go. Declare it with Retired, deploy that, and remove it in the release after it (to rename it, declare the new name beside it)"},
		"a retired column that is gone": {
			tables(changed(func(c *spec.Column) { c.Retired = true })), tables(withoutValue()),
			"table readings: column value: it takes something away: generate it as a contract, which is a file of its own",
		},
		"another type": {
			tables(readings()), tables(changed(func(c *spec.Column) { c.Type = "text" })),
			"table readings: column value cannot change its type from numeric to text: the table would be written anew under a lock. " +
				"Declare a column of another name with the new type, fill it, and retire this one",
		},
		"NOT NULL at once": {
			tables(readings()), tables(changed(func(c *spec.Column) { c.Nullable = false })),
			"column value cannot become NOT NULL at once",
		},
		"NOT NULL in the release after its default": {
			tables(changed(func(c *spec.Column) { c.Default = "0" })),
			tables(changed(func(c *spec.Column) { c.Nullable, c.Default = false, "0" })), "generate it as a contract",
		},
		"a column that the last release does not write": {
			tables(readings()), tables(with(readings(), spec.Column{Name: "unit", Type: "text"})),
			"column unit is new and has neither a default nor nulls",
		},
		"another key":            {tables(readings()), tables(rekeyed), "its key cannot change from (device, at) to (event_id)"},
		"an invalid declaration": {nil, tables(spec.Table{Name: "Readings"}), "columns are required"},
	} {
		t.Run(name, func(t *testing.T) {
			sql, err := migrator.Generate(c.before, c.after)
			require.ErrorContains(t, err, c.want)
			assert.Empty(t, sql)
		})
	}
}

func TestContractTakesAwayOnlyWhatWasRetired(t *testing.T) {
	retired := changed(func(c *spec.Column) { c.Retired = true })
	sql, err := migrator.GenerateContract(tables(retired), tables(withoutValue()))
	require.NoError(t, err)
	assert.Contains(t, sql, "-- +millrace contract\n")
	assert.Contains(t, sql, `ALTER TABLE "readings" DROP COLUMN "value";`)

	_, err = migrator.GenerateContract(tables(readings()), tables(withoutValue()))
	require.ErrorContains(t, err, "Declare it with Retired")
	_, err = migrator.GenerateContract(tables(retired), tables(with(withoutValue(), spec.Column{Name: "unit", Type: "text", Nullable: true})))
	require.ErrorContains(t, err, "generate that first")
}

// TestTableLivesThroughItsReleases walks a table from its first release to its
// end, on a real Postgres, by files that Write makes.
func TestTableLivesThroughItsReleases(t *testing.T) {
	database := postgrestest.Database(t, server)
	admin := postgrestest.Admin(t, server, database)
	folder := t.TempDir()
	release := func(kind migrator.Kind, all ...spec.Table) error {
		path, err := migrator.Write(folder, kind, all)
		require.NoError(t, err)
		require.NotEmpty(t, path)
		m := asMaster(database)
		m.Files = files(t, folder)
		_, err = m.Migrate(t.Context())
		return err
	}
	columns := func() []string {
		return postgrestest.Lines(t, admin, `SELECT column_name, data_type, is_nullable, coalesce(column_default, '-') FROM information_schema.columns
			WHERE table_name = 'readings' ORDER BY ordinal_position`)
	}

	require.NoError(t, release(migrator.Expand, readings()))
	first := []string{
		"event_id text NO -", "device text NO -", "at timestamp with time zone NO -", "value numeric YES -", "site text NO 'it''s north'::text",
	}
	assert.Equal(t, first, columns())
	assert.Equal(t, []string{"INSERT", "SELECT", "UPDATE"}, postgrestest.Lines(t, admin,
		"SELECT privilege_type FROM information_schema.role_table_grants WHERE table_name = 'readings' AND grantee = 'millrace_loader' ORDER BY 1"))
	_, err := admin.Exec(t.Context(), "INSERT INTO readings VALUES ('e', 'd', now(), 1)")
	require.NoError(t, err)

	added := with(readings(), spec.Column{Name: "ok", Type: "boolean", Default: "true"})
	require.NoError(t, release(migrator.Expand, added))
	assert.Equal(t, append(first, "ok boolean NO true"), columns())
	assert.Equal(t, []string{"true"}, postgrestest.Lines(t, admin, "SELECT ok FROM readings"), "the rows that are there get the default")

	retired := with(readings(), spec.Column{Name: "ok", Type: "boolean", Default: "true", Retired: true})
	require.NoError(t, release(migrator.Expand, retired))
	assert.Equal(t, append(first, "ok boolean YES true"), columns())

	require.NoError(t, release(migrator.Contract, readings()))
	assert.Equal(t, first, columns())

	gone := readings()
	gone.Retired = true
	require.NoError(t, release(migrator.Expand, gone))
	require.NoError(t, release(migrator.Contract))
	assert.Empty(t, columns())

	path, err := migrator.Write(folder, migrator.Expand, nil)
	require.NoError(t, err)
	assert.Empty(t, path, "nothing has changed")

	fresh := postgrestest.Database(t, server)
	m := asMaster(fresh)
	m.Files = files(t, folder)
	_, err = m.Migrate(t.Context())
	require.NoError(t, err, "a database with no loader yet takes them all at once")
}

func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	require.NoError(t, err)
	all := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all[filepath.Base(path)] = string(text)
	}
	return all
}

func TestContractWaitsForTheReleaseAfterItsExpansion(t *testing.T) {
	database := postgrestest.Database(t, server)
	m := asMaster(database)
	m.Files = map[string]string{"00001_a.sql": "-- +goose Up\nCREATE TABLE a (b int);\n"}
	_, err := m.Migrate(t.Context())
	require.NoError(t, err)

	m.Files["00002_b.sql"] = "-- +goose Up\nALTER TABLE a ADD COLUMN c int;\n"
	m.Files["00003_c.sql"] = "-- +goose Up\n-- +millrace contract\nALTER TABLE a DROP COLUMN b;\n"
	_, err = m.Migrate(t.Context())
	require.ErrorContains(t, err, "00003_c.sql is a contract, and 00002_b.sql before it is new to this database too: deploy the release with 00002_b.sql first")
	assert.Equal(t, []string{"b"}, postgrestest.Lines(t, postgrestest.Admin(t, server, database), columnsOfA), "nothing was applied")

	contract := m.Files["00003_c.sql"]
	delete(m.Files, "00003_c.sql")
	_, err = m.Migrate(t.Context())
	require.NoError(t, err)
	m.Files["00003_c.sql"] = contract
	_, err = m.Migrate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"c"}, postgrestest.Lines(t, postgrestest.Admin(t, server, database), columnsOfA))
}

const columnsOfA = "SELECT column_name FROM information_schema.columns WHERE table_name = 'a'"

func TestDestructiveFileIsRefusedUnlessItIsMarked(t *testing.T) {
	database := postgrestest.Database(t, server)
	m := asMaster(database)
	for sql, words := range map[string]string{
		"DROP TABLE events":                                    "DROP TABLE",
		"ALTER TABLE events\n  DROP  COLUMN shard":             "DROP COLUMN",
		"alter table events rename column shard to s":          "rename",
		"ALTER TABLE events ALTER shard TYPE int USING 1":      "ALTER shard TYPE",
		"ALTER TABLE events ALTER COLUMN s SET DATA TYPE int":  "ALTER COLUMN s SET DATA TYPE",
		"ALTER TABLE events ALTER shard SET NOT NULL":          "SET NOT NULL",
		"ALTER TABLE events ADD COLUMN x int NOT NULL":         "ADD COLUMN … NOT NULL without DEFAULT",
		"ALTER TABLE events ADD CHECK (shard <> '')":           "ADD CHECK",
		"TRUNCATE events":                                      "TRUNCATE",
		"DELETE FROM events":                                   "DELETE FROM",
		"REVOKE INSERT ON events FROM millrace_loader":         "REVOKE",
		"/* fine */ SELECT 'x;' ; -- fine\nDROP TABLE a":       "DROP TABLE",
		"ALTER TABLE events ADD CONSTRAINT c UNIQUE (shard)":   "ADD CONSTRAINT",
		"CREATE UNIQUE INDEX CONCURRENTLY ON events (shard)":   "CREATE UNIQUE INDEX",
		"ALTER TABLE events ADD COLUMN y int; DROP SCHEMA log": "DROP SCHEMA",
	} {
		m.Files = map[string]string{"00001_x.sql": "-- +goose Up\n" + sql + ";\n"}
		_, err := m.Migrate(t.Context())
		require.ErrorContains(t, err, `00001_x.sql takes something away ("`+words+`")`, sql)
		require.ErrorContains(t, err, "-- +millrace contract")
	}
	m.Files = map[string]string{"00001_x.sql": `-- +goose Up
CREATE TABLE a (kind text NOT NULL);
COMMENT ON TABLE a IS 'DROP TABLE it; TRUNCATE it';
ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 7;
ALTER TABLE a ALTER COLUMN kind DROP NOT NULL;
`}
	_, err := m.Migrate(t.Context())
	require.NoError(t, err)
}

func TestMigrationThatWasEditedAfterwardsIsRefused(t *testing.T) {
	database := postgrestest.Database(t, server)
	m := asMaster(database)
	m.Files = map[string]string{"00001_a.sql": "-- +goose Up\nCREATE TABLE a (b int);\n"}
	_, err := m.Migrate(t.Context())
	require.NoError(t, err)
	m.Files["00001_a.sql"] += "-- a word more\n"
	m.Files["00002_b.sql"] = "-- +goose Up\nCREATE TABLE b (c int);\n"
	_, err = m.Migrate(t.Context())
	require.ErrorContains(t, err, "00001_a.sql was changed after it had been applied")
	require.ErrorContains(t, err, "restore it, and put the change into a file of its own")
	assert.Empty(t, postgrestest.Lines(t, postgrestest.Admin(t, server, database), "SELECT FROM pg_tables WHERE tablename = 'b'"))
}

func TestDatabaseFromBeforeTheChecksumsGetsThem(t *testing.T) {
	database := postgrestest.Database(t, server)
	_, err := asMaster(database).Migrate(t.Context())
	require.NoError(t, err)
	admin := postgrestest.Admin(t, server, database)
	_, err = admin.Exec(t.Context(), "DROP TABLE millrace_checksums")
	require.NoError(t, err)
	_, err = asMaster(database).Migrate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"goose_db_version 1"}, postgrestest.Lines(t, admin, "SELECT versions, version FROM millrace_checksums"))
	_, err = admin.Exec(t.Context(), "UPDATE millrace_checksums SET sha256 = 'another'")
	require.NoError(t, err)
	_, err = asMaster(database).Migrate(t.Context())
	require.ErrorContains(t, err, "00001_events.sql was changed after it had been applied")
}
