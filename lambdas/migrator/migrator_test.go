package migrator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	local "github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

var server *local.Server

func TestMain(m *testing.M) { postgrestest.Main(m, &server) }

// as returns a migrator that connects to database with user and password.
func as(database spec.Database, user, password string) migrator.Migrator {
	config := postgres.Config{
		Database:     database,
		User:         user,
		Authenticate: func(context.Context) (string, error) { return password, nil },
	}
	return migrator.Migrator{
		Config: func(context.Context) (postgres.Config, error) { return config, nil },
		Wait:   time.Nanosecond,
		Log:    slog.New(slog.DiscardHandler),
	}
}

func asMaster(database spec.Database) migrator.Migrator {
	return as(database, postgrestest.Master, postgrestest.MasterPassword)
}

// schema describes everything that migrations make.
func schema(t *testing.T, admin *pgx.Conn) (lines []string) {
	t.Helper()
	for _, query := range []string{
		"SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position",
		"SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
		"SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants WHERE table_schema = 'public' ORDER BY 1, 2, 3",
		"SELECT * FROM goose_db_version ORDER BY id",
	} {
		lines = append(lines, postgrestest.Lines(t, admin, query)...)
	}
	return lines
}

func TestMigrationsMakeTheTablesOnce(t *testing.T) {
	database := postgrestest.Database(t, server)
	admin := postgrestest.Admin(t, server, database)

	version, err := asMaster(database).Migrate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(1), version)
	first := schema(t, admin)
	assert.Contains(t, first, "events payload jsonb NO <nil>")
	assert.Contains(t, first, "quarantine data bytea NO <nil>")

	version, err = asMaster(database).Migrate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(1), version)
	assert.Equal(t, first, schema(t, admin))
}

func TestMigratorsAtTheSameTimeWaitForEachOther(t *testing.T) {
	database := postgrestest.Database(t, server)
	errs := make([]error, 4)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			version, err := asMaster(database).Migrate(t.Context())
			if err == nil && version != 1 {
				err = fmt.Errorf("version %d", version)
			}
			errs[i] = err
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	assert.Equal(t, []string{"0 true", "1 true"},
		postgrestest.Lines(t, postgrestest.Admin(t, server, database), "SELECT version_id, is_applied FROM goose_db_version ORDER BY id"))
}

func TestDatabaseOfANewerReleaseIsLeftAlone(t *testing.T) {
	database := postgrestest.Database(t, server)
	_, err := asMaster(database).Migrate(t.Context())
	require.NoError(t, err)
	admin := postgrestest.Admin(t, server, database)
	_, err = admin.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	require.NoError(t, err)

	version, err := asMaster(database).Migrate(t.Context())
	require.NoError(t, err, "a stack that is rolled back must not fail on the schema that it tried")
	assert.Equal(t, int64(99), version)
}

func TestLoaderMayAddAndReadAndNothingElse(t *testing.T) {
	database := postgrestest.Database(t, server)
	_, err := asMaster(database).Migrate(t.Context())
	require.NoError(t, err)
	loader, err := pgx.Connect(t.Context(), server.DSN(spec.LoaderRole, "token", database.Name))
	require.NoError(t, err)
	defer loader.Close(t.Context())

	for _, sql := range []string{
		"INSERT INTO events (event_id, payload) VALUES ('a', '{}')",
		"INSERT INTO quarantine (origin, reason, data) VALUES ('a', 'because', '')",
		"SELECT FROM events",
		"SELECT FROM quarantine",
	} {
		_, err := loader.Exec(t.Context(), sql)
		assert.NoError(t, err, sql)
	}
	for _, sql := range []string{
		"UPDATE events SET payload = '[]'",
		"DELETE FROM events",
		"TRUNCATE events",
		"DROP TABLE events",
		"ALTER TABLE events ADD COLUMN more text",
		"INSERT INTO events (event_id, payload) VALUES ('a', '{}') ON CONFLICT (event_id) DO UPDATE SET payload = '[]'",
		"UPDATE quarantine SET reason = ''",
		"DELETE FROM quarantine",
		"DROP TABLE quarantine",
		"CREATE TABLE mine ()",
		"CREATE SCHEMA mine",
		"CREATE ROLE mine",
		"SELECT FROM goose_db_version",
		"GRANT SELECT ON events TO PUBLIC WITH GRANT OPTION",
		"SET ROLE " + postgrestest.Master,
	} {
		_, err := loader.Exec(t.Context(), sql)
		var refused *pgconn.PgError
		if assert.ErrorAs(t, err, &refused, sql) && refused.Code != "42501" { // insufficient privilege
			assert.Equal(t, "0LP01", refused.Code, "%s: %s", sql, refused.Message) // invalid grant operation
		}
	}
}

func TestMigratorWaitsForTheDatabaseToLetItIn(t *testing.T) {
	database := postgrestest.Database(t, server)
	admin := postgrestest.Admin(t, server, database)
	_, err := admin.Exec(t.Context(), "CREATE ROLE late LOGIN CREATEROLE PASSWORD 'old' IN ROLE rds_superuser; GRANT ALL ON SCHEMA public TO late")
	require.NoError(t, err)
	t.Cleanup(func() { // its tables go with it
		_, err := admin.Exec(context.Background(), "DROP OWNED BY late CASCADE; DROP ROLE late")
		assert.NoError(t, err)
	})
	go func() {
		time.Sleep(1500 * time.Millisecond)
		_, _ = admin.Exec(context.Background(), "ALTER ROLE late PASSWORD 'new'")
	}()
	m := as(database, "late", "new")
	m.Wait = 20 * time.Second
	version, err := m.Migrate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(1), version)
}

func TestWaitHasAnEndAndShowsNoPassword(t *testing.T) {
	database := postgrestest.Database(t, server)
	m := as(database, postgrestest.Master, "not-the-password")
	m.Wait = 1200 * time.Millisecond
	_, err := m.Migrate(t.Context())
	require.ErrorContains(t, err, "waiting 1.2s for the database")
	require.ErrorContains(t, err, "password authentication failed")
	assert.NotContains(t, err.Error(), "not-the-password")

	m.Wait = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = m.Migrate(ctx)
	require.ErrorContains(t, err, "password authentication failed")
}

func TestMigrationThatFailsSaysWhich(t *testing.T) {
	database := postgrestest.Database(t, server)
	_, err := postgrestest.Admin(t, server, database).Exec(t.Context(), "CREATE TABLE quarantine ()")
	require.NoError(t, err)
	_, err = asMaster(database).Migrate(t.Context())
	require.ErrorContains(t, err, "00001_events.sql")
	require.ErrorContains(t, err, `relation "quarantine" already exists`)
	assert.NotContains(t, err.Error(), postgrestest.MasterPassword)
	assert.Empty(t, postgrestest.Lines(t, postgrestest.Admin(t, server, database), "SELECT FROM pg_tables WHERE tablename = 'events'"),
		"a migration is one transaction")
}
