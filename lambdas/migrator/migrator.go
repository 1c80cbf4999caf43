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

	provider, err := m.provider(db)
	if err != nil {
		return 0, err
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
	if err != nil {
		return 0, fmt.Errorf("migrating: %w", err)
	}
	version, err = provider.GetDBVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the schema's version: %w", err)
	}
	return version, nil
}

func (m Migrator) provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockTries))
	if err != nil {
		return nil, fmt.Errorf("making the migrations' lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return provider, nil
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
