package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// access is pg_hba.conf. TLS alone, as rds.force_ssl=1 has it on RDS. Real RDS
// checks the IAM token of a member of rds_iam in a plugin that nobody else has;
// here such a role may enter with any token. The master is also a member, by
// rds_superuser, hence the order.
const access = `hostssl all +rds_superuser 127.0.0.1/32 scram-sha-256
hostssl all +rds_superuser ::1/128      scram-sha-256
hostssl all +rds_iam       127.0.0.1/32 trust
hostssl all +rds_iam       ::1/128      trust
hostssl all all            127.0.0.1/32 scram-sha-256
hostssl all all            ::1/128      scram-sha-256
`

// roles are those that every RDS instance has and the master may hand on.
const roles = `DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
		CREATE ROLE rds_iam NOLOGIN;
		CREATE ROLE rds_superuser NOLOGIN;
		GRANT rds_iam, pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION;
	END IF;
END $$`

// attempts bounds how often the start is tried: a free port may be taken by
// someone else before Postgres listens, and the processes of a server that was
// killed may still hold its shared memory for a moment.
const attempts = 10

func (s *setup) start(ctx context.Context, port int) (*Server, error) {
	for attempt := 1; ; attempt++ {
		server, log, err := s.try(ctx, port)
		if err == nil {
			return server, nil
		}
		again := bytes.Contains(log, []byte("shared memory block")) ||
			port == 0 && bytes.Contains(log, []byte("Address already in use"))
		if !again || attempt == attempts || ctx.Err() != nil {
			return nil, fmt.Errorf("%w; the log %s says:\n%s", err, s.log, log)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// try starts the server once; if that fails it returns the log's last lines.
func (s *setup) try(ctx context.Context, port int) (*Server, []byte, error) {
	if port == 0 {
		free, err := freePort()
		if err != nil {
			return nil, nil, err
		}
		port = free
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = log.Close() }()
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, nil, err
	}
	server := &Server{Port: port, CAFile: s.path("ca.pem"), CAPEM: string(s.authority), adminPassword: s.password, setup: s, ended: make(chan struct{})}
	if err := s.run(ctx, server, log); err != nil {
		said, readErr := io.ReadAll(io.NewSectionReader(log, before, 16<<10))
		return nil, said, errors.Join(err, readErr)
	}
	return server, nil, nil
}

func (s *setup) run(ctx context.Context, server *Server, log *os.File) error {
	cmd := exec.Command(filepath.Join(s.programs, "bin", "postgres"), "-D", s.path("data"))
	for _, setting := range []string{
		"listen_addresses=127.0.0.1, ::1",
		"port=" + strconv.Itoa(server.Port),
		"unix_socket_directories=", // every way in is TLS
		"hba_file=" + s.path("pg_hba.conf"),
		"ssl=on",
		"ssl_cert_file=" + s.path("server.crt"),
		"ssl_key_file=" + s.path("server.key"),
		"timezone=UTC",
		"max_connections=200",
	} {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	s.who.run(cmd, s.programs, s.dir)
	cmd.Stdout, cmd.Stderr = log, log
	running, err := process.Start(cmd, syscall.SIGINT)
	if err != nil {
		return err
	}
	server.Process = running
	if err := s.ready(ctx, server); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return errors.Join(err, server.Stop(stop))
	}
	go server.watch(running)
	return nil
}

// ready waits until the server lets the superuser in, and makes RDS's roles.
func (s *setup) ready(ctx context.Context, server *Server) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, server.AdminDSN("postgres"))
		if err == nil {
			_, err = conn.Exec(ctx, roles)
			return errors.Join(err, conn.Close(ctx))
		}
		select {
		case <-server.Process.Done():
			return fmt.Errorf("it ended at once: %w", server.Process.Err())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
