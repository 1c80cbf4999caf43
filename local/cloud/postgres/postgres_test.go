package postgres_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/cloud/postgres"
)

func start(t *testing.T, dir string) *postgres.Server {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(t, server.Stop(ctx))
	})
	return server
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close(context.Background())) })
	return conn
}

func TestServerPresentsItselfAsRDSDoes(t *testing.T) {
	server := start(t, t.TempDir())
	admin := connect(t, server.AdminDSN("postgres"))

	t.Run("with a role rds_iam", func(t *testing.T) {
		var found bool
		require.NoError(t, admin.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam')").Scan(&found))
		assert.True(t, found)
	})
	t.Run("refusing plaintext", func(t *testing.T) {
		_, err := pgx.Connect(t.Context(), strings.Replace(server.AdminDSN("postgres"), "verify-full", "disable", 1))
		require.ErrorContains(t, err, "no pg_hba.conf entry")
	})
	t.Run("verified only by its own authority", func(t *testing.T) {
		var encrypted bool
		require.NoError(t, admin.QueryRow(t.Context(), "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&encrypted))
		assert.True(t, encrypted)

		config, err := pgx.ParseConfig(server.AdminDSN("postgres"))
		require.NoError(t, err)
		config.TLSConfig.RootCAs = nil // the system's
		_, err = pgx.ConnectConfig(t.Context(), config)
		require.ErrorContains(t, err, "certificate signed by unknown authority")
	})
	t.Run("asking for a password unless IAM stands in for it", func(t *testing.T) {
		_, err := admin.Exec(t.Context(), "CREATE ROLE plain LOGIN PASSWORD 'right'; CREATE ROLE token LOGIN; GRANT rds_iam TO token")
		require.NoError(t, err)
		connect(t, server.DSN("plain", "right", "postgres"))
		connect(t, server.DSN("token", "any token", "postgres"))
		_, err = pgx.Connect(t.Context(), server.DSN("plain", "wrong", "postgres"))
		require.ErrorContains(t, err, "password authentication failed")
		_, err = pgx.Connect(t.Context(), server.DSN(postgres.Admin, "wrong", "postgres"))
		require.ErrorContains(t, err, "password authentication failed")
	})
	t.Run("letting a master hand on rds_iam, but only by its own password", func(t *testing.T) {
		_, err := admin.Exec(t.Context(), "CREATE ROLE master LOGIN CREATEROLE PASSWORD 'right' IN ROLE rds_superuser")
		require.NoError(t, err)
		master := connect(t, server.DSN("master", "right", "postgres"))
		_, err = master.Exec(t.Context(), "CREATE ROLE loader LOGIN; GRANT rds_iam TO loader")
		require.NoError(t, err)
		connect(t, server.DSN("loader", "any token", "postgres"))
		_, err = pgx.Connect(t.Context(), server.DSN("master", "wrong", "postgres"))
		require.ErrorContains(t, err, "password authentication failed")
	})
}

func TestStopEndsTheServer(t *testing.T) {
	server := start(t, t.TempDir())
	identity, err := server.Process.Identity()
	require.NoError(t, err)
	require.NoError(t, server.Stop(t.Context()))
	assert.False(t, identity.Alive())
	_, err = pgx.Connect(t.Context(), server.AdminDSN("postgres"))
	require.Error(t, err)
	assert.NoError(t, server.Stop(t.Context()), "stopping twice")
}

func TestServerStartsAgainOnItsDataAfterAKill(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	admin, err := pgx.Connect(t.Context(), first.AdminDSN("postgres"))
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), "CREATE TABLE kept AS SELECT 42 AS answer")
	require.NoError(t, err)
	identity, err := first.Process.Identity()
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(identity.Pid, syscall.SIGKILL))
	<-first.Process.Done()

	var answer int
	second := connect(t, start(t, dir).AdminDSN("postgres"))
	require.NoError(t, second.QueryRow(t.Context(), "SELECT answer FROM kept").Scan(&answer))
	assert.Equal(t, 42, answer)
}

func TestLockFileOfAForeignProcessIsStale(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, start(t, dir).Stop(t.Context()))
	lock := strconv.Itoa(os.Getpid()) + "\n" // an id that was reused: ours
	require.NoError(t, os.WriteFile(dir+"/data/postmaster.pid", []byte(lock), 0o600))

	connect(t, start(t, dir).AdminDSN("postgres"))
}

func TestPortThatIsTakenIsNamed(t *testing.T) {
	server := start(t, t.TempDir())
	_, err := postgres.Start(t.Context(), postgres.Config{Dir: t.TempDir(), Port: server.Port})
	require.ErrorContains(t, err, "Address already in use")
	require.ErrorContains(t, err, strconv.Itoa(server.Port))
}
