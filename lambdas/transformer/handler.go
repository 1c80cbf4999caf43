package transformer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// MaxResponseBytes is how large a function's synchronous response may be: 6 MB
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
// Lambda fails the whole invocation above it, and with it every record in it.
const MaxResponseBytes = 6 * 1024 * 1024

// Response is the answer to Firehose. It is a type of our own because the one in
// aws-lambda-go writes an empty otfMetadata, which names an Iceberg table, into
// every record.
type Response struct {
	Records []ResponseRecord `json:"records"`
}

// ResponseRecord is what has become of one record. Firehose asks for all of
// recordId, result and data, whatever the result
// (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html).
type ResponseRecord struct {
	RecordID string    `json:"recordId"`
	Result   string    `json:"result"`
	Data     []byte    `json:"data"`
	Metadata *Metadata `json:"metadata,omitempty"`
}

// Metadata is what Firehose partitions a record by.
type Metadata struct {
	PartitionKeys map[string]string `json:"partitionKeys"`
}

// Handler answers Firehose by a [Transform].
type Handler struct {
	// Transform is what is done to each record. Required.
	Transform Transform
	// Log receives what went wrong, never the data.
	//
	// Default: [slog.Default].
	Log *slog.Logger
}

// Handle answers every record of request with its id, once, in order. It returns
// no error: one would fail the whole batch, and the good records with it.
func (h Handler) Handle(ctx context.Context, request events.KinesisFirehoseEvent) (Response, error) {
	var trouble troubles
	response := Response{Records: make([]ResponseRecord, len(request.Records))}
	for i, r := range request.Records {
		result, err := h.transform(ctx, record(request, r))
		if err != nil {
			trouble.add(err, r.RecordID)
		}
		response.Records[i] = answer(r.RecordID, result, err)
	}
	for _, id := range limit(response.Records, MaxResponseBytes) {
		trouble.add(errTooLarge, id)
	}
	trouble.log(ctx, h.log(), request.InvocationID)
	return response, nil
}

var errTooLarge = fmt.Errorf("the response would pass %d bytes: lower the processor's buffer size", MaxResponseBytes)

func (h Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

// transform calls h.Transform and makes a panic of it an error.
func (h Handler) transform(ctx context.Context, r Record) (result Result, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error: // its text is about the program, not about the data
			err = panicError{reason: "panic: " + v.Error(), stack: debug.Stack()}
		default:
			err = panicError{reason: fmt.Sprintf("panic with a %T", v), stack: debug.Stack()}
		}
	}()
	return h.Transform(ctx, r)
}

// record is Firehose's record as a [Record].
func record(request events.KinesisFirehoseEvent, r events.KinesisFirehoseEventRecord) Record {
	source := r.KinesisFirehoseRecordMetadata
	if source.SequenceNumber == "" { // direct PUT
		return Record{
			Data:      r.Data,
			Origin:    event.Origin{Stream: resourceName(request.DeliveryStreamArn), Sequence: r.RecordID},
			ArrivedAt: r.ApproximateArrivalTimestamp.Time,
		}
	}
	return Record{
		Data: r.Data,
		Origin: event.Origin{
			Stream:      resourceName(request.SourceKinesisStreamArn),
			Shard:       source.ShardID,
			Sequence:    source.SequenceNumber,
			SubSequence: source.SubsequenceNumber,
		},
		ArrivedAt:    source.ApproximateArrivalTimestamp.Time,
		PartitionKey: source.PartitionKey,
	}
}

// resourceName returns what follows the slash in an ARN such as
// arn:aws:kinesis:eu-west-1:111122223333:stream/orders.
func resourceName(arn string) string {
	_, name, _ := strings.Cut(arn, "/")
	return name
}

// answer says what has become of a record.
func answer(id string, result Result, err error) ResponseRecord {
	switch {
	case err != nil:
		return failed(id)
	case len(result.Data) == 0:
		return ResponseRecord{RecordID: id, Result: events.KinesisFirehoseTransformedStateDropped, Data: []byte{}}
	}
	r := ResponseRecord{RecordID: id, Result: events.KinesisFirehoseTransformedStateOk, Data: result.Data}
	if len(result.PartitionKeys) > 0 {
		r.Metadata = &Metadata{PartitionKeys: result.PartitionKeys}
	}
	return r
}

// failed carries no data: what Firehose writes under the error prefix is the
// record as it came.
func failed(id string) ResponseRecord {
	return ResponseRecord{RecordID: id, Result: events.KinesisFirehoseTransformedStateProcessingFailed, Data: []byte{}}
}

// limit fails the records that have no room in a response of limit bytes, and
// returns their ids. The rest of the batch is not sent anew: it would reach the
// stream's other consumers a second time.
func limit(records []ResponseRecord, limit int) (tooLarge []string) {
	room := limit - len(`{"records":[]}`)
	for _, r := range records {
		room -= size(failed(r.RecordID)) + len(",")
	}
	for i, r := range records {
		more := size(r) - size(failed(r.RecordID))
		if more > room {
			records[i] = failed(r.RecordID)
			tooLarge = append(tooLarge, r.RecordID)
			continue
		}
		room -= more
	}
	return tooLarge
}

// size returns how many bytes of JSON r is.
func size(r ResponseRecord) int {
	encoded := base64.StdEncoding.EncodedLen(len(r.Data))
	r.Data = nil // counted above; it would be the most of the work
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings always marshal
	}
	return len(text) - len("null") + len(`""`) + encoded
}
