// Package transformer is the Firehose data transformation: it turns each record
// of a delivery stream into one line of the lake, or says that it cannot.
//
// What is done to a record is a [Transform]; [Handler] puts it behind Firehose's
// contract (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html).
package transformer

import (
	"context"
	"errors"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// Record is one record of a delivery stream.
type Record struct {
	// Data is what the producer sent. Firehose has taken KPL aggregates apart already.
	Data []byte
	// Origin is where the record arrived.
	Origin event.Origin
	// ArrivedAt is when it arrived, to the millisecond.
	ArrivedAt time.Time
	// PartitionKey is the one of the Kinesis record. Empty for direct PUT.
	PartitionKey string
}

// Result is what has become of a record.
type Result struct {
	// Data is delivered as it is: whole lines, each with its line feed. Empty:
	// the record is dropped on purpose.
	Data []byte
	// PartitionKeys are the values for dynamic partitioning.
	//
	// Default: none.
	PartitionKeys map[string]string
}

// Transform turns a record into what is delivered in its place. An error, or a
// panic, fails this record alone: Firehose writes it under the error prefix.
// The error is logged, so it must not show the data.
type Transform func(context.Context, Record) (Result, error)

// ToLine is the [Transform] for events: one JSON object, one line, our metadata
// as its last member. An empty record is dropped; anything else that is not a
// JSON object is an error.
func ToLine(_ context.Context, r Record) (Result, error) {
	e, err := event.Parse(r.Data)
	if errors.Is(err, event.ErrEmpty) {
		return Result{}, nil
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Data: e.Line(r.Origin, r.ArrivedAt)}, nil
}
