// Package steps assembles a [transformer.Func] from what a construct declares in
// a [spec.Transformer]. What no step touches comes out byte for byte.
package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/spec"
)

// document is one event on its way through the steps.
type document struct {
	text   []byte // a compact JSON object, without our metadata member
	keys   map[string]string
	record *transformer.Record
}

// step changes a document. [errDropped] drops it.
type step func(*document) error

var errDropped = errors.New("dropped")

// New returns the Func that does what t declares. key is the value of the secret
// [spec.Transformer.HashKeyARN]; nil if there is none.
func New(t spec.Transformer, key []byte) (transformer.Func, error) {
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("the transformer's steps: %w", err)
	}
	if t.CloudWatchLogs == nil && len(t.Steps) == 0 {
		return transformer.ToLine, nil
	}
	var a assembly
	for i, s := range t.Steps {
		made, err := newStep(s, key)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
		a.steps = append(a.steps, made)
	}
	if t.CloudWatchLogs == nil {
		return a.transform, nil
	}
	u := unpacker{assembly: a, maxBytes: t.CloudWatchLogs.MaxBytes}
	if u.maxBytes == 0 {
		u.maxBytes = spec.DefaultUnpackedBytes
	}
	return u.transform, nil
}

func newStep(s spec.Step, key []byte) (step, error) {
	switch {
	case s.Validate != nil:
		return newValidate(*s.Validate)
	case s.Drop != nil:
		return newDrop(*s.Drop), nil
	case s.Remove != nil:
		return newEdit(s.Remove.Paths, remove), nil
	case s.Redact != nil:
		return newEdit(s.Redact.Paths, redactWith(s.Redact.With)), nil
	case s.Hash != nil:
		return newHash(*s.Hash, key)
	case s.Timestamp != nil:
		return newTimestamp(*s.Timestamp)
	case s.Add != nil:
		return newAdd(*s.Add), nil
	default:
		return newPartition(*s.Partition), nil
	}
}

// assembly is the steps in their order.
type assembly struct{ steps []step }

func (a assembly) transform(_ context.Context, r transformer.Record) (transformer.Result, error) {
	line, keys, err := a.appendLine(r.Buffer, r.Payload, &r)
	if errors.Is(err, errDropped) || errors.Is(err, event.ErrEmpty) {
		return transformer.Result{}, nil
	}
	return transformer.Result{Data: line, PartitionKeys: keys}, err
}

// appendLine appends the line of the event that data is, once the steps are done.
func (a assembly) appendLine(dst, data []byte, r *transformer.Record) (_ []byte, keys map[string]string, err error) {
	e, err := event.Parse(data)
	if err != nil {
		return dst, nil, err
	}
	d := document{text: e.JSON, record: r}
	for _, s := range a.steps {
		if err := s(&d); err != nil {
			return dst, nil, err
		}
	}
	return e.AppendLine(dst, d.text, r.Origin, r.ArrivedAt), d.keys, nil
}

var errSeveralPartitions = &transformer.Error{
	Reason: "PartitionKey",
	Err:    errors.New("the log events of one record have different partition keys, and Firehose delivers them together"),
}

// unpacker takes a CloudWatch Logs record apart before the steps.
type unpacker struct {
	assembly
	maxBytes int
}

func (u unpacker) transform(ctx context.Context, r transformer.Record) (transformer.Result, error) {
	if !bytes.HasPrefix(r.Payload, gzipMagic) {
		return u.assembly.transform(ctx, r)
	}
	batch, err := unpack(r.Payload, u.maxBytes)
	if err != nil {
		return transformer.Result{}, &transformer.Error{Reason: "CloudWatchLogs", Err: err}
	}
	result := transformer.Result{Data: r.Buffer}
	for _, logEvent := range batch.LogEvents {
		lines, keys, err := u.appendLine(result.Data, batch.event(logEvent), &r)
		switch {
		case errors.Is(err, errDropped):
			continue
		case err != nil:
			return transformer.Result{}, err
		case len(result.Data) > 0 && !maps.Equal(keys, result.PartitionKeys):
			return transformer.Result{}, errSeveralPartitions
		}
		result.Data, result.PartitionKeys = lines, keys
	}
	return result, nil
}

// failure is a step's error, counted by reason.
func failure(reason, format string, arguments ...any) error {
	return &transformer.Error{Reason: reason, Err: fmt.Errorf(format, arguments...)}
}
