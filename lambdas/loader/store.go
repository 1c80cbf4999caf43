package loader

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/postgres"
)

// Postgres is the [Store] of the tables that the migrator makes.
type Postgres struct {
	session *postgres.Session
}

// NewPostgres returns a Store that connects by config when it is first used.
func NewPostgres(config postgres.Config) *Postgres {
	return &Postgres{session: postgres.NewSession(config)}
}

// The rows go in ordered by their key, so that two loaders that insert the same
// events wait for each other and never deadlock; of duplicates in one batch the
// first wins.
const insertEvents = `
INSERT INTO events (event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at)
SELECT event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
  WITH ORDINALITY AS e (event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at, position)
ORDER BY event_id COLLATE "C", position
ON CONFLICT (event_id) DO NOTHING`

// Insert stores rows in one statement, which is one transaction.
func (p *Postgres) Insert(ctx context.Context, rows []Row) error {
	var (
		ids, streams, shards, sequences []string
		types                           []*string
		occurred                        []*time.Time
		payloads                        []json.RawMessage
		arrived                         []time.Time
	)
	for _, r := range rows {
		ids = append(ids, r.ID)
		types = append(types, nullIfZero(r.Type))
		occurred = append(occurred, nullIfZero(r.OccurredAt))
		payloads = append(payloads, r.Payload)
		streams = append(streams, r.Source.Origin.Stream)
		shards = append(shards, r.Source.Origin.Shard)
		sequences = append(sequences, r.Source.Origin.Sequence)
		arrived = append(arrived, r.Source.ArrivedAt)
	}
	return p.exec(ctx, "inserting events", insertEvents, ids, types, occurred, payloads, streams, shards, sequences, arrived)
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
	return p.exec(ctx, "quarantining records", insertQuarantine, origins, reasons, data, arrived)
}

func (p *Postgres) exec(ctx context.Context, doing, sql string, arguments ...any) error {
	conn, err := p.session.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if _, err := conn.Exec(ctx, sql, arguments...); err != nil {
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
