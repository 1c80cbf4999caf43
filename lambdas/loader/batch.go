package loader

import (
	"fmt"

	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/kpl"
)

// batch is the records of one invocation. It makes rows of them when they are
// asked for: Postgres stores the first ones while the last ones are still JSON.
type batch struct {
	records []record
	next    int    // of records: the first that was not parsed yet
	data    []byte // what records are decoded to

	rows    []Row
	rejects []Reject
}

func newBatch(records []record, data []byte) *batch {
	return &batch{records: records, data: data[:0], rows: make([]Row, 0, len(records))}
}

// all yields every row in the order of the records. It may be called again.
func (b *batch) all(yield func(Row) bool) {
	for i := 0; ; i++ {
		for i == len(b.rows) {
			if b.next == len(b.records) {
				return
			}
			b.parse()
		}
		if !yield(b.rows[i]) {
			return
		}
	}
}

// parse makes rows and rejects of the next record. An aggregated one has several.
func (b *batch) parse() {
	r := b.records[b.next]
	source := Source{Origin: event.Origin{Stream: r.stream, Shard: r.shard, Sequence: r.sequence}, ArrivedAt: r.arrivedAt, index: b.next}
	b.next++
	start := len(b.data)
	decoded, err := r.appendData(b.data)
	if err != nil {
		source.Data = r.data
		b.rejects = append(b.rejects, Reject{Reason: fmt.Sprintf("decoding the record's base64: %s", err), Source: source})
		return
	}
	b.data = decoded
	source.Data = decoded[start:len(decoded):len(decoded)]

	records, aggregated := kpl.Split(source.Data)
	if !aggregated {
		b.add(source)
		return
	}
	for i, user := range records {
		source.Data, source.Origin.SubSequence = user.Data, int64(i)
		b.add(source)
	}
}

// add makes a row of data that is an event, and a reject of any other.
func (b *batch) add(source Source) {
	e, err := event.Parse(source.Data)
	if err != nil {
		b.rejects = append(b.rejects, Reject{Reason: err.Error(), Source: source})
		return
	}
	if !e.ArrivedAt.IsZero() {
		source.ArrivedAt = e.ArrivedAt
	}
	b.rows = append(b.rows, Row{ID: e.Identity(source.Origin), Type: e.Type, OccurredAt: e.OccurredAt, Payload: e.JSON, Source: source})
}

// hasRows parses until there is a row.
func (b *batch) hasRows() bool {
	for range b.all {
		return true
	}
	return false
}

func (b *batch) parseAll() {
	for b.next < len(b.records) {
		b.parse()
	}
}
