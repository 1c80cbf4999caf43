// Package transformer is the Firehose data transformation: it turns each record
// of a delivery stream into lines of the lake, or says that it cannot.
//
// What is done to a record is a [Func]; [Handler] puts it behind Firehose's
// contract (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html),
// and [Start] makes it a Lambda function:
//
//	func main() {
//		transformer.Start(func(ctx context.Context, r transformer.Record) (transformer.Result, error) {
//			r.Payload = bytes.ReplaceAll(r.Payload, []byte("colour"), []byte("color"))
//			return transformer.ToLine(ctx, r)
//		})
//	}
//
// The function that millrace deploys is assembled from declared steps: package
// [github.com/millrace-cdk/millrace/lambdas/transformer/steps].
package transformer

import (
	"context"
	"errors"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// Record is one record of a delivery stream.
type Record struct {
	// Payload is what the producer sent. Firehose has taken KPL aggregates apart
	// already. It is valid until the Func returns, which may write to it.
	Payload []byte
	// Origin is where the record arrived, to the sub-sequence number in a KPL
	// aggregate. It identifies an event that has no event_id.
	Origin event.Origin
	// ArrivedAt is when it arrived, in UTC, to the millisecond.
	ArrivedAt time.Time
	// PartitionKey is the one of the Kinesis record. Empty for direct PUT.
	PartitionKey string
	// Buffer is empty and has room: a Func that appends its lines to it, and
	// returns them as [Result.Data], allocates nothing for them.
	Buffer []byte
}

// Result is what has become of a record.
type Result struct {
	// Data is delivered as it is: one or several whole lines, each with its line
	// feed. Empty: the record is dropped on purpose. It is read before the Func is
	// called again.
	Data []byte
	// PartitionKeys are the values for dynamic partitioning, one set for all the
	// lines: Firehose delivers what came of one record to one prefix.
	//
	// Default: none.
	PartitionKeys map[string]string
}

// Func turns a record into what is delivered in its place. An error, or a panic,
// fails this record alone: Firehose writes the record as it came under the error
// prefix. Nothing of the error reaches that object (its errorMessage is Lambda's:
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html);
// it is logged and counted, so it must not show the data. See [Error].
//
// Records come one after another, in order.
type Func func(context.Context, Record) (Result, error)

// Error is an error with a reason to count it by.
type Error struct {
	// Reason is one of few constant words in CamelCase: it becomes a dimension of
	// a CloudWatch metric, and each value is a metric that is paid for.
	Reason string
	// Err says more, without the data. It is logged once a batch for each text.
	Err error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ToLine is the [Func] for events: one JSON object, one line, our metadata
// as its last member. An empty record is dropped; anything else that is not a
// JSON object is an error.
func ToLine(_ context.Context, r Record) (Result, error) {
	line, err := event.AppendLine(r.Buffer, r.Payload, r.Origin, r.ArrivedAt)
	if errors.Is(err, event.ErrEmpty) {
		return Result{}, nil
	}
	return Result{Data: line}, err
}
