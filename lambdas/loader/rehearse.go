package loader

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace-cdk/millrace/spec"
)

// Rehearser is a [Store] that can do all that it does and keep nothing of it.
type Rehearser interface {
	// Rehearse calls do with a Store of which nothing stays. The error is do's, or says that it could not begin or take back.
	Rehearse(ctx context.Context, do func(Store) error) error
}

// isRehearsal tells by the payload's first bytes, since every batch is asked.
func isRehearsal(payload []byte) bool {
	return bytes.HasPrefix(payload, []byte(`{"`+spec.RehearsalMember+`":`))
}

// rehearse does with an event what [Loader.Invoke] does, up to the commit: it connects, and
// sends the same statements to the same tables. There are no metrics of it, whose alarms are of real events.
func (l *Loader) rehearse(ctx context.Context, payload []byte) ([]byte, error) {
	var request map[string]events.KinesisEvent
	if err := json.Unmarshal(payload, &request); err != nil {
		return nil, fmt.Errorf("decoding a rehearsal: %w", err)
	}
	rehearser, ok := l.Store.(Rehearser)
	if !ok {
		return nil, fmt.Errorf("rehearsing: a %T cannot", l.Store)
	}
	ctx, cancel := leaveTimeToAnswer(ctx)
	defer cancel()
	var found spec.Rehearsal
	err := rehearser.Rehearse(ctx, func(store Store) error {
		double := &Loader{Store: store, Log: slog.New(slog.DiscardHandler)} // nothing is in quarantine in the end
		b := newBatch(fromEvent(request[spec.RehearsalMember]), nil)
		result := double.insert(ctx, b)
		b.parseAll()
		rejects := append(b.rejects, result.poison...)
		found = spec.Rehearsal{Stored: result.stored, Quarantined: len(rejects)}
		return errors.Join(result.err, double.quarantine(ctx, rejects))
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]spec.Rehearsal{"rehearsal": found})
}

// connection is what statements are sent on: a [pgx.Conn], or a rehearsal's transaction.
type connection interface {
	Begin(context.Context) (pgx.Tx, error)
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
	PgConn() *pgconn.PgConn
}

// inTransaction is a transaction as a connection: what begins on it is a savepoint.
type inTransaction struct{ pgx.Tx }

func (t inTransaction) PgConn() *pgconn.PgConn { return t.Conn().PgConn() }

// Rehearse calls do with a store whose statements are all in one transaction, and rolls it back.
func (p *Postgres) Rehearse(ctx context.Context, do func(Store) error) error {
	return p.use(ctx, "rehearsing", func(conn connection) error {
		if err := p.fitTables(ctx, conn); err != nil {
			return err
		}
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		err = do(&Postgres{statements: p.statements, inspections: p.inspections, rehearsal: tx})
		return errors.Join(err, tx.Rollback(ctx))
	})
}

// useRehearsal has do begin at a savepoint: as without a rehearsal, what fails takes nothing else with it.
func (p *Postgres) useRehearsal(ctx context.Context, doing string, do func(connection) error) error {
	err := pgx.BeginFunc(ctx, p.rehearsal, func(tx pgx.Tx) error { return do(inTransaction{tx}) })
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
