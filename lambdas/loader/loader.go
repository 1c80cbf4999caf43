// Package loader writes the events of a Kinesis stream into Postgres, each
// exactly once: the insert is idempotent on the event's identity, so that any
// redelivery leaves the table as it is.
//
// Nothing is dropped. What can never be stored goes to the table quarantine with
// its bytes and the reason. On trouble that passes, the loader reports the first
// record that is not at rest, and Lambda sends everything from there again
// (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
package loader

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// Row is one event for the table events.
type Row struct {
	ID         string
	Type       string    // empty: null
	OccurredAt time.Time // zero: null
	Payload    json.RawMessage
	Source     Source
}

// Reject is one record for the table quarantine.
type Reject struct {
	Reason string
	Source Source
}

// Source is the record that carried an event.
type Source struct {
	Origin    event.Origin
	ArrivedAt time.Time
	Data      []byte // as it came
	index     int    // in the batch
}

// Store is where rows and rejects come to rest. Both methods write all or
// nothing, and leave alone what is there already. A caller tells by [Retryable]
// what an error asks for.
type Store interface {
	Insert(ctx context.Context, rows []Row) error
	Quarantine(ctx context.Context, rejects []Reject) error
}

// Loader stores batches of records. It is not for concurrent use.
type Loader struct {
	// Store is where events come to rest. Required.
	Store Store
	// Log receives what went wrong, never the data.
	//
	// Default: [slog.Default].
	Log *slog.Logger
}

// Handle stores a batch. It returns no error: what is not stored is in the
// response.
func (l *Loader) Handle(ctx context.Context, batch events.KinesisEvent) (events.KinesisEventResponse, error) {
	rows, rejects := parse(batch)
	stored, poison, err := l.insert(ctx, rows)
	failed := len(batch.Records)
	if err != nil {
		failed = rows[stored].Source.index
	}
	rejects = append(rejects, poison...)
	if quarantineErr := l.quarantine(ctx, rejects); quarantineErr != nil {
		err = errors.Join(err, quarantineErr)
		failed = min(failed, rejects[0].Source.index)
	}
	if err == nil {
		return events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}, nil
	}
	sequence := batch.Records[failed].Kinesis.SequenceNumber
	l.log().ErrorContext(ctx, "records are to be sent again", "error", err,
		"records", len(batch.Records)-failed, "event", batch.Records[failed].EventID)
	return events.KinesisEventResponse{
		BatchItemFailures: []events.KinesisBatchItemFailure{{ItemIdentifier: sequence}},
	}, nil
}

// parse makes a row of each record that is an event, and a reject of each other one.
func parse(batch events.KinesisEvent) (rows []Row, rejects []Reject) {
	rows = make([]Row, 0, len(batch.Records))
	for i, r := range batch.Records {
		source := Source{Origin: origin(r), ArrivedAt: arrival(r), Data: r.Kinesis.Data, index: i}
		e, err := event.Parse(r.Kinesis.Data)
		if err != nil {
			rejects = append(rejects, Reject{Reason: err.Error(), Source: source})
			continue
		}
		row := Row{ID: e.Identity(source.Origin), Type: e.Type, OccurredAt: e.OccurredAt, Payload: e.JSON, Source: source}
		if !e.ArrivedAt.IsZero() {
			row.Source.ArrivedAt = e.ArrivedAt
		}
		rows = append(rows, row)
	}
	return rows, rejects
}

// insert stores rows in their order. Where a value can never be stored it halves
// the rows until it stands alone, and returns it as a reject. On an error rows
// before stored are stored or returned, and the rest is untouched.
func (l *Loader) insert(ctx context.Context, rows []Row) (stored int, rejects []Reject, err error) {
	if len(rows) == 0 {
		return 0, nil, nil
	}
	err = l.Store.Insert(ctx, rows)
	switch {
	case err == nil:
		return len(rows), nil, nil
	case Retryable(err):
		return 0, nil, err
	case len(rows) == 1:
		return 1, []Reject{{Reason: reason(err), Source: rows[0].Source}}, nil
	}
	half := len(rows) / 2
	stored, rejects, err = l.insert(ctx, rows[:half])
	if err != nil {
		return stored, rejects, err
	}
	more, moreRejects, err := l.insert(ctx, rows[half:])
	return half + more, append(rejects, moreRejects...), err
}

// quarantine keeps rejects, sorts them as they came, and says so: somebody has
// to look at them.
func (l *Loader) quarantine(ctx context.Context, rejects []Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	slices.SortFunc(rejects, func(a, b Reject) int { return a.Source.index - b.Source.index })
	if err := l.Store.Quarantine(ctx, rejects); err != nil {
		return err
	}
	l.log().WarnContext(ctx, "records are in quarantine", "records", len(rejects), "first", rejects[0].Source.Origin.String())
	return nil
}

func (l *Loader) log() *slog.Logger {
	if l.Log == nil {
		return slog.Default()
	}
	return l.Log
}
