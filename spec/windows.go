package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Windows is what the aggregator obeys: what it counts and sums, of the events of one tumbling window, by key.
type Windows struct {
	// Results is the ARN of the stream that the results go to. Required.
	Results string `json:"results"`
	// EventType is the event_type of a result. Required.
	EventType string `json:"event_type"`
	// EventTypes are the values of event_type that are aggregated.
	//
	// Default: every event.
	EventTypes []string `json:"event_types,omitempty"`
	// Key is where in the event the key stands: $.device.id. Its value is a text, a number or a boolean.
	//
	// Default: none, so that all events of a window are one group.
	Key string `json:"key,omitempty"`
	// Values are the numbers of which there is a sum, a least and a greatest.
	//
	// Default: none, so that events are counted.
	Values []WindowValue `json:"values,omitempty"`
	// LatenessSeconds is how long before the window's start an event may have occurred and not be late.
	//
	// Default: 0.
	LatenessSeconds int `json:"lateness_seconds,omitempty"`
}

// WindowValue declares a number that is summed.
type WindowValue struct {
	// Name is what the results call it, in lower case. Required.
	Name string `json:"name"`
	// Path is where it stands in the event.
	//
	// Default: $. and the name.
	Path string `json:"path,omitempty"`
}

// PathSteps returns the names and indexes that Path leads along.
func (v WindowValue) PathSteps() ([]string, error) {
	return Column{Name: v.Name, Path: v.Path}.PathSteps()
}

// maxValueName leaves room for the longest suffix of a column in the 63 bytes of a name (see [Windows.Table]).
const maxValueName = 59

// unusable is what the event_type of the results ends with that count what could not be aggregated.
const unusable = ".unusable"

// UnusableType is the event_type of the results that count events without a usable key, by their reason.
func (w Windows) UnusableType() string { return w.EventType + unusable }

// Validate reports everything that is wrong with w, but for Results, which only a deploy knows.
func (w Windows) Validate() error {
	var errs []error
	if w.EventType == "" {
		errs = append(errs, errors.New("event type of the results is required"))
	}
	if slices.Contains(w.EventTypes, w.EventType) || slices.Contains(w.EventTypes, w.UnusableType()) {
		errs = append(errs, fmt.Errorf("event types must not have the results' own, %s", w.EventType))
	}
	if slices.Contains(w.EventTypes, "") {
		errs = append(errs, errors.New("event types must not be empty text"))
	}
	if w.Key != "" {
		if _, err := PathSteps(w.Key); err != nil {
			errs = append(errs, fmt.Errorf("key: %w", err))
		}
	}
	seen := map[string]bool{}
	for _, v := range w.Values {
		if !identifier.MatchString(v.Name) || len(v.Name) > maxValueName {
			errs = append(errs, fmt.Errorf("value's name must be lower case letters, digits and _, up to %d, got %q", maxValueName, v.Name))
		}
		if seen[v.Name] {
			errs = append(errs, fmt.Errorf("value %s is declared twice", v.Name))
		}
		seen[v.Name] = true
		if _, err := v.PathSteps(); err != nil {
			errs = append(errs, fmt.Errorf("value %s: %w", v.Name, err))
		}
	}
	if w.LatenessSeconds < 0 {
		errs = append(errs, fmt.Errorf("lateness must not be negative, got %d seconds", w.LatenessSeconds))
	}
	return errors.Join(errs...)
}

// Declaration is a short hash of what decides what a result says: two that
// differ cannot be added to one another.
func (w Windows) Declaration() (string, error) {
	w.Results = "" // where they go, not what they are
	text, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("encoding windows: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// Table declares the table called name into which the Postgres loader puts the
// results: a row for each key of each part of a window. Windows are per shard,
// and a window may have more than one part; a query adds them up (docs/windows.md).
func (w Windows) Table(name string) Table {
	t := Table{
		Name:       name,
		EventTypes: []string{w.EventType},
		Columns: []Column{
			{Name: "window_start", Type: "timestamptz"},
			{Name: "window_end", Type: "timestamptz"},
			{Name: "shard", Type: "text"},
			{Name: "through", Type: "text"},
			{Name: "key", Type: "text"},
			{Name: "events", Type: "bigint"},
			{Name: "late", Type: "bigint"},
		},
	}
	for _, v := range w.Values {
		at := "$.values." + v.Name
		t.Columns = append(t.Columns,
			Column{Name: v.Name + "_n", Type: "bigint", Path: at + ".n"},
			Column{Name: v.Name + "_sum", Type: "numeric", Path: at + ".sum", Nullable: true},
			Column{Name: v.Name + "_min", Type: "numeric", Path: at + ".min", Nullable: true},
			Column{Name: v.Name + "_max", Type: "numeric", Path: at + ".max", Nullable: true},
		)
	}
	return t
}
