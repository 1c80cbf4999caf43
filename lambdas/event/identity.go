package event

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event/object"
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
	var room [128]byte
	return string(o.appendTo(room[:0]))
}

func (o Origin) appendTo(dst []byte) []byte {
	dst = append(dst, o.Stream...)
	for _, part := range [...]string{o.Shard, o.Sequence} {
		if part != "" {
			dst = append(dst, '/')
			dst = append(dst, part...)
		}
	}
	if o.SubSequence > 0 {
		dst = append(dst, '/')
		dst = strconv.AppendInt(dst, o.SubSequence, 10)
	}
	return dst
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
func identity(id []byte) string {
	if len(id) <= MaxTextBytes {
		return string(id)
	}
	sum := sha256.Sum256(id)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ParseTime reads a JSON value as occurred_at is read: RFC 3339 text, or a number
// of milliseconds since 1970. It returns the zero time for what is not readable.
func ParseTime(value []byte) time.Time {
	if text, ok := object.Text(value); ok {
		t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(string(text)))
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
