package object

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest: as deep as encoding/json lets them.
const maxDepth = 10_000

// nesting says of each open array or object which of the two it is, one bit a level.
type nesting [maxDepth/64 + 1]uint64

func (n *nesting) setObject(depth int) { n[depth/64] |= 1 << (depth % 64) }
func (n *nesting) setArray(depth int)  { n[depth/64] &^= 1 << (depth % 64) }
func (n *nesting) isObject(depth int) bool {
	return n[depth/64]&(1<<(depth%64)) != 0
}

// AppendCompact appends the JSON value src to dst without the whitespace
// outside its strings, and the members of the outermost object to members, with
// places counted from the value's first byte. It is not ok if src is not valid
// UTF-8 or not exactly one JSON value, as encoding/json judges it; what it then
// returns is of no use.
//
// This is the transformer's inner loop: one pass, no allocation when dst and
// members have room. FuzzAppendCompact holds it to encoding/json.
func AppendCompact(dst []byte, members []Member, src []byte) (_ []byte, _ []Member, ok bool) {
	if !utf8.Valid(src) {
		return dst, members, false
	}
	var (
		open  nesting
		depth = -1    // of the innermost array or object; -1 outside of all
		in    = false // it is an object
		from  = skipSpace(src, 0)
		gap   = from // bytes of src before i that dst will not have
		i     = from // src[from:i] is yet to be copied
	)

value:
	if i == len(src) {
		return dst, members, false
	}
	switch c := src[i]; {
	case c == '"':
		if i, _ = scanString(src, i); i < 0 {
			return dst, members, false
		}
	case c == '{' || c == '[':
		if depth++; depth == maxDepth {
			return dst, members, false
		}
		if in = c == '{'; in {
			open.setObject(depth)
		} else {
			open.setArray(depth)
		}
		i++
		if i < len(src) && src[i] <= ' ' {
			dst, gap, i = space(dst, src, from, gap, i)
			from = i
		}
		if i < len(src) && src[i] == c+2 { // '}' is '{'+2, and ']' is '['+2
			goto closing
		}
		if in {
			goto name
		}
		goto value
	case c == '-' || c-'0' < 10:
		if i = scanNumber(src, i); i < 0 {
			return dst, members, false
		}
	default:
		if i = scanLiteral(src, i); i < 0 {
			return dst, members, false
		}
	}

after: // a value has ended before src[i]
	if depth < 0 {
		dst = append(dst, src[from:i]...)
		return dst, members, skipSpace(src, i) == len(src)
	}
	if depth == 0 && in {
		members[len(members)-1].End = i - gap
	}
	if i < len(src) && src[i] <= ' ' {
		dst, gap, i = space(dst, src, from, gap, i)
		from = i
	}
	if i == len(src) {
		return dst, members, false
	}
	switch src[i] {
	case ',':
		i++
		if i < len(src) && src[i] <= ' ' {
			dst, gap, i = space(dst, src, from, gap, i)
			from = i
		}
		if in {
			goto name
		}
		goto value
	case '}':
		if !in {
			return dst, members, false
		}
	case ']':
		if in {
			return dst, members, false
		}
	default:
		return dst, members, false
	}

closing: // src[i] closes the innermost array or object
	i++
	if depth--; depth >= 0 {
		in = open.isObject(depth)
	}
	goto after

name:
	if i == len(src) || src[i] != '"' {
		return dst, members, false
	}
	start, escaped := i-gap, false
	if i, escaped = scanString(src, i); i < 0 {
		return dst, members, false
	}
	if i < len(src) && src[i] <= ' ' {
		dst, gap, i = space(dst, src, from, gap, i)
		from = i
	}
	if i == len(src) || src[i] != ':' {
		return dst, members, false
	}
	if depth == 0 {
		members = append(members, Member{Start: start, Colon: i - gap, escaped: escaped})
	}
	i++
	if i < len(src) && src[i] <= ' ' {
		dst, gap, i = space(dst, src, from, gap, i)
		from = i
	}
	goto value
}

// space copies src[from:i] to dst, and returns i past the whitespace there, which gap counts.
func space(dst, src []byte, from, gap, i int) ([]byte, int, int) {
	end := skipSpace(src, i)
	return append(dst, src[from:i]...), gap + end - i, end
}

// skipSpace returns the index of the first byte from src[i] on that is no JSON whitespace.
func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\r' || src[i] == '\t') {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ScanString returns the index after the JSON string whose opening quote is
// src[i], and whether it has an escape; -1 if that is no valid string. It does
// not look at UTF-8.
func ScanString(src []byte, i int) (end int, escaped bool) {
	if i >= len(src) || src[i] != '"' {
		return -1, false
	}
	return scanString(src, i)
}

func scanString(src []byte, i int) (end int, escaped bool) {
	i++
	for {
		// Eight bytes at a time up to a quote, a backslash or a control character.
		// The lowest bit that such a mask sets is of a true match: a false one only
		// ever stands above it, where the subtraction borrowed.
		for len(src)-i >= 8 {
			w := binary.LittleEndian.Uint64(src[i:])
			quote, backslash := w^(ones*'"'), w^(ones*'\\')
			special := ((quote-ones)&^quote | (backslash-ones)&^backslash | (w-ones*' ')&^w) & highs
			if special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		for ; i < len(src); i++ {
			if c := src[i]; c == '"' {
				return i + 1, escaped
			} else if c == '\\' || c < ' ' {
				break
			}
		}
		escaped = true
		if i = scanEscape(src, i); i < 0 {
			return -1, escaped
		}
	}
}

// scanEscape returns the index after the escape that src[i] begins, or -1.
func scanEscape(src []byte, i int) int {
	if i+1 >= len(src) || src[i] != '\\' {
		return -1
	}
	switch src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(src) {
			return -1
		}
		for _, c := range src[i+2 : i+6] {
			if c|0x20 < 'a' || c|0x20 > 'f' {
				if c < '0' || c > '9' {
					return -1
				}
			}
		}
		return i + 6
	}
	return -1
}

// scanNumber returns the index after the number that begins at src[i], or -1.
func scanNumber(src []byte, i int) int {
	digits := func(i int) int {
		for i < len(src) && src[i]-'0' < 10 {
			i++
		}
		return i
	}
	if src[i] == '-' {
		i++
	}
	if i < len(src) && src[i] == '0' {
		i++
	} else if end := digits(i); end > i {
		i = end
	} else {
		return -1
	}
	if i < len(src) && src[i] == '.' {
		end := digits(i + 1)
		if end == i+1 {
			return -1
		}
		i = end
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		end := digits(i)
		if end == i {
			return -1
		}
		i = end
	}
	return i
}

// scanLiteral returns the index after the true, false or null that begins at src[i], or -1.
func scanLiteral(src []byte, i int) int {
	for _, literal := range [...]string{"true", "false", "null"} {
		if end := i + len(literal); end <= len(src) && string(src[i:end]) == literal {
			return end
		}
	}
	return -1
}
