package firehose

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// stream delivers one delivery stream. Shard readers feed one goroutine, which
// gathers batches for the processor and objects for S3 and works each off in
// turn; while it works, reading waits.
type stream struct {
	services
	settings atomic.Pointer[settings]
	log      *slog.Logger

	incoming buffer // for the processor
	outgoing buffer // for the prefix
	failed   buffer // JSON lines, for the error prefix
}

func newStream(s settings, services services, log *slog.Logger) *stream {
	d := &stream{services: services, log: log.With("delivery_stream", s.name)}
	d.settings.Store(&s)
	d.incoming = buffer{flush: d.process, interval: func(s *settings) time.Duration {
		if s.processor == nil {
			return 0
		}
		return s.processor.interval
	}}
	delivery := func(s *settings) time.Duration { return s.interval }
	d.outgoing = buffer{interval: delivery, flush: d.putOutgoing}
	d.failed = buffer{interval: delivery, flush: d.putFailed}
	return d
}

// Update puts new settings into force, for what is buffered already too.
func (d *stream) Update(s settings) { d.settings.Store(&s) }

// Run reads and delivers until ctx is done.
func (d *stream) Run(ctx context.Context) {
	s := d.settings.Load()
	reader := &shards.Reader{
		Client:    d.kinesis,
		StreamARN: s.source,
		Start:     shards.Start{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: s.created},
		Log:       d.log,
	}
	batches := make(chan []record)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reader.Run(ctx, func(ctx context.Context, shard *shards.Shard) { feed(ctx, shard, batches) })
	}()
	defer func() { <-ended }()

	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case batch := <-batches:
			for _, r := range batch {
				d.accept(ctx, r)
			}
		case <-d.due():
		}
		d.flushDue(ctx)
	}
	if left := len(d.incoming.records) + len(d.outgoing.records) + len(d.failed.records); left > 0 {
		d.log.Warn("stopped with records in its buffers: they are not delivered", "records", left)
	}
}

// feed passes a shard's records on until it ends.
func feed(ctx context.Context, shard *shards.Shard, batches chan<- []record) {
	for {
		read, err := shard.Next(ctx)
		if err != nil {
			return // the end of the shard or of ctx
		}
		batch := make([]record, len(read))
		for i, r := range read {
			batch[i] = newRecord(shard.ID, r)
		}
		select {
		case batches <- batch:
		case <-ctx.Done():
			return
		}
	}
}

// newRecord takes over a Kinesis record. As on AWS, its id is the sequence
// number and six digits of sub-sequence number.
func newRecord(shard string, r types.Record) record {
	sequence := aws.ToString(r.SequenceNumber)
	return record{
		id:        sequence + "000000",
		shard:     shard,
		partition: aws.ToString(r.PartitionKey),
		sequence:  sequence,
		arrived:   aws.ToTime(r.ApproximateArrivalTimestamp),
		data:      r.Data,
	}
}

// accept takes one record in.
func (d *stream) accept(ctx context.Context, r record) {
	p := d.settings.Load().processor
	if p == nil {
		d.incoming.add(r)
		return
	}
	r.event = r.encode()
	if d.incoming.events+len(r.event) > eventLimit {
		d.process(ctx)
	}
	d.incoming.add(r)
	if d.incoming.size >= p.size {
		d.process(ctx)
	}
}

// deliver buffers a record for the prefix.
func (d *stream) deliver(ctx context.Context, r record) {
	d.outgoing.add(r)
	if d.outgoing.size >= d.settings.Load().size {
		d.putOutgoing(ctx)
	}
}

// fail buffers a record's error line for the error prefix.
func (d *stream) fail(ctx context.Context, r record, f failure) {
	r.data = f.line(r)
	d.failed.add(r)
	if d.failed.size >= d.settings.Load().size {
		d.putFailed(ctx)
	}
}

// due fires when the first buffer's interval ends; never while all are empty.
func (d *stream) due() <-chan time.Time {
	s := d.settings.Load()
	wait := time.Duration(-1)
	for _, b := range []*buffer{&d.incoming, &d.outgoing, &d.failed} {
		if len(b.records) == 0 {
			continue
		}
		if left := max(0, time.Until(b.opened.Add(b.interval(s)))); wait < 0 || left < wait {
			wait = left
		}
	}
	if wait < 0 {
		return nil
	}
	return time.After(wait)
}

// flushDue works off the buffers whose interval has ended, in the order of the data's way.
func (d *stream) flushDue(ctx context.Context) {
	for _, b := range []*buffer{&d.incoming, &d.outgoing, &d.failed} {
		if len(b.records) > 0 && time.Since(b.opened) >= b.interval(d.settings.Load()) {
			b.flush(ctx)
		}
	}
}
