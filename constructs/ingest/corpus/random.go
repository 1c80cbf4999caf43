package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Random makes up requests from the corpus. The same seed and number give the same ones.
type Random struct {
	*rand.Rand
	events  []string
	strings []string
	keys    []string
}

// NewRandom starts the n-th sequence of a seed.
func (f Fuzz) NewRandom(n uint64) *Random {
	return &Random{rand.New(rand.NewPCG(f.seed, n)), f.events, f.strings, f.keys}
}

// Fuzz is a seed, and the corpus in the form in which it is used.
type Fuzz struct {
	seed                  uint64
	events, strings, keys []string
}

// NewFuzz prepares the corpus.
func NewFuzz(seed uint64) Fuzz {
	f := Fuzz{seed: seed}
	for _, e := range Events() {
		if len(e.Body) < 10_000 { // the long ones take too long to be worth it
			f.events = append(f.events, e.Body)
		}
	}
	for _, h := range Headers() {
		f.strings = append(f.strings, h.Value)
	}
	for _, k := range Keys() {
		f.keys = append(f.keys, k.JSON)
	}
	f.strings = append(f.strings, "$", "#", "\"", "\\", "\n", "\r", "\x00", "\u2028", "\u2029", "\u007f", "'", "{", "}", "[", "]", ",", ":",
		"#end", "#set($", "$input", "${", "$!{", "#foreach($event in $input.path('$.events'))", "]]#", "<![CDATA[", "&quot;", "%s", "%22",
		"\u202e", "\u0301", "\ufeff", "\uffff", "\U0010ffff", "ß", "İ", "null", "true", "0", "-1", "events", "Records")
	return f
}

func pick[T any](r *Random, from []T) T { return from[r.IntN(len(from))] }

// Event is the body of a single event: a JSON object with one member or more.
func (r *Random) Event() string {
	if r.IntN(8) == 0 {
		return pick(r, r.events)
	}
	return r.object(3, 1)
}

// Batch is the body of a batch.
func (r *Random) Batch() string {
	size := 1 + r.IntN(6)
	if r.IntN(200) == 0 {
		size = 500
	}
	events := make([]string, size)
	for i := range events {
		if events[i] = `{"a":` + r.number() + `}`; i < 20 {
			events[i] = r.Event()
		}
	}
	return `{"events"` + r.space() + ":" + r.space() + `[` + strings.Join(events, r.space()+",") + `]}`
}

// Damaged is body with some bytes changed. It may be JSON or not, and UTF-8 or not.
func (r *Random) Damaged(body string) string {
	b := []byte(body)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(b) + 1)
		switch r.IntN(5) {
		case 0: // a byte becomes another
			if at < len(b) {
				b[at] = byte(r.IntN(256))
			}
		case 1: // some go
			b = append(b[:at:at], b[min(len(b), at+1+r.IntN(5)):]...)
		case 2: // the rest goes
			b = b[:at]
		case 3: // a text comes
			b = append(b[:at:at], append([]byte(pick(r, r.strings)), b[at:]...)...)
		default: // a part stands twice
			b = append(b[:at:at], b[r.IntN(at+1):]...)
		}
	}
	return string(b)
}

// Header is the value of a header: no control characters but a tab, no space at its ends.
func (r *Random) Header() string {
	clean := strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' || c == 0x7f {
			return -1
		}
		return c
	}, r.text())
	return strings.Trim(clean, " \t")
}

func (r *Random) value(depth int) string {
	kinds := 6
	if depth > 0 {
		kinds = 9
	}
	switch r.IntN(kinds) {
	case 0:
		return pick(r, []string{"null", "true", "false"})
	case 1, 2:
		return r.number()
	case 3:
		return pick(r, r.keys)
	case 4, 5:
		return r.quoted(r.text())
	case 6:
		return pick(r, r.events)
	case 7:
		return r.object(depth-1, 0)
	default:
		elements := make([]string, r.IntN(4))
		for i := range elements {
			elements[i] = r.value(depth - 1)
		}
		return "[" + r.space() + strings.Join(elements, r.space()+",") + "]"
	}
}

func (r *Random) object(depth, least int) string {
	members := make([]string, least+r.IntN(4))
	for i := range members {
		key, value := r.quoted(r.text()), r.value(depth)
		switch r.IntN(6) {
		case 0:
			key = `"device_id"`
		case 1:
			key, value = `"user"`, `{"id":`+r.value(0)+`}`
		case 2:
			key = pick(r, []string{`"PartitionKey"`, `"Data"`, `"Records"`, `"events"`, `"__proto__"`, `"1"`, `""`})
		}
		members[i] = r.space() + key + r.space() + ":" + r.space() + value
	}
	return "{" + strings.Join(members, ",") + r.space() + "}"
}

func (r *Random) space() string {
	return pick(r, []string{"", "", "", "", " ", "\n", "\r\n", "\t"})
}

func (r *Random) number() string {
	text := pick(r, []string{"", "-"})
	if r.IntN(4) == 0 {
		text += "0"
	} else {
		text += fmt.Sprint(1+r.IntN(9)) + strings.Repeat(fmt.Sprint(r.IntN(10)), r.IntN(30))
	}
	if r.IntN(2) == 0 {
		text += "." + fmt.Sprint(r.Uint32()) + strings.Repeat("0", r.IntN(3))
	}
	if r.IntN(3) == 0 {
		text += pick(r, []string{"e", "E"}) + pick(r, []string{"", "+", "-"}) + fmt.Sprint(r.IntN(500))
	}
	return text
}

func (r *Random) text() string {
	var b strings.Builder
	for range r.IntN(4) {
		switch r.IntN(5) {
		case 0: // any character
			for range 1 + r.IntN(3) {
				c := rune(r.IntN(utf8.MaxRune + 1))
				if r.IntN(2) == 0 {
					c = rune(r.IntN(0x100))
				}
				b.WriteRune(c)
			}
		case 1: // to the limit of a key
			b.WriteString(strings.Repeat(pick(r, []string{"k", "ü", "🌍", `"`, `\`}), 250+r.IntN(10)))
		default:
			b.WriteString(pick(r, r.strings))
		}
	}
	return b.String()
}

// quoted is text as a JSON string, with escapes where they must be and where they may be.
func (r *Random) quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range text {
		short := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}[c]
		switch must := c < ' ' || c == '"' || c == '\\'; {
		case short != "" && (must || r.IntN(2) == 0):
			b.WriteString(short)
		case must || r.IntN(20) == 0:
			for _, unit := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&b, pick(r, []string{`\u%04x`, `\u%04X`}), unit)
			}
		default:
			b.WriteRune(c)
		}
	}
	if r.IntN(100) == 0 {
		fmt.Fprintf(&b, `\ud%03x`, 0x800+r.IntN(0x800)) // half a pair
	}
	return b.String() + `"`
}
