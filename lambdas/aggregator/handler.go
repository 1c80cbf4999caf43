package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/lambdas/emf"
	"github.com/millrace-cdk/millrace/lambdas/kpl"
	"github.com/millrace-cdk/millrace/spec"
)

// Sink is where results go. Write returns nil when all rows are there; a row
// that is written twice is one row to who reads by its ID.
type Sink interface {
	Write(ctx context.Context, rows []Row) error
}

// Aggregator is the function. It is a [lambda.Handler].
type Aggregator struct {
	// Sink takes the results. Required.
	Sink Sink
	// Log receives what went wrong, never the data.
	//
	// Default: [slog.Default].
	Log *slog.Logger
	// Metrics receives one line an invocation that succeeded.
	//
	// Default: none are written.
	Metrics *emf.Writer

	rules *rules
}

// New returns an Aggregator that obeys s. Its Sink is for the caller to set.
func New(s spec.Windows) (*Aggregator, error) {
	rules, err := newRules(s)
	if err != nil {
		return nil, fmt.Errorf("reading the aggregator's spec: %w", err)
	}
	return &Aggregator{rules: rules}, nil
}

// windowEvent is Lambda's KinesisTimeWindowEvent. aws-lambda-go has it with a state of texts only.
type windowEvent struct {
	events.KinesisEvent

	Window                  *events.Window `json:"window"`
	State                   state          `json:"state"`
	ShardID                 string         `json:"shardId"`
	EventSourceARN          string         `json:"eventSourceARN"`
	IsFinalInvokeForWindow  bool           `json:"isFinalInvokeForWindow"`
	IsWindowTerminatedEarly bool           `json:"isWindowTerminatedEarly"`
}

// windowResponse is Lambda's TimeWindowEventResponse. No record is ever reported
// as failed: an error has Lambda send the whole batch again with the state that it had.
type windowResponse struct {
	State             state                            `json:"state"`
	BatchItemFailures []events.KinesisBatchItemFailure `json:"batchItemFailures"`
}

// Invoke takes a batch of a window in, as Lambda passes it, and answers with the
// state. Of the window's last invocation the results are at rest when it returns.
func (a *Aggregator) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var batch windowEvent
	if err := json.Unmarshal(payload, &batch); err != nil {
		return nil, fmt.Errorf("decoding the event of a tumbling window: %w", err)
	}
	if batch.Window == nil {
		return nil, errors.New("the event has no window: the event source mapping must have TumblingWindowInSeconds")
	}
	_, stream, _ := strings.Cut(batch.EventSourceARN, "/")
	stream, _, _ = strings.Cut(stream, "/") // a consumer's ARN goes on
	w, err := a.rules.newAggregation(Window{Stream: stream, Shard: batch.ShardID, Start: batch.Window.Start.Time, End: batch.Window.End.Time}, batch.State)
	if err != nil {
		return nil, err
	}
	for _, r := range batch.Records {
		if err := w.addRecord(r.Kinesis.SequenceNumber, r.Kinesis.Data); err != nil {
			return nil, err
		}
	}
	final := batch.IsFinalInvokeForWindow || batch.IsWindowTerminatedEarly
	if final {
		if err := w.closePart(); err != nil {
			return nil, err
		}
		w.state = state{} // which Lambda drops
	}
	if err := a.write(ctx, w.rows); err != nil {
		return nil, err
	}
	response, err := json.Marshal(windowResponse{State: w.state, BatchItemFailures: []events.KinesisBatchItemFailure{}})
	if err != nil {
		return nil, fmt.Errorf("encoding the response: %w", err)
	}
	a.measure(ctx, w, batch.IsWindowTerminatedEarly)
	return response, nil
}

// addRecord takes in every event that a record carries.
func (a *aggregation) addRecord(sequence string, data []byte) error {
	packed, aggregated := kpl.Split(data)
	if !aggregated {
		return a.add(place{Sequence: sequence}, data)
	}
	for i, r := range packed {
		if err := a.add(place{sequence, i}, r.Data); err != nil {
			return err
		}
	}
	return nil
}

// write leaves time to answer: an error says what is wrong, and a timeout does not.
func (a *Aggregator) write(ctx context.Context, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(time.Second, time.Until(deadline)/10)))
		defer cancel()
	}
	if err := a.Sink.Write(ctx, rows); err != nil {
		return fmt.Errorf("writing %d results: %w", len(rows), err)
	}
	return nil
}

func (a *Aggregator) log() *slog.Logger {
	if a.Log == nil {
		return slog.Default()
	}
	return a.Log
}
