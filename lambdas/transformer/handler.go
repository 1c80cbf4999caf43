package transformer

import (
	"bytes"
	"context"
	stdbase64 "encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/segmentio/asm/base64"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// Handler answers Firehose by a [Func]. It is a [lambda.Handler].
type Handler struct {
	// Transform is what is done to each record. Required.
	Transform Func
	// Log receives what went wrong, never the data.
	//
	// Default: [slog.Default].
	Log *slog.Logger
	// Metrics receives one line in CloudWatch's embedded metric format for each
	// reason that records failed for; CloudWatch Logs makes metrics of them. See
	// [github.com/millrace-cdk/millrace/spec.TransformerNamespace].
	//
	// Default: standard output, which Lambda logs.
	Metrics io.Writer

	scratch sync.Pool // of *scratch
}

// scratch is the memory that one invocation leaves to the next.
type scratch struct {
	request request
	payload []byte // one record's, decoded
	line    []byte // what has become of it
}

// Start runs the Lambda function whose records are handled by f. It does not return.
func Start(f Func) {
	if os.Getenv("GOGC") == "" {
		// The heap is a request and a response of up to 6 MB each, nothing to search
		// through: to collect them earlier costs nothing and halves the peak.
		debug.SetGCPercent(50)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	lambda.Start(&Handler{Transform: f, Log: log})
}

// Invoke answers every record of a request with its id, once, in order. It
// returns an error only for what is no request of Firehose: one would fail the
// whole batch, and the good records with it.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	s, _ := h.scratch.Get().(*scratch)
	if s == nil {
		s = new(scratch)
	}
	defer h.scratch.Put(s)
	if err := s.request.read(payload); err != nil {
		return nil, err
	}
	var trouble troubles
	records := s.request.records
	text := string(s.request.text)
	answer := newResponse(records, payload, MaxResponseBytes)
	for i := range records {
		in := &records[i]
		result, err := h.result(ctx, s, in, payload, text)
		switch {
		case err != nil:
			answer.fail(in)
		case len(result.Data) == 0:
			answer.drop(in)
		case !answer.deliver(in, result):
			answer.fail(in)
			err = errTooLarge
		}
		if err != nil {
			trouble.add(err, of(payload, in.id))
		}
	}
	trouble.report(ctx, h.log(), h.metrics(), &s.request)
	return answer.end(), nil
}

var (
	errTooLarge = &Error{Reason: "ResponseFull", Err: fmt.Errorf("the response would pass %d bytes: lower the processor's buffer size", MaxResponseBytes)}
	errBase64   = &Error{Reason: "BadMetadata", Err: errors.New("the record's data is not base64")}
)

// result says what has become of a record.
func (h *Handler) result(ctx context.Context, s *scratch, in *incoming, payload []byte, text string) (Result, error) {
	if err := in.fault(); err != nil {
		return Result{}, err
	}
	var ok bool
	if s.payload, ok = appendDecoded(s.payload[:0], of(payload, in.data)); !ok {
		return Result{}, errBase64
	}
	result, err := h.transform(ctx, Record{
		Payload:      s.payload,
		Origin:       s.request.origin(in, payload, text),
		ArrivedAt:    time.UnixMilli(in.arrivedAt).UTC(),
		PartitionKey: of(text, in.partitionKey),
		Buffer:       s.line[:0],
	})
	if cap(result.Data) > cap(s.line) && len(result.Data) <= maxKept {
		s.line = slices.Grow(s.line[:0], len(result.Data))
	}
	return result, err
}

// maxKept is the longest line, in bytes, whose memory is kept for the next record.
const maxKept = 1 << 20

// origin says where the record arrived.
func (r *request) origin(in *incoming, payload []byte, text string) event.Origin {
	sequence := of(text, in.sequence)
	if sequence == "" { // direct PUT
		return event.Origin{Stream: r.delivery, Sequence: string(unquote(of(payload, in.id)))}
	}
	return event.Origin{Stream: r.source, Shard: of(text, in.shard), Sequence: sequence, SubSequence: in.subSequence}
}

// transform calls h.Transform and makes a panic of it an error.
func (h *Handler) transform(ctx context.Context, r Record) (result Result, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error: // its text is about the program, not about the data
			err = &panicError{reason: "panic: " + v.Error(), stack: debug.Stack()}
		default:
			err = &panicError{reason: fmt.Sprintf("panic with a %T", v), stack: debug.Stack()}
		}
	}()
	return h.Transform(ctx, r)
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

func (h *Handler) metrics() io.Writer {
	if h.Metrics == nil {
		return os.Stdout
	}
	return h.Metrics
}

// appendDecoded appends to dst what base64 text in a JSON string says.
func appendDecoded(dst, text []byte) ([]byte, bool) {
	dst = slices.Grow(dst, base64.StdEncoding.DecodedLen(len(text)))
	room := dst[len(dst):cap(dst)]
	if n, err := base64.StdEncoding.Decode(room, text); err == nil {
		return dst[:len(dst)+n], true
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return dst, false
	}
	// Escaped, as some encoders do to a slash. Firehose was not seen to.
	text = unquote(slices.Concat([]byte{'"'}, text, []byte{'"'}))
	n, err := stdbase64.StdEncoding.Decode(room, text)
	return dst[:len(dst)+n], err == nil
}
