package transformer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/spec"
)

// panicError is what a record fails with when its [Func] panics.
type panicError struct {
	reason string
	stack  []byte
}

func (p *panicError) Error() string { return p.reason }

// maxTroubles bounds the log of one batch: a Func whose errors all differ must
// not write a line a record.
const maxTroubles = 20

// troubles is what went wrong in one invocation, by reason and text: a bad batch
// is one line of log each, not one a record.
type troubles []*trouble

type trouble struct {
	reason  string // [Error.Reason]
	text    string
	first   string // record id
	records int
	stack   []byte // of the first panic
}

func (t *troubles) add(err error, recordID []byte) {
	reason, text := describe(err)
	if len(*t) >= maxTroubles-1 {
		// The last place is for all that is left.
		if !(*t).knows(reason, text) {
			reason, text = "Other", "further errors, which differ"
		}
	}
	for _, known := range *t {
		if known.reason == reason && known.text == text {
			known.records++
			return
		}
	}
	added := &trouble{reason: reason, text: text, first: string(unquote(recordID)), records: 1}
	var panicked *panicError
	if errors.As(err, &panicked) {
		added.stack = panicked.stack
	}
	*t = append(*t, added)
}

func (t troubles) knows(reason, text string) bool {
	for _, known := range t {
		if known.reason == reason && known.text == text {
			return true
		}
	}
	return false
}

// describe returns what err is counted by and what is logged of it.
func describe(err error) (reason, text string) {
	var ours *Error
	var panicked *panicError
	switch {
	case errors.As(err, &ours):
		return ours.Reason, err.Error()
	case errors.As(err, &panicked):
		return "Panic", err.Error()
	case errors.Is(err, event.ErrNotJSON):
		return "NotJSON", event.ErrNotJSON.Error() // without the offset, which differs each time
	case errors.Is(err, event.ErrNotUTF8):
		return "NotUTF8", err.Error()
	case errors.Is(err, event.ErrNotObject):
		return "NotObject", err.Error()
	}
	return "Error", err.Error()
}

// report logs and counts. Firehose's error object has the record, not the reason:
// who looks for it finds the record's id here.
func (t troubles) report(ctx context.Context, log *slog.Logger, metrics io.Writer, r *request) {
	counts := make(map[string]int, len(t))
	for _, trouble := range t {
		attributes := []any{"reason", trouble.reason, "error", trouble.text, "records", trouble.records, "first_record", trouble.first, "invocation", r.invocation}
		if trouble.stack != nil {
			attributes = append(attributes, "stack", string(trouble.stack))
		}
		log.WarnContext(ctx, "records failed", attributes...)
		counts[trouble.reason] += trouble.records
	}
	for reason, records := range counts {
		if _, err := metrics.Write(embeddedMetric(r.delivery, reason, records, time.Now())); err != nil {
			log.WarnContext(ctx, "writing a metric", "error", err)
		}
	}
}

// embeddedMetric is a line of log that CloudWatch makes a metric of
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
func embeddedMetric(deliveryStream, reason string, records int, at time.Time) []byte {
	type metric struct{ Name, Unit string }
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	line, err := json.Marshal(map[string]any{
		"_aws": map[string]any{
			"Timestamp": at.UnixMilli(),
			"CloudWatchMetrics": []directive{{
				Namespace: spec.TransformerNamespace,
				// With the reason to look at, without it to alarm on.
				Dimensions: [][]string{{"DeliveryStreamName"}, {"DeliveryStreamName", "Reason"}},
				Metrics:    []metric{{Name: spec.TransformerFailedRecords, Unit: "Count"}},
			}},
		},
		"DeliveryStreamName":          deliveryStream,
		"Reason":                      reason,
		spec.TransformerFailedRecords: records,
	})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return append(line, '\n')
}
