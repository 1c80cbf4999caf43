// Package aggregator counts and sums the events of tumbling windows by key, in
// the state that Lambda hands from one invocation of a window to the next
// (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html).
//
// Lambda invokes at least once, and does not say what becomes of the state of a
// batch of which some records are reported as failed. So a batch is taken in
// whole or not at all, and the state says up to which record it goes: a record
// that comes again with it changes nothing. What is written carries an identity
// that follows from the events in it alone, so that writing it again changes nothing either.
package aggregator

import (
	"fmt"
	"strconv"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/event/object"
	"github.com/millrace-cdk/millrace/spec"
)

// Why an event is under no key. An event of another type than those that are declared is not counted at all.
const (
	reasonNoEvent = "no event"     // not a JSON object
	reasonNoKey   = "no key"       // no text, number or boolean at the path
	reasonLongKey = "key too long" // longer than [event.MaxTextBytes]
)

// Window is one tumbling window of one shard.
type Window struct {
	Stream, Shard string
	Start, End    time.Time
}

// counts are what one invocation did, for its metrics.
type counts struct {
	events, late, unusable, repeated, spilled int64
}

// rules are a declaration, ready for use.
type rules struct {
	spec.Windows
	declaration string
	key         []string
	values      [][]string
	types       map[string]bool
	maxState    int // bytes
}

func newRules(w spec.Windows) (*rules, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	declaration, err := w.Declaration()
	if err != nil {
		return nil, err
	}
	r := &rules{Windows: w, declaration: declaration, types: map[string]bool{}, maxState: MaxStateBytes}
	for _, kind := range w.EventTypes {
		r.types[kind] = true
	}
	if w.Key != "" {
		if r.key, err = spec.PathSteps(w.Key); err != nil {
			return nil, err
		}
	}
	for _, v := range w.Values {
		path, err := v.PathSteps()
		if err != nil {
			return nil, err
		}
		r.values = append(r.values, path)
	}
	return r, nil
}

// aggregation takes the events of one invocation into the state of their window.
type aggregation struct {
	*rules
	window Window
	state  state
	size   int // of state, at most
	rows   []Row
	counts counts
}

// newAggregation goes on from a state. If another declaration made it, it is a part of its own.
func (r *rules) newAggregation(w Window, s state) (*aggregation, error) {
	a := &aggregation{rules: r, window: w, state: s}
	if s.Declaration != "" && s.Declaration != r.declaration {
		if err := a.closePart(); err != nil {
			return nil, err
		}
	}
	a.open()
	return a, nil
}

// open goes on with the part in the state, or begins one.
func (a *aggregation) open() {
	s := &a.state
	s.Declaration, s.Names = a.declaration, nil
	for _, v := range a.Values {
		s.Names = append(s.Names, v.Name)
	}
	if s.Groups == nil {
		s.Groups = map[string]*group{}
	}
	if s.Unusable == nil {
		s.Unusable = map[string]int64{}
	}
	a.size = headBytes
	for key := range s.Groups {
		a.size += size(key, len(a.values))
	}
}

// add takes in the event at a place. One that is not after all that were taken in before has come again.
func (a *aggregation) add(at place, data []byte) error {
	if a.state.Through != nil && !at.after(*a.state.Through) {
		a.counts.repeated++
		return nil
	}
	e, err := event.Parse(data)
	if err != nil {
		a.reach(at)
		a.reject(reasonNoEvent)
		return nil //nolint:nilerr // counted by its reason: it will never be an event
	}
	if len(a.types) > 0 && !a.types[e.Type] {
		return nil
	}
	key, reason := a.keyOf(e)
	if reason != "" {
		a.reach(at)
		a.reject(reason)
		return nil
	}
	g, known := a.state.Groups[key]
	if !known {
		// Nothing but the events before this one decides where a part ends: so an
		// invocation that is repeated, with other batches too, writes the same parts.
		more := size(key, len(a.values))
		if a.size+more > a.maxState && len(a.state.Groups) > 0 {
			a.counts.spilled++
			if err := a.closePart(); err != nil {
				return err
			}
			a.open()
		}
		g = &group{Values: make([]*value, len(a.values))}
		for i := range g.Values {
			g.Values[i] = new(value)
		}
		a.state.Groups[key] = g
		a.size += more
	}
	a.reach(at)
	a.counts.events++
	g.Events++
	if !e.OccurredAt.IsZero() && e.OccurredAt.Before(a.window.Start.Add(-time.Duration(a.LatenessSeconds)*time.Second)) {
		g.Late++
		a.counts.late++
	}
	for i, path := range a.values {
		if n, ok := parseNumber(lookup(e.JSON, path)); ok {
			g.Values[i].add(n)
		}
	}
	return nil
}

// reach moves the end of the open part.
func (a *aggregation) reach(at place) {
	if a.state.First == nil {
		a.state.First = &at
	}
	a.state.Through = &at
}

func (a *aggregation) reject(reason string) {
	a.state.Unusable[reason]++
	a.counts.unusable++
}

// keyOf returns an event's key, or the reason why it has none.
func (a *aggregation) keyOf(e event.Event) (key, reason string) {
	if len(a.key) == 0 {
		return "", ""
	}
	found := lookup(e.JSON, a.key)
	switch {
	case len(found) == 0 || found[0] == '{' || found[0] == '[' || string(found) == "null":
		return "", reasonNoKey
	case found[0] == '"':
		text, ok := object.Text(found)
		if !ok {
			return "", reasonNoKey // empty, or nothing that a text can hold
		}
		key = string(text)
	default:
		key = string(found)
	}
	if len(key) > event.MaxTextBytes {
		return "", reasonLongKey
	}
	return key, ""
}

// closePart writes the open part out. What is taken in stays known.
func (a *aggregation) closePart() error {
	if a.state.First == nil {
		return nil
	}
	rows, err := rowsOf(a.window, a.Windows, a.state)
	if err != nil {
		return fmt.Errorf("closing a part of the window: %w", err)
	}
	a.rows = append(a.rows, rows...)
	a.state = state{Through: a.state.Through}
	return nil
}

// lookup returns the value at the path of names and indexes, nil if there is
// none. Where a name occurs twice, the last one counts, as in Postgres' jsonb.
func lookup(value []byte, path []string) []byte {
	for _, name := range path {
		var found []byte
		switch {
		case len(value) > 0 && value[0] == '{':
			for m := range object.Members(value) {
				if string(m.Name(value)) == name {
					found = m.Value(value)
				}
			}
		case len(value) > 0 && value[0] == '[':
			index, err := strconv.Atoi(name)
			for element := range object.Elements(value) {
				if err == nil && index == 0 {
					found = element
				}
				index--
			}
		}
		value = found
	}
	return value
}
