package event

import (
	"bytes"
	"slices"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event/object"
)

// MetadataName is the name of the member that millrace adds to an event's line.
// Where the client has a member of that name itself, ours has one underscore
// more, and so on.
const MetadataName = "_millrace"

// arrivalLayout is how the arrival is written: UTC, with milliseconds as Kinesis gives them.
const arrivalLayout = "2006-01-02T15:04:05.000Z"

// metadataRoom is enough bytes for our member as it mostly is.
const metadataRoom = 192

// Line returns the event as one line of the lake: the client's object, with our
// metadata as its last member, and a line feed. An event that came with our
// metadata keeps it.
func (e Event) Line(origin Origin, arrivedAt time.Time) []byte {
	if e.line != nil {
		return append(e.line, '\n')
	}
	return e.AppendLine(make([]byte, 0, len(e.JSON)+metadataRoom), e.JSON, origin, arrivedAt)
}

// AppendLine appends to dst the line of an event that has become text on its
// way: a compact JSON object that keeps the members whose names are like
// [MetadataName]. The metadata are those of the event as it came.
func (e Event) AppendLine(dst, text []byte, origin Origin, arrivedAt time.Time) []byte {
	if !e.ArrivedAt.IsZero() {
		arrivedAt = e.ArrivedAt
	}
	start := len(dst)
	dst = beginMetadata(append(dst, text...), start, e.metadataName)
	dst = object.AppendString(dst, e.Identity(origin))
	return endMetadata(dst, arrivedAt)
}

// AppendLine appends the line of the event that data is to dst. It is
// [Parse] and [Event.Line] without what those allocate.
func AppendLine(dst, data []byte, origin Origin, arrivedAt time.Time) ([]byte, error) {
	var room [commonMembers]object.Member
	start := len(dst)
	dst, members, err := appendObject(dst, room[:0], data)
	if err != nil {
		return dst[:start], err
	}
	known := find(dst[start:], members)
	if known.metadata != nil { // seldom: it is sent anew, or the client uses our name
		e, err := Parse(data)
		return append(dst[:start], e.Line(origin, arrivedAt)...), err
	}
	id, isText := object.Text(known.id)
	dst = beginMetadata(dst, start, MetadataName)
	switch {
	case !isText:
		var origins [128]byte
		dst = object.AppendString(dst, origin.appendTo(origins[:0]))
	case len(id) > MaxTextBytes:
		dst = object.AppendString(dst, identity(id))
	default:
		dst = object.AppendString(dst, id)
	}
	return endMetadata(dst, arrivedAt), nil
}

// beginMetadata opens our member at the end of the object that is dst[start:].
func beginMetadata(dst []byte, start int, name string) []byte {
	empty := len(dst)-start == len("{}")
	dst = dst[:len(dst)-1]
	if !empty {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, `":{"id":`...)
}

func endMetadata(dst []byte, arrivedAt time.Time) []byte {
	dst = append(dst, `,"arrived_at":"`...)
	dst = appendArrival(dst, arrivedAt.UTC())
	return append(dst, "\"}}\n"...)
}

// appendArrival is [time.Time.AppendFormat] with arrivalLayout, in a third of its time.
func appendArrival(dst []byte, at time.Time) []byte {
	year, month, day := at.Date()
	if year < 0 || year > 9999 {
		return at.AppendFormat(dst, arrivalLayout)
	}
	hour, minute, second := at.Clock()
	for _, part := range [...]struct {
		n, digits int
		after     byte
	}{
		{year, 1000, '-'},
		{int(month), 10, '-'},
		{day, 10, 'T'},
		{hour, 10, ':'},
		{minute, 10, ':'},
		{second, 10, '.'},
		{at.Nanosecond() / 1e6, 100, 'Z'},
	} {
		for unit := part.digits; unit > 0; unit /= 10 {
			dst = append(dst, byte('0'+part.n/unit%10))
		}
		dst = append(dst, part.after)
	}
	return dst
}

func isMetadataName(name []byte) bool {
	bare := bytes.TrimLeft(name, "_")
	return len(bare) < len(name) && string(bare) == MetadataName[1:]
}

// takeMetadata moves our metadata member out of e.JSON if it is among named, or
// else finds the name that is free for it.
//
// A member is ours if it has exactly our shape and, should the client have sent
// an event_id, says just that: so a line's metadata is always the row's identity.
func (e *Event) takeMetadata(named []object.Member) {
	for e.metadataName = MetadataName; ; e.metadataName = "_" + e.metadataName {
		m, taken := last(e.JSON, named, e.metadataName)
		if !taken {
			return
		}
		id, arrivedAt, ok := parseMetadata(m.Value(e.JSON))
		if ok && (e.ID == "" || e.ID == id) {
			e.ID, e.ArrivedAt = id, arrivedAt
			e.line, e.JSON = e.JSON, object.Without(e.JSON, m)
			return
		}
	}
}

// last returns the last of members that has the name.
func last(text []byte, members []object.Member, name string) (object.Member, bool) {
	for _, m := range slices.Backward(members) {
		if string(m.Name(text)) == name {
			return m, true
		}
	}
	return object.Member{}, false
}

// parseMetadata reads a member's value as ours: an id and an arrival, nothing else.
func parseMetadata(value []byte) (id string, arrivedAt time.Time, ok bool) {
	if value[0] != '{' {
		return "", time.Time{}, false
	}
	count := 0
	for m := range object.Members(value) {
		count++
		text, isText := object.Text(m.Value(value))
		if !isText {
			return "", time.Time{}, false
		}
		switch string(m.Name(value)) {
		case "id":
			id = string(text)
		case "arrived_at":
			var err error
			if arrivedAt, err = time.Parse(arrivalLayout, string(text)); err != nil {
				return "", time.Time{}, false
			}
		}
	}
	ok = count == 2 && id != "" && len(id) <= MaxTextBytes && !arrivedAt.IsZero()
	return id, arrivedAt, ok
}
