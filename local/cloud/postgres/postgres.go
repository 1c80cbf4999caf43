// Package postgres runs a real Postgres on the laptop as Amazon RDS presents
// one: TLS only, a certificate authority to verify, and a role rds_iam.
package postgres

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// Admin is the superuser. It has no counterpart on RDS: only what emulates RDS
// itself, or a test, connects as it.
const Admin = "millrace_admin"

// Config says where a server keeps its state and listens.
type Config struct {
	// Dir is the state folder; it is made if need be. A data folder in it from
	// an earlier run is used again. Required.
	Dir string
	// Port is the TCP port on loopback. Default: a free one.
	Port int
	// LogFile gets what the server says. Default: postgres.log in Dir.
	LogFile string
}

// Server is a running Postgres.
type Server struct {
	// Port is where it listens on loopback.
	Port int
	// CAFile is the path of the certificate authority's PEM file; CAPEM is its text.
	CAFile, CAPEM string
	// Process is the postmaster.
	Process *process.Process

	adminPassword string
	setup         *setup
	ended         chan struct{}
	stopped       atomic.Pointer[process.Process] // the one that was told to end
}

// Start starts a server and waits until it answers. ctx bounds the start alone;
// [Server.Stop] ends the server, and on Linux so does the end of this process.
func Start(ctx context.Context, config Config) (*Server, error) {
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	programs, err := Install(ctx)
	if err != nil {
		return nil, err
	}
	who, err := current()
	if err != nil {
		return nil, err
	}
	s := &setup{dir: dir, programs: programs, who: who, log: cmp.Or(config.LogFile, filepath.Join(dir, "postgres.log"))}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("preparing Postgres in %s: %w", dir, err)
	}
	server, err := s.start(ctx, config.Port)
	if err != nil {
		return nil, fmt.Errorf("starting Postgres: %w", err)
	}
	return server, nil
}

// Ended is closed when the server has ended without being told to.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// watch closes ended if running ends by itself.
func (s *Server) watch(running *process.Process) {
	<-running.Done()
	if s.stopped.Load() != running {
		close(s.ended)
	}
}

// Crash ends the server as pg_ctl's immediate mode does: nothing is written any
// more, and the next start recovers from the log.
func (s *Server) Crash(ctx context.Context) error {
	s.stopped.Store(s.Process)
	return s.Process.Stop(ctx, syscall.SIGQUIT)
}

// Restart starts a server that was stopped, on the same port and with the same
// certificate. It changes [Server.Process].
func (s *Server) Restart(ctx context.Context) error {
	log, err := os.OpenFile(s.setup.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	if err := s.setup.run(ctx, s, log); err != nil {
		return fmt.Errorf("starting Postgres again: %w", err)
	}
	return nil
}

// Stop ends the server as pg_ctl's fast mode does: open sessions are cut, what
// is committed is kept. When ctx ends first, the server is killed.
func (s *Server) Stop(ctx context.Context) error {
	s.stopped.Store(s.Process)
	return s.Process.Stop(ctx, syscall.SIGINT)
}

// DSN is the URL to connect with, verifying the server's certificate.
func (s *Server) DSN(user, password, database string) string {
	dsn := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, password),
		Host:     "localhost:" + strconv.Itoa(s.Port),
		Path:     "/" + database,
		RawQuery: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CAFile}}.Encode(),
	}
	return dsn.String()
}

// AdminDSN is the URL to connect with as the superuser.
func (s *Server) AdminDSN(database string) string {
	return s.DSN(Admin, s.adminPassword, database)
}

// setup is what preparing and starting a server share.
type setup struct {
	dir, programs, log string
	who                account
	authority          []byte
	password           string
}

func (s *setup) path(name string) string { return filepath.Join(s.dir, name) }

// prepare makes the data folder if there is none, and the files that are new
// at every start.
func (s *setup) prepare(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(s.path("data")); err != nil {
		if err := s.initialize(ctx); err != nil {
			return err
		}
	}
	password, err := os.ReadFile(s.path("admin.password"))
	if err != nil {
		return err
	}
	s.password = string(password)

	authority, certificate, key, err := certificates()
	if err != nil {
		return err
	}
	s.authority = authority
	return errors.Join(
		os.WriteFile(s.path("ca.pem"), authority, 0o644),
		s.who.write(s.path("server.crt"), certificate),
		s.who.write(s.path("server.key"), key),
		s.who.write(s.path("pg_hba.conf"), []byte(access)),
		s.dropStaleLock(),
	)
}

// initialize runs initdb beside the data folder and renames the result, so
// that a data folder is always whole.
func (s *setup) initialize(ctx context.Context) error {
	fresh := s.path("data.new")
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700), s.who.own(fresh),
		s.who.write(s.path("admin.password"), []byte(rand.Text()))); err != nil {
		return err
	}
	// The builtin locale provider needs no locale of the operating system.
	initdb := exec.Command(filepath.Join(s.programs, "bin", "initdb"), "--pgdata="+fresh,
		"--username="+Admin, "--pwfile="+s.path("admin.password"), "--auth=scram-sha-256", "--encoding=UTF8",
		"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions")
	s.who.run(initdb, s.programs, s.dir)
	var output bytes.Buffer
	initdb.Stdout, initdb.Stderr = &output, &output
	if err := process.Run(ctx, initdb); err != nil {
		return fmt.Errorf("running initdb: %w\n%s", err, output.Bytes())
	}
	return os.Rename(fresh, s.path("data"))
}

// dropStaleLock removes a lock file whose process id now belongs to something
// that is not Postgres on this data: Postgres itself would refuse to start. A
// dead process's lock file is left to Postgres, which checks its shared memory.
func (s *setup) dropStaleLock() error {
	lock := filepath.Join(s.path("data"), "postmaster.pid")
	content, err := os.ReadFile(lock)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return os.Remove(lock)
	}
	holder, err := process.Of(pid)
	if err != nil {
		return nil //nolint:nilerr // no such process: Postgres itself takes over a lock that nobody holds
	}
	if !strings.Contains(holder.Command, s.path("data")) {
		return os.Remove(lock)
	}
	return fmt.Errorf("process %d already serves %s", pid, s.path("data"))
}
