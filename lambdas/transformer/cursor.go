package transformer

import (
	"bytes"
	"encoding/json"

	"github.com/millrace-cdk/millrace/lambdas/event/object"
)

// cursor walks through JSON text. After what is no JSON, bad is set and nothing
// more is found.
type cursor struct {
	src []byte
	i   int
	bad bool
}

// peek returns the next byte that is no whitespace, 0 at the end.
func (c *cursor) peek() byte {
	for !c.bad && c.i < len(c.src) {
		switch b := c.src[c.i]; b {
		case ' ', '\n', '\r', '\t':
			c.i++
		default:
			return b
		}
	}
	return 0
}

func (c *cursor) take(want byte) bool {
	if c.peek() != want {
		c.bad = true
		return false
	}
	c.i++
	return true
}

// member goes to the next member's value and returns its name; first, it enters the object.
func (c *cursor) member(first bool) (name []byte, more bool) {
	if !c.next(first, '{', '}') {
		return nil, false
	}
	name = c.said()
	return name, c.take(':')
}

// element goes to the array's next element; first, it enters the array.
func (c *cursor) element(first bool) bool {
	return c.next(first, '[', ']')
}

func (c *cursor) next(first bool, opening, closing byte) bool {
	if first && !c.take(opening) {
		return false
	}
	if c.peek() == closing {
		c.i++
		return false
	}
	return first && !c.bad || c.take(',')
}

// string returns where the next value, a JSON string, stands, with its quotes.
func (c *cursor) string() (quoted span, escaped bool) {
	c.peek()
	end, escaped := object.ScanString(c.src, c.i)
	if c.bad || end < 0 {
		c.bad = true
		return span{}, false
	}
	quoted = span{c.i, end}
	c.i = end
	return quoted, escaped
}

// said returns what the next value, which is a JSON string, says.
func (c *cursor) said() []byte {
	quoted, escaped := c.string()
	text := of(c.src, quoted)
	if escaped || len(text) == 0 {
		return unquote(text)
	}
	return text[1 : len(text)-1]
}

// text returns what the next value says, a string or null.
func (c *cursor) text() []byte {
	if c.null() {
		return nil
	}
	return c.said()
}

// scalar returns what the next value says, a string, a number or null.
func (c *cursor) scalar() []byte {
	if b := c.peek(); b == '"' || b == 'n' {
		return c.text()
	}
	start := c.i
	for c.i < len(c.src) && c.src[c.i]-'0' < 10 {
		c.i++
	}
	if c.i == start || c.i == len(c.src) || c.src[c.i] != ',' && c.src[c.i] != '}' { // no plain number
		c.i = start
		c.skip()
	}
	return c.src[start:c.i]
}

// data returns what the next value has between its quotes: base64, where the next
// quote is the end, at the speed of [bytes.IndexByte].
func (c *cursor) data() span {
	if c.null() || !c.take('"') {
		return span{}
	}
	start := c.i
	length := bytes.IndexByte(c.src[start:], '"')
	if length < 0 {
		c.bad = true
		return span{}
	}
	if length > 0 && c.src[start+length-1] == '\\' { // no base64, but perhaps a string
		c.i--
		quoted, _ := c.string()
		return span{quoted.from + 1, max(quoted.from+1, quoted.to-1)}
	}
	c.i += length + 1
	return span{start, start + length}
}

func (c *cursor) null() bool {
	if c.peek() != 'n' || !bytes.HasPrefix(c.src[c.i:], []byte("null")) {
		return false
	}
	c.i += len("null")
	return true
}

// skip goes past the next value without judging what is in it.
func (c *cursor) skip() {
	for depth := 0; ; {
		switch c.peek() {
		case 0:
			c.bad = true
			return
		case '"':
			c.string()
		case '{', '[':
			depth++
			c.i++
		case '}', ']':
			depth--
			c.i++
		case ',', ':':
			c.bad = c.bad || depth == 0
			c.i++
		default:
			// A number or a word: up to what ends it.
			start := c.i
			for c.i < len(c.src) && c.src[c.i] > ' ' && c.src[c.i] != ',' && c.src[c.i] != ']' && c.src[c.i] != '}' {
				c.i++
			}
			c.bad = c.i == start // a control character
		}
		if depth <= 0 || c.bad {
			c.bad = c.bad || depth < 0
			return
		}
	}
}

// end says that nothing may follow.
func (c *cursor) end() {
	if c.peek() != 0 || c.i != len(c.src) {
		c.bad = true
	}
}

// unquote returns what a JSON string says.
func unquote(quoted []byte) []byte {
	if len(quoted) < 2 {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil // cursor.string has found it valid
	}
	return []byte(text)
}
