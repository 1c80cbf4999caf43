package spec

import (
	"errors"
	"fmt"
)

// HookKind is what kind of function a deployment hook checks.
type HookKind string

// The functions that a hook knows how to ask.
const (
	HookTransformer HookKind = "transformer" // answers Firehose's transformation requests
	HookLoader      HookKind = "loader"      // stores a Kinesis event, or rehearses it: see [RehearsalMember]
)

// RehearsalMember is the one member of the payload by which a loader is asked to do all that it
// does with the Kinesis event in it, and to keep nothing: its transactions are rolled back. It
// stands outside of the event, so that a loader that does not know it finds no records to store.
const RehearsalMember = "rehearse"

// Rehearsal is a loader's answer to a rehearsed event.
type Rehearsal struct {
	Stored      int `json:"stored"`      // records that would have become rows, or are rows already
	Quarantined int `json:"quarantined"` // records that would have been put aside
}

// Hook is what a deployment hook obeys. It sends samples through one version
// of a function and compares the answers.
type Hook struct {
	Kind HookKind `json:"kind"`
	// Target is the ARN that is invoked: the version's, or the alias's once all invocations go to the version.
	Target string `json:"target"`
	// Version is the number of the version that has to answer.
	Version string `json:"version"`
	// Keys are the partition keys that a transformer sets for each record that it delivers.
	//
	// Default: none are asked for.
	Keys []string `json:"keys,omitempty"`
	// Samples are what is sent, and what has to come of it.
	//
	// Default: the hook's own, for events as millrace treats them by default.
	Samples []Sample `json:"samples,omitempty"`
}

// Result is what becomes of a [Sample].
type Result string

// The results.
const (
	Ok               Result = "Ok"               // a transformer delivers it, a loader stores it
	Dropped          Result = "Dropped"          // by a transformer, on purpose
	ProcessingFailed Result = "ProcessingFailed" // by a transformer: it goes to the error prefix
	Quarantined      Result = "Quarantined"      // by a loader
)

// Sample is one record and what has to become of it. A transformer gets samples as records of a
// stream millrace-hook that arrived at 2026-01-02T03:04:05.678Z, in shard shardId-000000000000,
// with the sequence numbers 1, 2 and so on.
type Sample struct {
	// In is the record as a producer puts it.
	In string `json:"in"`
	// Out is what a transformer delivers in its place, byte for byte, its line feed included.
	// Only with Ok, and not for a loader.
	Out string `json:"out,omitempty"`
	// Result is what becomes of it.
	//
	// Default: [Ok].
	Result Result `json:"result,omitempty"`
}

// Validate reports every problem of samples for a function of this kind.
func (k HookKind) Validate(samples []Sample) error {
	var errs []error
	for i, s := range samples {
		switch {
		case s.Result == "" || s.Result == Ok:
			if (s.Out != "") != (k == HookTransformer) {
				errs = append(errs, fmt.Errorf("sample %d must say what comes out if it is for a transformer, and only then, got %q for a %s", i+1, s.Out, k))
			}
			continue
		case k == HookTransformer && (s.Result == Dropped || s.Result == ProcessingFailed), k == HookLoader && s.Result == Quarantined:
		default:
			errs = append(errs, fmt.Errorf("sample %d: %q is no result of a %s", i+1, s.Result, k))
		}
		if s.Out != "" {
			errs = append(errs, fmt.Errorf("sample %d must have no out, which is for %s, got %q with %s", i+1, Ok, s.Out, s.Result))
		}
	}
	return errors.Join(errs...)
}
