package loader

import (
	"encoding/binary"
	"io"
	"iter"
	"sync"
	"time"
)

// copyEvents is the fast way in: one statement, which is one transaction and one
// round trip. It fails as a whole on an event that is there already.
const copyEvents = "COPY events (event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at) FROM STDIN (FORMAT binary)"

const (
	// copyHeader is the signature, no flags, and no extension
	// (https://www.postgresql.org/docs/17/sql-copy.html, "Binary Format").
	copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	// copyTrailer is a row of -1 fields.
	copyTrailer = "\xff\xff"
	// jsonbVersion begins a jsonb value; the JSON text follows.
	jsonbVersion = 1
)

// postgresEpoch is 2000-01-01 in microseconds since 1970, from which Postgres counts.
const postgresEpoch = 946_684_800_000_000

// copyReader is rows as COPY's binary format. pgx's own CopyFrom asks for the
// columns' types first, a round trip, and takes a slice of any a row.
type copyReader struct {
	// pgconn may leave its goroutine in Read when the connection breaks.
	mu    sync.Mutex
	next  func() (Row, bool)
	stop  func()
	done  bool // nothing more comes
	buf   []byte
	taken int // of buf
}

func newCopyReader(rows iter.Seq[Row], buf []byte) *copyReader {
	next, stop := iter.Pull(rows)
	return &copyReader{next: next, stop: stop, buf: append(buf[:0], copyHeader...)}
}

func (r *copyReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == len(r.buf) {
		r.buf, r.taken = r.buf[:0], 0
	}
	for !r.done && len(r.buf)-r.taken < len(p) {
		row, ok := r.next()
		if !ok {
			r.done = true
			r.buf = append(r.buf, copyTrailer...)
			break
		}
		r.buf = appendRow(r.buf, &row)
	}
	n := copy(p, r.buf[r.taken:])
	r.taken += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// close waits for a Read under way; after it nothing is read any more. It
// returns the buffer for the next one.
func (r *copyReader) close() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop()
	buf := r.buf
	r.done, r.buf, r.taken = true, nil, 0
	return buf
}

// appendRow appends a row of [copyEvents]. Each field has its length before it; -1 is null.
func appendRow(dst []byte, r *Row) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 8)
	dst = appendText(dst, r.ID)
	if r.Type == "" {
		dst = appendNull(dst)
	} else {
		dst = appendText(dst, r.Type)
	}
	dst = appendTime(dst, r.OccurredAt)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Payload)+1))
	dst = append(dst, jsonbVersion)
	dst = append(dst, r.Payload...)
	dst = appendText(dst, r.Source.Origin.Stream)
	dst = appendText(dst, r.Source.Origin.Shard)
	dst = appendText(dst, r.Source.Origin.Sequence)
	return appendTime(dst, r.Source.ArrivedAt)
}

func appendText(dst []byte, text string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text)))
	return append(dst, text...)
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return appendNull(dst)
	}
	dst = binary.BigEndian.AppendUint32(dst, 8)
	return binary.BigEndian.AppendUint64(dst, uint64(t.UnixMicro()-postgresEpoch))
}

func appendNull(dst []byte) []byte { return append(dst, 0xff, 0xff, 0xff, 0xff) }
