package aggregator

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// What one call of PutRecords takes.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
const (
	maxPutRecords = 500
	maxPutBytes   = 5 * 1024 * 1024 // partition keys included
)

// Putter is what [Stream] calls of Kinesis.
type Putter interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Stream is a [Sink] that is a Kinesis stream.
type Stream struct {
	Kinesis Putter
	ARN     string
	// Wait waits before the n-th attempt in a row at records that Kinesis refused, or returns ctx's error.
	//
	// Default: 100 ms, doubled each time up to 3.2 s.
	Wait func(ctx context.Context, n int) error
}

// Write puts rows until Kinesis has taken every one of them, or ctx is done.
func (s *Stream) Write(ctx context.Context, rows []Row) error {
	for len(rows) > 0 {
		n := chunk(rows)
		if err := s.put(ctx, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// chunk is how many of rows one call takes.
func chunk(rows []Row) int {
	size := 0
	for i, row := range rows {
		if size += len(row.JSON) + len(row.ID); i == maxPutRecords || i > 0 && size > maxPutBytes {
			return i
		}
	}
	return len(rows)
}

// put sends again what alone was refused.
func (s *Stream) put(ctx context.Context, rows []Row) error {
	entries := make([]types.PutRecordsRequestEntry, len(rows))
	for i, row := range rows {
		entries[i] = types.PutRecordsRequestEntry{Data: row.JSON, PartitionKey: &row.ID}
	}
	wait := s.Wait
	if wait == nil {
		wait = backOff
	}
	for attempt := 1; ; attempt++ {
		output, err := s.Kinesis.PutRecords(ctx, &kinesis.PutRecordsInput{StreamARN: &s.ARN, Records: entries})
		if err != nil {
			return fmt.Errorf("putting records: %w", err)
		}
		if len(output.Records) != len(entries) {
			return fmt.Errorf("putting records: %d answers for %d records", len(output.Records), len(entries))
		}
		var refused []types.PutRecordsRequestEntry
		var code string
		for i, r := range output.Records { // and not FailedRecordCount, which the emulator leaves 0
			if r.ErrorCode != nil {
				refused, code = append(refused, entries[i]), aws.ToString(r.ErrorCode)
			}
		}
		if len(refused) == 0 {
			return nil
		}
		entries = refused
		if err := wait(ctx, attempt); err != nil {
			return fmt.Errorf("putting records: %d are refused (%s): %w", len(refused), code, err)
		}
	}
}

func backOff(ctx context.Context, n int) error {
	select {
	case <-time.After(100 * time.Millisecond << min(n-1, 5)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
