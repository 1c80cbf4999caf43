// Package event is what millrace knows about one event: that it is a JSON
// object, which of its members have a meaning, what identifies it, and how it
// looks as one line in the lake. The transformer and the loader share it, so
// that the line and the row never disagree.
//
// The client's bytes are kept as they came, except for whitespace outside
// strings. Where a member's name occurs twice, the last one counts, as in
// Postgres' jsonb and in encoding/json; the bytes of both stay.
package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

var (
	// ErrEmpty says that a record has nothing in it but whitespace.
	ErrEmpty = errors.New("the record is empty")
	// ErrNotObject says that a record is valid JSON of another kind.
	ErrNotObject = errors.New("the record is not a JSON object")
	// ErrNotUTF8 says that a record is not text as JSON asks for.
	ErrNotUTF8 = errors.New("the record is not valid UTF-8")
	// ErrNotJSON says that a record is not one valid JSON value.
	ErrNotJSON = errors.New("the record is not valid JSON")
)

// Event is one event as the client sent it.
type Event struct {
	// ID is the identity that the event itself carries: its event_id, else the
	// id in our metadata if it is sent anew. Empty: it carries none, and the
	// place where it first arrived identifies it; see [Event.Identity].
	ID string
	// Type is the member event_type. Empty: there is none, it is not a string,
	// or it is longer than [MaxTextBytes].
	Type string
	// OccurredAt is the member occurred_at, RFC 3339 text or a number of
	// milliseconds since 1970. Zero: there is none, or it is not readable.
	OccurredAt time.Time
	// ArrivedAt is when an event that is sent anew first arrived. Zero: it is new.
	ArrivedAt time.Time
	// JSON is the client's object without whitespace outside strings and
	// without our metadata member.
	JSON json.RawMessage

	line         []byte // JSON with our metadata member where it came with one, else nil
	metadataName string // the first free name for our metadata member
}

// Parse reads one record. Its errors wrap one of this package's Err values and
// never show the data.
func Parse(data []byte) (Event, error) {
	if !utf8.Valid(data) {
		return Event{}, ErrNotUTF8
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return Event{}, syntaxError(data)
	}
	object := compact.Bytes()
	if object[0] != '{' {
		return Event{}, ErrNotObject
	}
	return read(object), nil
}

// syntaxError tells what is wrong with data that [json.Compact] refused; that
// function counts no offset.
func syntaxError(data []byte) error {
	if len(bytes.Trim(data, " \t\r\n")) == 0 {
		return ErrEmpty
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &syntax) {
		return fmt.Errorf("%w at byte %d", ErrNotJSON, syntax.Offset)
	}
	return ErrNotJSON
}

// read takes the known members out of a compact JSON object.
func read(object []byte) Event {
	var id, kind, occurred []byte
	var named map[string]member // the members that have a name like our metadata's
	for m := range members(object) {
		switch name := m.name(object); string(name) {
		case "event_id":
			id = m.value(object)
		case "event_type":
			kind = m.value(object)
		case "occurred_at":
			occurred = m.value(object)
		default:
			if isMetadataName(name) {
				if named == nil {
					named = make(map[string]member)
				}
				named[string(name)] = m
			}
		}
	}

	e := Event{JSON: object, OccurredAt: parseTime(occurred)}
	if text, ok := parseText(id); ok {
		e.ID = identity(text)
	}
	if text, ok := parseText(kind); ok && len(text) <= MaxTextBytes {
		e.Type = text
	}
	e.takeMetadata(named)
	return e
}
