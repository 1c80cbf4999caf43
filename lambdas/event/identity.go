package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// MaxTextBytes is the longest identity and the longest event type, in bytes of
// UTF-8: both stand in B-tree indexes, where Postgres refuses a row over about
// 2,700 bytes (https://www.postgresql.org/docs/17/btree.html).
const MaxTextBytes = 512

// Origin is the place where a record arrived.
type Origin struct {
	// Stream is the name of the Kinesis stream; for direct PUT that of the delivery stream.
	Stream string
	// Shard is the shard's id. Empty for direct PUT.
	Shard string
	// Sequence is the record's sequence number in the shard; for direct PUT the record's id.
	Sequence string
	// SubSequence counts the records that a producer packed into one, from 0.
	SubSequence int64
}

// String returns the origin as an identity: stream/shard/sequence, and
// /sub-sequence where that is above 0.
func (o Origin) String() string {
	var b strings.Builder
	b.WriteString(o.Stream)
	for _, part := range []string{o.Shard, o.Sequence} {
		if part != "" {
			b.WriteByte('/')
			b.WriteString(part)
		}
	}
	if o.SubSequence > 0 {
		b.WriteByte('/')
		b.WriteString(strconv.FormatInt(o.SubSequence, 10))
	}
	return b.String()
}

// Identity returns what tells this event from every other, wherever it is
// stored and however often it is sent: its event_id, else the first origin,
// which an event that is sent anew carries in its metadata.
func (e Event) Identity(origin Origin) string {
	if e.ID != "" {
		return e.ID
	}
	return origin.String()
}

// identity returns an event_id as it is stored: as it is, or hashed when it is
// longer than an index takes.
func identity(id string) string {
	if len(id) <= MaxTextBytes {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// parseText reads a JSON string. It is not ok when value is no string, is empty,
// or says what no text can hold: a NUL character, or half of a surrogate pair
// (which encoding/json turns into U+FFFD, so that two different ids would become one).
func parseText(value []byte) (text string, ok bool) {
	if len(value) < 3 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	if hasLoneSurrogate(value) || json.Unmarshal(value, &text) != nil {
		return "", false
	}
	return text, !strings.Contains(text, "\x00")
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

// parseTime reads occurred_at. It returns the zero time for what is not readable.
func parseTime(value []byte) time.Time {
	if text, ok := parseText(value); ok {
		t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		if err != nil {
			return time.Time{}
		}
		return t.UTC()
	}
	milliseconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || milliseconds < minMilliseconds || milliseconds > maxMilliseconds {
		return time.Time{}
	}
	// A float64 holds every whole number of milliseconds in these bounds exactly.
	whole := int64(milliseconds)
	return time.UnixMilli(whole).Add(time.Duration((milliseconds - float64(whole)) * float64(time.Millisecond))).UTC()
}

// The years 1 to 9999, which are those of RFC 3339 too, in milliseconds since 1970.
const (
	minMilliseconds = -62_135_596_800_000
	maxMilliseconds = 253_402_300_799_999
)
