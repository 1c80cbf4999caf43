// Package object reads JSON objects as bytes: it checks, compacts and finds
// members, and never decodes a value that nobody asks for. So what is not
// touched keeps its spelling.
package object

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf16"
)

// Member is where one member stands in a compact JSON object.
type Member struct {
	Start int // of the name's opening quote
	Colon int
	End   int // after the value

	escaped bool // the name has an escape
}

// Name returns the member's name, unescaped.
func (m Member) Name(object []byte) []byte {
	quoted := object[m.Start:m.Colon]
	if !m.escaped {
		return quoted[1 : len(quoted)-1]
	}
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		panic(err) // the object is valid JSON
	}
	return []byte(name)
}

// Value returns the member's value as it stands.
func (m Member) Value(object []byte) []byte {
	return object[m.Colon+1 : m.End]
}

// Members yields the members of a JSON object that is valid and compact, in
// their order.
func Members(object []byte) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for i := 1; object[i] != '}'; {
			m := Member{Start: i}
			m.Colon, m.escaped = scanString(object, i)
			m.End = skipValue(object, m.Colon+1)
			if !yield(m) {
				return
			}
			if i = m.End; object[i] == ',' {
				i++
			}
		}
	}
}

// Elements yields the elements of a JSON array that is valid and compact, in
// their order.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 1; array[i] != ']'; {
			end := skipValue(array, i)
			if !yield(array[i:end]) {
				return
			}
			if i = end; array[i] == ',' {
				i++
			}
		}
	}
}

// skipValue returns the index after the value that begins at text[i] inside an
// object or array.
func skipValue(text []byte, i int) int {
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i, _ = scanString(text, i)
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

// Without returns a copy of object without the member m and one comma beside it.
func Without(object []byte, m Member) []byte {
	start, end := m.Start, m.End
	if object[end] == ',' {
		end++
	} else if object[start-1] == ',' {
		start--
	}
	rest := make([]byte, 0, len(object)-(end-start))
	rest = append(rest, object[:start]...)
	return append(rest, object[end:]...)
}

// Text returns what a JSON string says. It is not ok when value is no string, is
// empty, or says what no text can hold: a NUL character, or half of a surrogate
// pair (which encoding/json turns into U+FFFD, so that two different ids would
// become one). The text may be part of value.
func Text(value []byte) (text []byte, ok bool) {
	if len(value) < 3 || value[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	var unescaped string
	if hasLoneSurrogate(value) || json.Unmarshal(value, &unescaped) != nil {
		return nil, false
	}
	text = []byte(unescaped)
	return text, bytes.IndexByte(text, 0) < 0
}

// AppendString appends text as a JSON string.
func AppendString[T []byte | string](dst []byte, text T) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(string(text))
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

// hasLoneSurrogate tells whether a valid JSON string has an escape for half of a surrogate pair.
func hasLoneSurrogate(value []byte) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			continue
		}
		i++
		if value[i] != 'u' {
			continue
		}
		unit := escapedUnit(value[i-1:])
		i += 4
		if !utf16.IsSurrogate(unit) {
			continue
		}
		if utf16.DecodeRune(unit, escapedUnit(value[i+1:])) == '\uFFFD' {
			return true
		}
		i += 6
	}
	return false
}

// escapedUnit returns the UTF-16 code unit that text begins with as \uXXXX, or -1.
func escapedUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}
