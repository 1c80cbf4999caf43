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
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/lambdas/emf"
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
	// Insert may ask for the rows more than once. It returns how many were not there yet.
	Insert(ctx context.Context, rows iter.Seq[Row]) (inserted int, err error)
	Quarantine(ctx context.Context, rejects []Reject) error
}

// Inspector is a [Store] that can tell poison by a look, which is faster than
// by halving. It returns the reasons by the rows' indexes.
type Inspector interface {
	Inspect(ctx context.Context, rows []Row) (reasons map[int]string, err error)
}

// Loader stores batches of records. It is a [lambda.Handler], and not for
// concurrent use.
type Loader struct {
	// Store is where events come to rest. Required.
	Store Store
	// Log receives what went wrong, never the data.
	//
	// Default: [slog.Default].
	Log *slog.Logger
	// Metrics receives one line a batch.
	//
	// Default: none are written.
	Metrics *emf.Writer

	data  []byte // of the last batch, for the next
	lacks string // of the database, when it was last told
}

// Invoke stores a batch as Lambda passes it. An error means that the payload is
// no Kinesis event; what is not stored is in the response.
func (l *Loader) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if isRehearsal(payload) {
		return l.rehearse(ctx, payload)
	}
	records, err := decode(payload)
	if err != nil {
		return nil, err
	}
	response, err := json.Marshal(l.store(ctx, records))
	if err != nil {
		return nil, fmt.Errorf("encoding the response: %w", err)
	}
	return response, nil
}

// Handle is [Loader.Invoke] in aws-lambda-go's types.
func (l *Loader) Handle(ctx context.Context, batch events.KinesisEvent) (events.KinesisEventResponse, error) {
	return l.store(ctx, fromEvent(batch)), nil
}

func (l *Loader) store(ctx context.Context, records []record) events.KinesisEventResponse {
	start := time.Now()
	ctx, cancel := leaveTimeToAnswer(ctx)
	defer cancel()
	b := newBatch(records, l.data)
	result := l.insert(ctx, b)
	l.data = b.data
	l.tellLacks(ctx)

	failed := len(records)
	if result.err != nil {
		failed = result.failed
	}
	b.rejects = append(b.rejects, result.poison...)
	if err := l.quarantine(ctx, b.rejects); err != nil {
		result.err = errors.Join(result.err, err)
		failed = min(failed, b.rejects[0].Source.index)
		b.rejects = nil
	}
	l.measure(ctx, b, result, start)
	if result.err == nil {
		return events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	}
	r := records[failed]
	l.log().ErrorContext(ctx, "records are to be sent again", "error", result.err,
		"records", len(records)-failed, "event", r.shard+":"+r.sequence)
	return events.KinesisEventResponse{
		BatchItemFailures: []events.KinesisBatchItemFailure{{ItemIdentifier: r.sequence}},
	}
}

// leaveTimeToAnswer ends ctx before Lambda ends the function: a batch that is
// reported costs an attempt from its failed record on, a function that is cut
// off costs one from the beginning.
func leaveTimeToAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Second, time.Until(deadline)/10)))
}

// quarantine keeps rejects, sorts them as they came, and says so: somebody has
// to look at them.
func (l *Loader) quarantine(ctx context.Context, rejects []Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	slices.SortStableFunc(rejects, func(a, b Reject) int { return a.Source.index - b.Source.index })
	if err := l.Store.Quarantine(ctx, rejects); err != nil {
		return err
	}
	l.log().WarnContext(ctx, "records are in quarantine", "records", len(rejects), "first", rejects[0].Source.Origin.String())
	return nil
}

// tellLacks says once what the database does not have of what is declared.
func (l *Loader) tellLacks(ctx context.Context) {
	lacks := strings.Join(l.storeLacks(), "; ")
	if lacks != l.lacks && lacks != "" {
		l.log().WarnContext(ctx, "the database is of an earlier release: rows go in without what it lacks", "lacks", lacks)
	}
	l.lacks = lacks
}

func (l *Loader) storeLacks() []string {
	if store, ok := l.Store.(Lagging); ok {
		return store.Lacks()
	}
	return nil
}

func (l *Loader) log() *slog.Logger {
	if l.Log == nil {
		return slog.Default()
	}
	return l.Log
}
