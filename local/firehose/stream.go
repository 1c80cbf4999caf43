package firehose

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/millrace-cdk/millrace/local/internal/shards"
	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// stream delivers one delivery stream. Shard readers feed one goroutine, which
// gathers batches for the processor and objects for S3 and works each off in
// turn; while it works, reading waits.
type stream struct {
	services
	settings   atomic.Pointer[settings]
	log        *slog.Logger
	checkpoint *checkpoint
	saving     *trouble.Log

	incoming *buffer            // for the processor
	backup   *buffer            // source records, for the backup's prefix
	outgoing map[string]*buffer // for the prefix, by partition
	failed   map[string]*buffer // JSON lines for the error prefix, by error-output-type
}

func newStream(s settings, services services, state string, log *slog.Logger) *stream {
	log = log.With("delivery_stream", s.name)
	remembered, err := loadCheckpoint(checkpointFile(state, s))
	if err != nil {
		log.Error("starting without a checkpoint: records may be delivered twice", "error", err)
	}
	d := &stream{
		services: services, log: log, checkpoint: remembered, saving: trouble.New(log),
		outgoing: map[string]*buffer{}, failed: map[string]*buffer{},
	}
	d.settings.Store(&s)
	d.incoming = &buffer{flush: d.process, interval: func(s *settings) time.Duration {
		if s.processor == nil {
			return 0
		}
		return s.processor.interval
	}}
	d.backup = &buffer{flush: d.putBackup, interval: func(s *settings) time.Duration {
		if s.backup == nil {
			return 0
		}
		return s.backup.interval
	}}
	return d
}

// deliveryInterval is that of the buffers for the prefix and the error prefix.
func deliveryInterval(s *settings) time.Duration { return s.interval }

// buffers returns all of them, in the order of the data's way.
func (d *stream) buffers() []*buffer {
	all := []*buffer{d.backup, d.incoming}
	for _, b := range d.outgoing {
		all = append(all, b)
	}
	slices.SortFunc(all[2:], func(a, b *buffer) int { return a.opened.Compare(b.opened) })
	for _, errorType := range []string{conversionFailed, processingFailed} {
		if b := d.failed[errorType]; b != nil {
			all = append(all, b)
		}
	}
	return all
}

// Update puts new settings into force, for what is buffered already too.
func (d *stream) Update(s settings) { d.settings.Store(&s) }

// Run reads and delivers until ctx is done.
func (d *stream) Run(ctx context.Context) {
	s := d.settings.Load()
	reader := &shards.Reader{
		Client:    d.kinesis,
		StreamARN: s.source.stream,
		Start:     shards.Start{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: s.created},
		After:     d.after(),
		Log:       d.log,
	}
	batches := make(chan batch)
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
			for _, r := range batch.records {
				d.take(ctx, batch, r)
			}
		case <-d.due():
		}
		d.flushDue(ctx)
		d.saving.Report(d.checkpoint.save())
	}
	left := 0
	for _, b := range d.buffers() {
		left += len(b.records)
	}
	if left > 0 {
		d.log.Warn("stopped with records in its buffers: they are not delivered", "records", left, "until_restart", d.checkpoint.file != "")
	}
}

// after is where each shard goes on, as it was at the start: Run's loop changes the checkpoint.
func (d *stream) after() func(string) string {
	sequences := d.checkpoint.sequences()
	return func(key string) string { return sequences[key] }
}

// accept takes one record in.
func (d *stream) accept(ctx context.Context, r record) {
	s := d.settings.Load()
	if s.backup != nil {
		r.place.hold(1)
		d.backup.add(r)
		if d.backup.size >= s.backup.size {
			d.putBackup(ctx, d.backup)
		}
	}
	if s.processor == nil {
		d.incoming.add(r)
		return
	}
	r.event = r.encode(s.source.direct)
	if d.incoming.events+len(r.event) > eventLimit {
		d.process(ctx, d.incoming)
	}
	d.incoming.add(r)
	if d.incoming.size >= s.processor.size {
		d.process(ctx, d.incoming)
	}
}

// deliver buffers a record for the prefix, in its partition.
func (d *stream) deliver(ctx context.Context, r record) {
	r.event = nil
	s := d.settings.Load()
	records, failed := s.partitioning.subRecords(r)
	if failed != nil {
		d.fail(ctx, r, *failed)
		return
	}
	r.place.hold(len(records) - 1)
	for _, r := range records {
		values, failed := s.partitioning.values(s.prefix.keys, r)
		if failed != nil {
			d.fail(ctx, r, *failed)
			continue
		}
		d.partition(ctx, s, values, r)
	}
}

func (d *stream) partition(ctx context.Context, s *settings, values []string, r record) {
	partition := strings.Join(values, "\x00")
	b := d.outgoing[partition]
	if b == nil && s.partitioning != nil && len(d.outgoing) >= s.partitioning.limit {
		d.fail(ctx, r, *partitionFailure("ActivePartitionLimitExceeded", fmt.Sprintf("%d partitions are active, which is the limit", len(d.outgoing))))
		return
	}
	if b == nil {
		b = &buffer{interval: deliveryInterval, flush: d.putOutgoing, partition: partition, keys: values, prefix: s.prefix}
		d.outgoing[partition] = b
	}
	b.add(r)
	if b.size >= s.size {
		d.putOutgoing(ctx, b)
	}
}

// fail buffers a record's error line for the error prefix.
func (d *stream) fail(ctx context.Context, r record, f failure) {
	errorType := f.outputType()
	b := d.failed[errorType]
	if b == nil {
		b = &buffer{interval: deliveryInterval, flush: d.putFailed(errorType)}
		d.failed[errorType] = b
	}
	r.data, r.event = f.line(r), nil
	b.add(r)
	if b.size >= d.settings.Load().size {
		b.flush(ctx, b)
	}
}

// due fires when the first buffer's interval ends; never while all are empty.
func (d *stream) due() <-chan time.Time {
	s := d.settings.Load()
	wait := time.Duration(-1)
	for _, b := range d.buffers() {
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
	s := d.settings.Load()
	for _, b := range d.buffers() {
		if len(b.records) > 0 && time.Since(b.opened) >= b.interval(s) {
			b.flush(ctx, b)
		}
	}
}
