package firehose

import (
	"context"
	"time"
)

// record is one record on its way through a delivery stream.
type record struct {
	id          string // Firehose's record id
	shard       string
	partition   string // the Kinesis partition key
	sequence    string
	subSequence int64 // among the records of a KPL aggregate
	arrived     time.Time
	data        []byte
	event       []byte            // as a record of the processor's event; nil without a processor
	lambdaKeys  map[string]string // metadata.partitionKeys of the processor's answer
	place       *place            // nil: nothing is to be remembered of it
}

// buffer gathers what becomes one batch or one object.
type buffer struct {
	// interval is how long the first record may wait.
	interval func(*settings) time.Duration
	// flush works off what is in the buffer. It may leave it there only when its context is done.
	flush func(context.Context, *buffer)
	// partition tells the buffers of the prefix apart: one for each dynamic partition, whose
	// keys have these values in this prefix.
	partition string
	keys      []string
	prefix    prefix

	records []record
	size    int       // bytes of data
	events  int       // bytes of records of the processor's event
	opened  time.Time // when the first record came in
}

func (b *buffer) add(r record) {
	if len(b.records) == 0 {
		b.opened = time.Now()
	}
	b.records = append(b.records, r)
	b.size += len(r.data)
	b.events += len(r.event)
}

// rest empties the buffer of records that are at rest.
func (b *buffer) rest() {
	for _, r := range b.records {
		r.place.rest()
	}
	b.clear()
}

// clear empties the buffer.
func (b *buffer) clear() { b.records, b.size, b.events = nil, 0, 0 }

// oldest returns the earliest arrival in the buffer.
func (b *buffer) oldest() time.Time {
	earliest := b.records[0].arrived
	for _, r := range b.records[1:] {
		if r.arrived.Before(earliest) {
			earliest = r.arrived
		}
	}
	return earliest
}
