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

	"github.com/millrace-cdk/millrace/lambdas/event/object"
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
	metadataName string // of our metadata member, or the first name that is free for it
}

// Parse reads one record. Its errors wrap one of this package's Err values and
// never show the data.
func Parse(data []byte) (Event, error) {
	var room [commonMembers]object.Member
	text, members, err := appendObject(make([]byte, 0, len(data)), room[:0], data)
	if err != nil {
		return Event{}, err
	}
	known := find(text, members)
	e := Event{JSON: text, OccurredAt: ParseTime(known.occurredAt)}
	if id, ok := object.Text(known.id); ok {
		e.ID = identity(id)
	}
	if kind, ok := object.Text(known.kind); ok && len(kind) <= MaxTextBytes {
		e.Type = string(kind)
	}
	e.takeMetadata(known.metadata)
	return e, nil
}

// commonMembers is how many members an event may have before finding them allocates.
const commonMembers = 32

// appendObject appends data to dst, and its members to members, as
// [object.AppendCompact] does, if it is a JSON object.
func appendObject(dst []byte, members []object.Member, data []byte) ([]byte, []object.Member, error) {
	start := len(dst)
	dst, members, ok := object.AppendCompact(dst, members, data)
	switch {
	case !ok:
		return dst, members, trouble(data)
	case dst[start] != '{':
		return dst, members, ErrNotObject
	}
	return dst, members, nil
}

// trouble tells what is wrong with data that is not valid.
func trouble(data []byte) error {
	if !utf8.Valid(data) {
		return ErrNotUTF8
	}
	if len(bytes.Trim(data, " \t\r\n")) == 0 {
		return ErrEmpty
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &syntax) {
		return fmt.Errorf("%w at byte %d", ErrNotJSON, syntax.Offset)
	}
	return ErrNotJSON
}

// known are the values of the members that have a meaning, nil where there is none.
type known struct {
	id, kind, occurredAt []byte
	metadata             []object.Member // the members that have a name like our metadata's
}

func find(text []byte, members []object.Member) known {
	var k known
	for _, m := range members {
		switch name := m.Name(text); string(name) {
		case "event_id":
			k.id = m.Value(text)
		case "event_type":
			k.kind = m.Value(text)
		case "occurred_at":
			k.occurredAt = m.Value(text)
		default:
			if isMetadataName(name) {
				k.metadata = append(k.metadata, m)
			}
		}
	}
	return k
}
