package shards

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

const (
	// readLimit is the most records asked for at once. It bounds memory: the
	// emulator, unlike Kinesis, does not stop at 10 MB an answer.
	readLimit = 500
	// idleMin and idleMax bound the wait after an empty read, which doubles while
	// the shard stays empty. Lambda polls an idle shard once a second.
	// Not shorter: the emulator keeps every iterator it hands out for 300 s
	// and walks through all of them at every Kinesis request.
	idleMin, idleMax = 100 * time.Millisecond, 500 * time.Millisecond
	// troubleWait is the wait before a failed read is tried again.
	troubleWait = time.Second
)

// Shard is one shard being read. It is not safe for concurrent use.
type Shard struct {
	// ID is the shard's id, "shardId-…".
	ID string
	// Key tells the shard from every other of its stream, earlier and later ones
	// of the same id too. It stays the same over a restart.
	Key string

	client  API
	stream  string
	start   Start
	opened  time.Time // when reading began
	last    string    // sequence number of the last record returned
	next    *string   // iterator to read with
	idle    time.Duration
	gone    atomic.Bool // no longer listed
	reading *trouble.Log
}

// newShard returns a shard to be read after the record whose sequence number is
// after, or where start says if that is empty.
func (r *Reader) newShard(info types.Shard, start Start, after string) *Shard {
	id := *info.ShardId
	return &Shard{
		ID: id, Key: shardKey(info), client: r.Client, stream: r.StreamARN, start: start, opened: time.Now(), last: after,
		idle: idleMin, reading: trouble.New(r.Log.With("stream", r.StreamARN, "shard", id)),
	}
}

// Next waits for the shard's next records, one at least, and returns them in
// order. It tries again on trouble, for ever. Its error is io.EOF when the shard is closed
// and read to its end, or ctx's.
func (s *Shard) Next(ctx context.Context) ([]types.Record, error) {
	for {
		if s.gone.Load() {
			return nil, io.EOF
		}
		records, err := s.read(ctx)
		wait := troubleWait
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case err == nil && len(records) > 0:
			s.reading.Report(nil)
			s.last = *records[len(records)-1].SequenceNumber
			s.idle = idleMin
			return records, nil
		case err == nil:
			s.reading.Report(nil)
			wait = s.idle
			s.idle = min(2*s.idle, idleMax)
		default:
			s.reading.Report(err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// read returns the next records, of which there may be none.
func (s *Shard) read(ctx context.Context) ([]types.Record, error) {
	if s.next == nil {
		iterator, err := s.client.GetShardIterator(ctx, s.position())
		if isGone(err) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, fmt.Errorf("getting an iterator for %s: %w", s.ID, err)
		}
		s.next = iterator.ShardIterator
	}
	output, err := s.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: s.next, Limit: aws.Int32(readLimit)})
	if expired := new(types.ExpiredIteratorException); errors.As(err, &expired) {
		s.next = nil
		return nil, nil // position() knows where to go on
	}
	if isGone(err) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("getting records of %s: %w", s.ID, err)
	}
	s.next = output.NextShardIterator
	if s.next == nil {
		s.gone.Store(true) // closed: these are its last records
	}
	return output.Records, nil
}

// position is where to go on reading: after the last record, or at the start.
func (s *Shard) position() *kinesis.GetShardIteratorInput {
	input := &kinesis.GetShardIteratorInput{StreamARN: &s.stream, ShardId: &s.ID, ShardIteratorType: s.start.Type}
	switch {
	case s.last != "":
		input.ShardIteratorType = types.ShardIteratorTypeAfterSequenceNumber
		input.StartingSequenceNumber = &s.last
	case s.start.Type == types.ShardIteratorTypeAtTimestamp:
		input.Timestamp = &s.start.Timestamp
	case s.start.Type == types.ShardIteratorTypeLatest:
		// From now on LATEST means the time it meant first: asked for a second
		// time, it would skip what has come since.
		s.start = Start{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: s.opened}
	}
	return input
}

// isGone says that the shard is no longer there: deleted with its stream, or
// dropped by the emulator at a split.
func isGone(err error) bool {
	gone := new(types.ResourceNotFoundException)
	return errors.As(err, &gone)
}
