package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// DeliveryErrors are Firehose's objects below its error prefix: a line of JSON a
// record, with the record as it came in base64
// (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html,
// https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html).
// They do not say where in the stream the record arrived.
func DeliveryErrors() Format { return Format{"delivery errors", readDeliveryErrors} }

// errorLine is both documented shapes. AWS spells the code's member errorCode, ErrorCode
// and lastErrorCode; encoding/json does not mind the case.
type errorLine struct {
	ArrivalTimestamp milliseconds `json:"arrivalTimestamp"`
	ErrorCode        string       `json:"errorCode"`
	LastErrorCode    string       `json:"lastErrorCode"`
	RawData          []byte       `json:"rawData"`
}

// milliseconds is a time since 1970, as a number or as text: the documents show text, objects have numbers.
type milliseconds struct{ time.Time }

// UnmarshalJSON reads either.
func (m *milliseconds) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	if err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	m.Time = time.UnixMilli(n).UTC()
	return nil
}

// maxErrorLine is the largest record in base64, with ample room for the other members.
const maxErrorLine = maxRecordBytes/3*4 + 64<<10

func readDeliveryErrors(ctx context.Context, r *reading) error {
	lines := bufio.NewScanner(r.body)
	lines.Buffer(nil, maxErrorLine)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var line errorLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.RawData == nil || line.ArrivalTimestamp.IsZero() {
			r.broken("a line of an error object is not in Firehose's shape")
			continue
		}
		reason := line.ErrorCode + line.LastErrorCode
		err := r.take(ctx, Record{Data: line.RawData, ArrivedAt: line.ArrivalTimestamp.Time, Reason: reason, Refused: refused(reason)})
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

// refused says that a record failed for what it is, and not for the state that the line was in
// (https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html).
func refused(code string) bool {
	switch code {
	case "Lambda.ProcessingFailedStatus",
		"DataFormatConversion.MalformedData", "DataFormatConversion.ParseError",
		"DynamicPartitioning.MetadataExtractionFailed", "DynamicPartitioning.RecordDeAggregationFailed":
		return true
	}
	return false
}

// Failures are the batches that Lambda gave up, as it puts them into an S3
// on-failure destination: an invocation record with the whole event
// (https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html).
func Failures() Format { return Format{"failed batches", readFailures} }

// maxFailure bounds an object: Lambda's event has up to 6 MB, and is escaped once more as text.
const maxFailure = 32 << 20

func readFailures(ctx context.Context, r *reading) error {
	text, err := io.ReadAll(io.LimitReader(r.body, maxFailure))
	if err != nil {
		return err
	}
	var failure struct {
		RequestContext struct {
			Condition string `json:"condition"`
		} `json:"requestContext"`
		Payload string `json:"payload"`
	}
	var batch events.KinesisEvent
	if err := json.Unmarshal(text, &failure); err == nil {
		err = json.Unmarshal([]byte(failure.Payload), &batch)
		if err == nil && len(batch.Records) > 0 {
			return takeBatch(ctx, r, batch, failure.RequestContext.Condition)
		}
	}
	r.broken("an on-failure object has no Kinesis event")
	return nil
}

func takeBatch(ctx context.Context, r *reading, batch events.KinesisEvent, reason string) error {
	for _, one := range batch.Records {
		source, err := arn.Parse(one.EventSourceArn)
		if err != nil {
			r.broken("a record of a failed batch has no source")
			continue
		}
		shard, _, _ := strings.Cut(one.EventID, ":")
		for _, record := range unpack(Record{
			// The resource is stream/NAME, and for an enhanced fan-out consumer goes on.
			Origin:       event.Origin{Stream: strings.SplitN(source.Resource+"/", "/", 3)[1], Shard: shard, Sequence: one.Kinesis.SequenceNumber},
			Data:         one.Kinesis.Data,
			PartitionKey: one.Kinesis.PartitionKey,
			// Seconds with a fraction: a float64 makes 476.999 milliseconds out of 477.
			ArrivedAt: one.Kinesis.ApproximateArrivalTimestamp.Round(time.Millisecond).UTC(),
			Reason:    reason,
		}) {
			if err := r.take(ctx, record); err != nil {
				return err
			}
		}
	}
	return nil
}

// Backups are source records as Firehose backs them up: one after the other, with
// nothing in between (https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html),
// and no word on where and when each arrived. JSON values end by themselves and are told
// apart. What is none goes up to the next line feed, if the producers write any.
func Backups() Format { return Format{"backups", readBackup} }

func readBackup(ctx context.Context, r *reading) error {
	body := &bounded{r: r.body}
	for {
		values := json.NewDecoder(body)
		for {
			var value json.RawMessage
			body.left = maxRecordBytes
			err := values.Decode(&value)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if syntax := new(json.SyntaxError); errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errUnbounded) {
				break
			}
			if err != nil {
				return err
			}
			if err := r.take(ctx, Record{Data: value, ArrivedAt: r.written, Approximate: true}); err != nil {
				return err
			}
		}
		r.broken("what is not JSON in a backup cannot be told apart up to the next line feed")
		rest := bufio.NewReaderSize(io.MultiReader(values.Buffered(), &unread{body}), 64<<10)
		if err := skipLine(rest); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		body = &bounded{r: rest}
	}
}

var errUnbounded = errors.New("no JSON value ends within the largest record")

// bounded stops a decoder that would gather a whole object for one value.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errUnbounded
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}

// unread reads what bounded has not read, without its bound.
type unread struct{ b *bounded }

func (u *unread) Read(p []byte) (int, error) { return u.b.r.Read(p) }

// skipLine reads over the first line feed after something else than whitespace.
func skipLine(r *bufio.Reader) error {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return err
		}
		if c > ' ' {
			break
		}
	}
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
