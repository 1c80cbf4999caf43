package loader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

// mergeFor is how many inserts after one that met a duplicate are merges:
// duplicates come in flocks, and a COPY that fails leaves dead rows behind.
const mergeFor = 16

// mergeTries bounds how often a merge gives way in a deadlock. Merges have none
// among themselves, but with the COPY of a loader that has the same events.
const mergeTries = 3

// Postgres is the [Store] of the tables that the migrator makes.
type Postgres struct {
	session   *postgres.Session
	tables    []spec.Table // the declared ones that are filled
	merges    int          // so many inserts are merges
	buf       []byte       // of the last COPY, for the next
	rehearsal pgx.Tx       // what a rehearsal rolls back; nil otherwise

	lookedOn    *pgconn.PgConn // the connection that the tables were last looked at on
	lacks       []string       // what the database did not have of them then
	statements  []string       // that fill the tables as they are there
	inspections []string       // that find what these refuse
}

// NewPostgres returns a Store that connects by config when it is first used, and
// fills tables beside events.
func NewPostgres(config postgres.Config, tables []spec.Table) (*Postgres, error) {
	if err := spec.ValidateTables(tables); err != nil {
		return nil, err
	}
	p := &Postgres{session: postgres.NewSession(config)}
	for _, t := range tables {
		if !t.Retired {
			p.tables = append(p.tables, t)
		}
	}
	return p, nil
}

// Lacks is what the database did not have of the declared tables, when rows were
// last inserted: they went in without it.
func (p *Postgres) Lacks() []string { return p.lacks }

// fill adds the statements that fill a table.
func (p *Postgres) fill(t spec.Table) error {
	fill, err := statement(t)
	if err != nil {
		return err
	}
	inspect, err := inspection(t)
	if err != nil {
		return err
	}
	p.statements, p.inspections = append(p.statements, fill), append(p.inspections, inspect)
	return nil
}

// Insert stores rows in one transaction. New events go in by COPY, at which
// Postgres is fastest; as soon as one is there already, by a merge.
func (p *Postgres) Insert(ctx context.Context, rows iter.Seq[Row]) (inserted int, err error) {
	err = p.use(ctx, "inserting events", func(conn connection) error {
		if err := p.fitTables(ctx, conn); err != nil {
			return err
		}
		if p.merges == 0 {
			inserted, err = p.copy(ctx, conn, rows)
			// A deadlock is a duplicate too: COPY takes the rows as they come, and
			// another loader has one of them, in another order.
			if !is(err, duplicateKey) && !is(err, deadlock) {
				return err
			}
			p.merges = mergeFor
		}
		p.merges--
		total := 0
		for try := 1; ; try++ {
			inserted, total, err = p.merge(ctx, conn, rows)
			if !is(err, deadlock) || try == mergeTries {
				break
			}
		}
		if inserted < total {
			p.merges = mergeFor
		}
		return err
	})
	return inserted, err
}

const (
	duplicateKey = "23505"
	deadlock     = "40P01"
)

func is(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}

func (p *Postgres) copy(ctx context.Context, conn connection, rows iter.Seq[Row]) (inserted int, err error) {
	err = p.withTables(ctx, conn, rows, func() error {
		reader := newCopyReader(rows, p.buf)
		tag, err := conn.PgConn().CopyFrom(ctx, reader, copyEvents)
		p.buf = reader.close()
		inserted = int(tag.RowsAffected())
		return err
	})
	return inserted, err
}

// withTables runs insert and fills the declared tables with rows, in one
// transaction. Without any, insert's one statement is one, except in a rehearsal, whose own it would end.
func (p *Postgres) withTables(ctx context.Context, conn connection, rows iter.Seq[Row], insert func() error) error {
	if len(p.statements) == 0 && p.rehearsal == nil {
		return insert()
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := insert(); err != nil {
			return err
		}
		var ids []string
		for row := range rows {
			ids = append(ids, row.ID)
		}
		for _, sql := range p.statements {
			if _, err := tx.Exec(ctx, sql, ids); err != nil {
				return err
			}
		}
		return nil
	})
}

// The rows go in ordered by their key, so that two loaders that merge the same
// events wait for each other and never deadlock; of duplicates in one batch the
// first wins.
const mergeEvents = `
INSERT INTO events (event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at)
SELECT event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
  WITH ORDINALITY AS e (event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at, position)
ORDER BY event_id COLLATE "C", position
ON CONFLICT (event_id) DO NOTHING`

func (p *Postgres) merge(ctx context.Context, conn connection, rows iter.Seq[Row]) (inserted, total int, err error) {
	var (
		ids, streams, shards, sequences []string
		types                           []*string
		occurred                        []*time.Time
		payloads                        []json.RawMessage
		arrived                         []time.Time
	)
	for r := range rows {
		ids = append(ids, r.ID)
		types = append(types, nullIfZero(r.Type))
		occurred = append(occurred, nullIfZero(r.OccurredAt))
		payloads = append(payloads, r.Payload)
		streams = append(streams, r.Source.Origin.Stream)
		shards = append(shards, r.Source.Origin.Shard)
		sequences = append(sequences, r.Source.Origin.Sequence)
		arrived = append(arrived, r.Source.ArrivedAt)
	}
	err = p.withTables(ctx, conn, rows, func() error {
		tag, err := conn.Exec(ctx, mergeEvents, ids, types, occurred, payloads, streams, shards, sequences, arrived)
		inserted = int(tag.RowsAffected())
		return err
	})
	return inserted, len(ids), err
}

const insertQuarantine = `
INSERT INTO quarantine (origin, reason, data, arrived_at)
SELECT origin, reason, data, arrived_at
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[]) AS q (origin, reason, data, arrived_at)
ORDER BY origin COLLATE "C"
ON CONFLICT (origin) DO NOTHING`

// Quarantine stores rejects in one statement, which is one transaction.
func (p *Postgres) Quarantine(ctx context.Context, rejects []Reject) error {
	var (
		origins, reasons []string
		data             [][]byte
		arrived          []time.Time
	)
	for _, r := range rejects {
		origins = append(origins, r.Source.Origin.String())
		reasons = append(reasons, r.Reason)
		if r.Source.Data == nil { // it would be null
			r.Source.Data = []byte{}
		}
		data = append(data, r.Source.Data)
		arrived = append(arrived, r.Source.ArrivedAt)
	}
	return p.use(ctx, "quarantining records", func(conn connection) error {
		_, err := conn.Exec(ctx, insertQuarantine, origins, reasons, data, arrived)
		return err
	})
}

func (p *Postgres) use(ctx context.Context, doing string, do func(connection) error) error {
	if p.rehearsal != nil {
		return p.useRehearsal(ctx, doing, do)
	}
	conn, err := p.session.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := do(conn); err != nil {
		if Retryable(err) {
			// A server that was failed over, or is read-only, is not worth
			// keeping: the next connection may find the right one.
			p.session.Close(ctx)
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// nullIfZero returns nil, which is null in Postgres, for T's zero value.
func nullIfZero[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}
