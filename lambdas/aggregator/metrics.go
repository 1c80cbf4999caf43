package aggregator

import (
	"context"

	"github.com/millrace-cdk/millrace/lambdas/emf"
)

// The names of the metrics.
const (
	// MetricNamespace is the aggregator's namespace in CloudWatch.
	MetricNamespace = "Millrace/Windows"
	// MetricDimension is the only dimension: the function's name.
	MetricDimension = "FunctionName"
	// MetricEvents counts the events that were taken into a window.
	MetricEvents = "Events"
	// MetricLate counts those of them that occurred before their window.
	MetricLate = "Late"
	// MetricUnusable counts the records that are no event, and the events without a usable key.
	MetricUnusable = "Unusable"
	// MetricRepeated counts the events that came again and changed nothing.
	MetricRepeated = "Repeated"
	// MetricRows counts the results that were written.
	MetricRows = "Rows"
	// MetricSpilled counts the parts that were written before their window was over, because its keys filled the state.
	MetricSpilled = "Spilled"
	// MetricTerminatedEarly counts the windows that Lambda ended because of the state's size.
	MetricTerminatedEarly = "TerminatedEarly"
)

func (a *Aggregator) measure(ctx context.Context, w *aggregation, early bool) {
	if a.Metrics == nil {
		return
	}
	terminated := 0.0
	if early {
		terminated = 1
	}
	count := func(name string, n float64) emf.Metric { return emf.Metric{Name: name, Unit: emf.Count, Value: n} }
	if err := a.Metrics.Write(
		count(MetricEvents, float64(w.counts.events)),
		count(MetricLate, float64(w.counts.late)),
		count(MetricUnusable, float64(w.counts.unusable)),
		count(MetricRepeated, float64(w.counts.repeated)),
		count(MetricRows, float64(len(w.rows))),
		count(MetricSpilled, float64(w.counts.spilled)),
		count(MetricTerminatedEarly, terminated),
	); err != nil {
		a.log().ErrorContext(ctx, "metrics are missing", "error", err)
	}
}
