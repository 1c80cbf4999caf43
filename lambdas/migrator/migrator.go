// Package migrator brings the database's schema up to this release: the SQL files
// in migrations/, in order, each once, under a lock. It is the handler of a
// CloudFormation custom resource, so that a deploy goes on only when the schema is there.
package migrator

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/millrace-cdk/millrace/lambdas/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// DefaultWait is how long the migrator waits for a database that does not
	// let it in yet: it may have been made a moment ago.
	DefaultWait = time.Minute
	// retryEvery is the pause between two attempts to connect.
	retryEvery = time.Second
	// lockTries bounds the wait, in seconds, for another run of the migrator on the same database.
	lockTries = 60
)

// Migrator migrates one database.
type Migrator struct {
	// Config returns how to connect. It is called at each attempt: a password
	// may be rotated in between. Required.
	Config func(context.Context) (postgres.Config, error)
	// Wait bounds how long connecting is tried.
	//
	// Default: [DefaultWait].
	Wait time.Duration
	// Files are the migrations of the declared tables, by file name, as
	// [Generate] makes them.
	//
	// Default: none.
	Files map[string]string
	// Log receives one line a migration that was applied.
	//
	// Default: [slog.Default].
	Log *slog.Logger
}

// Migrate applies the migrations that the database does not have, and returns
// the schema's version. A database that has them all is left as it is.
func (m Migrator) Migrate(ctx context.Context) (version int64, err error) {
	db, err := m.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	own, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, fmt.Errorf("reading the migrations: %w", err)
	}
	err = locked(ctx, db, func() error {
		version, err = m.apply(ctx, db, set{files: own, versions: goose.DefaultTablename})
		if err != nil || len(m.Files) == 0 {
			return err
		}
		_, err = m.apply(ctx, db, set{files: memory(m.Files), versions: tablesVersions})
		return err
	})
	return version, err
}

// tablesVersions is where goose counts the migrations of the declared tables:
// they have numbers of their own.
const tablesVersions = "millrace_tables_version"

// set is migrations with a count of their own.
type set struct {
	files    fs.FS
	versions string // the table that counts
}

// locked runs do while no other migrator works on the database. The lock ends
// with the connection, should this process be killed.
func locked(ctx context.Context, db *sql.DB, do func() error) (err error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockTries))
	if err != nil {
		return fmt.Errorf("making the migrations' lock: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting for the migrations' lock: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := locker.SessionLock(ctx, conn); err != nil {
		return fmt.Errorf("waiting for another migrator: %w", err)
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()
	return do()
}

// apply applies what the database does not have of s, and returns the version that it is at.
func (m Migrator) apply(ctx context.Context, db *sql.DB, s set) (version int64, err error) {
	provider, err := goose.NewProvider(goose.DialectPostgres, db, s.files, goose.WithTableName(s.versions), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return 0, fmt.Errorf("reading the migrations: %w", err)
	}
	if err := m.check(ctx, db, s, provider); err != nil {
		return 0, fmt.Errorf("migrating: %w", err)
	}
	applied, err := provider.Up(ctx)
	var failed *goose.PartialError
	if errors.As(err, &failed) {
		applied = failed.Applied
		err = fmt.Errorf("%s: %w", failed.Failed.Source.Path, failed.Err)
	}
	for _, a := range applied {
		m.log().InfoContext(ctx, "migration applied", "file", a.Source.Path, "duration", a.Duration)
	}
	if err := errors.Join(err, remember(ctx, db, s, provider)); err != nil {
		return 0, fmt.Errorf("migrating: %w", err)
	}
	version, err = provider.GetDBVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the schema's version: %w", err)
	}
	return version, nil
}

// open connects, and tries again until the database lets it in or m.Wait is over.
func (m Migrator) open(ctx context.Context) (*sql.DB, error) {
	wait := m.Wait
	if wait == 0 {
		wait = DefaultWait
	}
	for deadline := time.Now().Add(wait); ; {
		db, err := m.try(ctx)
		if err == nil {
			return db, nil
		}
		if time.Now().Add(retryEvery).After(deadline) {
			return nil, fmt.Errorf("waiting %s for the database: %w", wait, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the database: %w", err)
		case <-time.After(retryEvery):
		}
	}
}

func (m Migrator) try(ctx context.Context) (*sql.DB, error) {
	config, err := m.Config(ctx)
	if err != nil {
		return nil, err
	}
	connection, err := config.ConnConfig(ctx)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*connection)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Postgres: %w", err), db.Close())
	}
	return db, nil
}

func (m Migrator) log() *slog.Logger {
	if m.Log == nil {
		return slog.Default()
	}
	return m.Log
}
