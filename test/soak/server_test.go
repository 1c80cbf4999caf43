package soak

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres"
	local "github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/local/cloud/process"
	"github.com/millrace-cdk/millrace/spec"
)

// server is a Postgres that is killed and started again on the same data.
type server struct {
	*local.Server
	dir   string
	files map[string][]byte // the certificates of the first start

	mu      sync.Mutex
	running *process.Process
}

func newServer(t testing.TB, tables []spec.Table) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "soak")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) // Postgres runs as another user when we are root
	first, err := local.Start(t.Context(), local.Config{Dir: dir})
	require.NoError(t, err)
	s := &server{Server: first, dir: dir, files: map[string][]byte{}, running: first.Process}
	t.Cleanup(func() { require.NoError(t, s.stop()) })
	for _, name := range []string{"ca.pem", "server.crt", "server.key"} {
		s.files[name], err = os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
	}
	s.migrate(t, tables)
	return s
}

func (s *server) migrate(t testing.TB, tables []spec.Table) {
	t.Helper()
	m := migrator.Migrator{
		Log: slog.New(slog.DiscardHandler),
		Config: func(context.Context) (postgres.Config, error) {
			return postgres.Config{Database: s.database(strconv.Itoa(s.Port)), User: master, Authenticate: func(context.Context) (string, error) { return master, nil }}, nil
		},
	}
	admin := s.admin(t)
	_, err := admin.Exec(t.Context(), "CREATE ROLE "+master+" LOGIN CREATEROLE PASSWORD '"+master+"' IN ROLE rds_superuser; GRANT ALL ON SCHEMA public TO "+master)
	require.NoError(t, err)
	if len(tables) > 0 {
		sql, err := migrator.Generate(nil, tables)
		require.NoError(t, err)
		m.Files = map[string]string{"00001_tables.sql": sql}
	}
	_, err = m.Migrate(t.Context())
	require.NoError(t, err)
}

const master = "master"

func (s *server) database(port string) spec.Database {
	return spec.Database{Host: "localhost", Port: port, Name: "postgres", CABundle: s.CAPEM}
}

func (s *server) admin(t testing.TB) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.AdminDSN("postgres"))
		if err == nil {
			t.Cleanup(func() { _ = conn.Close(context.Background()) })
			return conn
		}
		require.NoError(t, ctx.Err(), "Postgres does not answer")
		time.Sleep(20 * time.Millisecond)
	}
}

// restart ends the server by a signal, and starts it again. A start makes new
// certificates; the loaders know the first ones, so those come back.
func (s *server) restart(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.end(signal); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	again, err := local.Start(ctx, local.Config{Dir: s.dir, Port: s.Port})
	if err != nil {
		return err
	}
	s.running = again.Process
	for name, content := range s.files {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return s.signal(syscall.SIGHUP) // reads them
}

func (s *server) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(syscall.SIGINT)
}

func (s *server) end(signal syscall.Signal) error {
	if err := s.signal(signal); err != nil {
		return err
	}
	<-s.running.Done()
	return nil
}

func (s *server) signal(signal syscall.Signal) error {
	identity, err := s.running.Identity()
	if err != nil {
		return fmt.Errorf("finding Postgres: %w", err)
	}
	return syscall.Kill(identity.Pid, signal)
}
