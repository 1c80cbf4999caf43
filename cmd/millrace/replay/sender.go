package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"golang.org/x/time/rate"

	"github.com/millrace-cdk/millrace/internal/wait"
	"github.com/millrace-cdk/millrace/lambdas/event"
)

// What PutRecords takes
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html). Of the bytes it takes 10 MiB by
// now; 5 MiB was the limit before, is the emulator's, and costs nothing.
const (
	maxRecords      = 500
	maxRequestBytes = 5 << 20
	maxPartitionKey = 256 // characters
)

const (
	// putAttempts is how often records that the stream does not take are sent before the replay gives up.
	putAttempts = 10
	// putWait is the first wait between two attempts; it doubles up to putMaxWait.
	putWait, putMaxWait = 100 * time.Millisecond, 5 * time.Second
)

// entry is a record to be put.
type entry struct {
	key, hashKey string
	data         []byte
	place        event.Origin // where it lies
}

func (e entry) size() int { return len(e.key) + len(e.data) }

// target takes what is sent on.
type target interface {
	// fits says that a record is not too large.
	fits(entry) bool
	// add takes a record, and counts one that does not fit as failed.
	add(context.Context, entry) error
	// flush returns when all that was added is at rest, and has counted it as sent.
	flush(context.Context) error
	// settle returns when nothing is under way any more. What is left of a batch stays where it is.
	settle() error
}

func newTarget(c Config, report *Report) target {
	if c.Loader != nil {
		return newInvoker(c, report)
	}
	return newSender(c, report)
}

// sender puts records in batches.
type sender struct {
	stream  *Stream
	dryRun  bool
	report  *Report
	limiter *rate.Limiter
	most    int // records in a batch

	batch []entry
	bytes int
}

func newSender(c Config, report *Report) *sender {
	most := min(maxRecords, c.Rate)
	return &sender{stream: c.Stream, dryRun: c.DryRun, report: report, limiter: rate.NewLimiter(rate.Limit(c.Rate), most), most: most}
}

func (s *sender) fits(e entry) bool { return s.stream.fits(e) }

// add puts a record into the batch, and sends that when it is full.
func (s *sender) add(ctx context.Context, e entry) error {
	if e.key == "" || utf8.RuneCountInString(e.key) > maxPartitionKey || !utf8.ValidString(e.key) {
		sum := sha256.Sum256(append([]byte(e.key), e.data...))
		e.key = hex.EncodeToString(sum[:])
	}
	if !s.stream.fits(e) {
		s.report.fail(fmt.Sprintf("larger than the stream's %d bytes", s.stream.maxRecord()), 1)
		return nil
	}
	if len(s.batch) == s.most || s.bytes+e.size() > maxRequestBytes {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.batch, s.bytes = append(s.batch, e), s.bytes+e.size()
	return nil
}

// flush sends the batch until the stream has all of it. Of a batch that it takes in
// part, the rest is sent again.
func (s *sender) flush(ctx context.Context) error {
	if s.dryRun {
		s.report.Sent += len(s.batch)
		s.batch, s.bytes = nil, 0
	}
	for attempt := 1; len(s.batch) > 0; attempt++ {
		if err := s.limiter.WaitN(ctx, len(s.batch)); err != nil {
			return fmt.Errorf("waiting to send: %w", err)
		}
		code, err := s.put(ctx)
		if err != nil {
			s.report.fail("not taken by the stream", len(s.batch))
			return err
		}
		if len(s.batch) == 0 {
			break
		}
		if attempt == putAttempts {
			s.report.fail("not taken by the stream: "+code, len(s.batch))
			return fmt.Errorf("putting records to %s: %d are still refused after %d attempts: %s", s.stream.Name, len(s.batch), attempt, code)
		}
		if err := backoff(ctx, attempt); err != nil {
			return err
		}
	}
	s.bytes = 0
	return nil
}

// backoff waits before the next attempt.
func backoff(ctx context.Context, attempt int) error {
	most := putMaxWait
	if attempt < 7 { // 100 ms << 6 is more than putMaxWait
		most = putWait << (attempt - 1)
	}
	return wait.For(ctx, most/2+rand.N(most/2))
}

// settle has nothing to wait for: one request is sent at a time.
func (s *sender) settle() error { return nil }

// put sends the batch once and leaves in it what was refused, with the code of one of those.
func (s *sender) put(ctx context.Context) (code string, err error) {
	records := make([]types.PutRecordsRequestEntry, len(s.batch))
	for i, e := range s.batch {
		records[i] = types.PutRecordsRequestEntry{Data: e.data, PartitionKey: &e.key}
		if e.hashKey != "" {
			records[i].ExplicitHashKey = &e.hashKey
		}
	}
	output, err := s.stream.Client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &s.stream.Name, Records: records})
	if err != nil {
		return "", fmt.Errorf("putting %d records to %s: %w", len(records), s.stream.Name, err)
	}
	if len(output.Records) != len(records) {
		return "", fmt.Errorf("putting %d records to %s: %d results", len(records), s.stream.Name, len(output.Records))
	}
	var refused []entry
	for i, result := range output.Records {
		if result.ErrorCode != nil {
			refused, code = append(refused, s.batch[i]), aws.ToString(result.ErrorCode)
		}
	}
	s.report.Sent += len(s.batch) - len(refused)
	s.batch = refused
	return code, nil
}
