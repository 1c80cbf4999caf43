// Package postgrestest gives the tests of the Lambda functions a real Postgres
// that presents itself as Amazon RDS does. Only tests import it.
//
// Each test package that uses it has a line of its own,
//
//	func TestMain(m *testing.M) { postgrestest.Main(m, &server) }
//
// since a server takes seconds to start; each test has a database of its own.
package postgrestest

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	local "github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

const (
	// Master is the role that owns the databases, as RDS's master user does.
	Master = "master"
	// MasterPassword is its password. Nothing may show it.
	MasterPassword = "a-password-that-nobody-may-see"
)

// Main starts a server, puts it into *server, runs the tests and stops it.
func Main(m *testing.M, server **local.Server) {
	code, err := run(m, server)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, server **local.Server) (code int, err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "postgrestest")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // Postgres runs as another user when we are root
		return 1, err
	}
	s, err := local.Start(ctx, local.Config{Dir: dir})
	if err != nil {
		return 1, err
	}
	*server = s
	if err := exec(ctx, s, "CREATE ROLE "+Master+" LOGIN CREATEROLE PASSWORD '"+MasterPassword+"' IN ROLE rds_superuser"); err == nil {
		code = m.Run()
	}
	stop, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return code, s.Stop(stop)
}

func exec(ctx context.Context, s *local.Server, sql string) error {
	conn, err := pgx.Connect(ctx, s.AdminDSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// Database makes a database with nothing in it, for one test, and says how to reach it.
func Database(t testing.TB, s *local.Server) spec.Database {
	t.Helper()
	name := "test_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	require.NoError(t, exec(t.Context(), s, "CREATE DATABASE "+name+" OWNER "+Master))
	t.Cleanup(func() {
		require.NoError(t, exec(context.Background(), s, "DROP DATABASE "+name+" WITH (FORCE)"))
	})
	return spec.Database{Host: "localhost", Port: strconv.Itoa(s.Port), Name: name, CABundle: s.CAPEM}
}

// Admin connects to a database as the superuser until the test ends.
func Admin(t testing.TB, s *local.Server, database spec.Database) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.AdminDSN(database.Name))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Lines runs a query and returns its rows, each as one line of text: what two
// runs are compared by.
func Lines(t testing.TB, conn *pgx.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		fields := make([]string, len(values))
		for i, v := range values {
			fields[i] = fmt.Sprint(v)
		}
		return strings.Join(fields, " "), err
	})
	require.NoError(t, err)
	return lines
}
