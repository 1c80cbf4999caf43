package event

import (
	"bytes"
	"encoding/json"
	"time"
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
	line := make([]byte, 0, len(e.JSON)+metadataRoom)
	line = append(line, e.JSON[:len(e.JSON)-1]...)
	if len(e.JSON) > len("{}") {
		line = append(line, ',')
	}
	line = append(line, '"')
	line = append(line, e.metadataName...)
	line = append(line, `":{"id":`...)
	line = appendString(line, e.Identity(origin))
	line = append(line, `,"arrived_at":"`...)
	line = arrivedAt.UTC().AppendFormat(line, arrivalLayout)
	return append(line, "\"}}\n"...)
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
func (e *Event) takeMetadata(named map[string]member) {
	for name := MetadataName; ; name = "_" + name {
		m, taken := named[name]
		if !taken {
			e.metadataName = name
			return
		}
		id, arrivedAt, ok := parseMetadata(m.value(e.JSON))
		if ok && (e.ID == "" || e.ID == id) {
			e.ID, e.ArrivedAt = id, arrivedAt
			e.line, e.JSON = e.JSON, without(e.JSON, m)
			return
		}
	}
}

// parseMetadata reads a member's value as ours: an id and an arrival, nothing else.
func parseMetadata(value []byte) (id string, arrivedAt time.Time, ok bool) {
	if value[0] != '{' {
		return "", time.Time{}, false
	}
	count := 0
	for m := range members(value) {
		count++
		text, isText := parseText(m.value(value))
		if !isText {
			return "", time.Time{}, false
		}
		switch string(m.name(value)) {
		case "id":
			id = text
		case "arrived_at":
			var err error
			if arrivedAt, err = time.Parse(arrivalLayout, text); err != nil {
				return "", time.Time{}, false
			}
		}
	}
	ok = count == 2 && id != "" && len(id) <= MaxTextBytes && !arrivedAt.IsZero()
	return id, arrivedAt, ok
}

// without returns a copy of object without the member m and one comma beside it.
func without(object []byte, m member) []byte {
	start, end := m.start, m.end
	if object[end] == ',' {
		end++
	} else if object[start-1] == ',' {
		start--
	}
	rest := make([]byte, 0, len(object)-(end-start))
	rest = append(rest, object[:start]...)
	return append(rest, object[end:]...)
}

// appendString appends text as a JSON string.
func appendString(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // no string fails to marshal
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
