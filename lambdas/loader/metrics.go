package loader

import (
	"context"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/emf"
)

// The names of the metrics.
const (
	// MetricNamespace is the loader's namespace in CloudWatch.
	MetricNamespace = "Millrace/Loader"
	// MetricDimension is the only dimension: the function's name.
	MetricDimension = "FunctionName"
	// MetricRows counts the events that were stored for the first time.
	MetricRows = "Rows"
	// MetricDuplicates counts the events that were there already.
	MetricDuplicates = "Duplicates"
	// MetricQuarantined counts the records that can never be stored.
	MetricQuarantined = "Quarantined"
	// MetricSchemaBehind counts what the database lacks of the declared tables;
	// nothing is written while it lacks nothing.
	MetricSchemaBehind = "SchemaBehind"
	// MetricLag is the time in milliseconds from the arrival of the batch's
	// first record in the stream to the commit.
	MetricLag = "ArrivalToCommit"
	// MetricBatchTime is the time in milliseconds that the loader took for a batch.
	MetricBatchTime = "BatchTime"
)

func (l *Loader) measure(ctx context.Context, b *batch, result outcome, start time.Time) {
	if l.Metrics == nil {
		return
	}
	metrics := []emf.Metric{
		{Name: MetricRows, Unit: emf.Count, Value: float64(result.inserted)},
		{Name: MetricDuplicates, Unit: emf.Count, Value: float64(result.stored - result.inserted)},
		{Name: MetricQuarantined, Unit: emf.Count, Value: float64(len(b.rejects))},
		{Name: MetricBatchTime, Unit: emf.Milliseconds, Value: float64(time.Since(start).Milliseconds())},
	}
	if lacks := l.storeLacks(); len(lacks) > 0 {
		metrics = append(metrics, emf.Metric{Name: MetricSchemaBehind, Unit: emf.Count, Value: float64(len(lacks))})
	}
	if result.err == nil && len(b.records) > 0 { // else nothing is at rest yet
		lag := time.Since(b.records[0].arrivedAt)
		metrics = append(metrics, emf.Metric{Name: MetricLag, Unit: emf.Milliseconds, Value: float64(lag.Milliseconds())})
	}
	if err := l.Metrics.Write(metrics...); err != nil {
		l.log().ErrorContext(ctx, "metrics are missing", "error", err)
	}
}
