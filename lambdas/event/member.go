package event

import (
	"bytes"
	"encoding/json"
	"iter"
)

// member is where one member stands in a compact JSON object.
type member struct {
	start int // of the name's opening quote
	colon int
	end   int // after the value
}

// name returns the member's name, unescaped.
func (m member) name(object []byte) []byte {
	quoted := object[m.start:m.colon]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		panic(err) // members promises valid JSON
	}
	return []byte(name)
}

// value returns the member's value as it stands.
func (m member) value(object []byte) []byte {
	return object[m.colon+1 : m.end]
}

// members yields the members of a JSON object that is valid and compact, in
// their order.
func members(object []byte) iter.Seq[member] {
	return func(yield func(member) bool) {
		for i := 1; object[i] != '}'; {
			m := member{start: i}
			m.colon = skipString(object, i)
			m.end = skipValue(object, m.colon+1)
			if !yield(m) {
				return
			}
			if i = m.end; object[i] == ',' {
				i++
			}
		}
	}
}

// skipString returns the index after the string that begins at text[i].
func skipString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the index after the value that begins at text[i] inside an
// object or array.
func skipValue(text []byte, i int) int {
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			i++
		}
		if depth == 0 && (text[i] == ',' || text[i] == '}' || text[i] == ']') {
			return i
		}
	}
}
