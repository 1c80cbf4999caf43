package analytics

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// WindowTimeoutPercent is how much of its timeout an invocation may take before there is an alarm.
const WindowTimeoutPercent = 80

// markWindow says of an alarm what it is a symptom of, and how soon somebody has to look.
func markWindow(id string) watch.Mark {
	m := map[string]watch.Mark{
		"Errors":           {Symptom: watch.Late, Severity: watch.Warning}, // IteratorAge says when it matters
		"Throttles":        {Symptom: watch.Late, Severity: watch.Warning},
		"Duration":         {Symptom: watch.Late, Severity: watch.Warning},
		"IteratorAge":      {Symptom: watch.Late, Severity: watch.Critical},
		"Unusable":         {Symptom: watch.Aside, Severity: watch.Warning}, // the lake and the stream have the events
		"Spilled":          {Symptom: watch.Late, Severity: watch.Warning},
		"TerminatedEarly":  {Symptom: watch.Late, Severity: watch.Warning},
		"KeptOnFailure":    {Symptom: watch.Aside, Severity: watch.Critical},
		"OnFailureRefused": {Symptom: watch.Aside, Severity: watch.Critical},
		"Dropped":          {Symptom: watch.Aside, Severity: watch.Critical},
	}[id]
	m.Section = "windows " + id
	return m
}

// Alarms lists the alarms of the aggregate, which are none with SkipAlarms, and else those of a new
// stream of results (see [stream.StreamingCore.Alarms]), and:
//
//   - Errors: invocations crash, time out or cannot write results for 15 minutes on end.
//   - Throttles: batches wait for a free invocation for 15 minutes on end.
//   - Duration: an invocation takes [WindowTimeoutPercent] of its timeout for 15 minutes on end, if the timeout is known at synth.
//   - IteratorAge: batches wait for longer than MaxLag, for 15 minutes on end.
//   - Unusable: a record is no event, or has no usable key.
//   - Spilled: windows have more keys than a state holds, for 15 minutes on end: results come in parts.
//   - TerminatedEarly: Lambda ended a window because of its state's size, which the aggregator keeps below the limit.
//   - KeptOnFailure: Lambda gave up batches, which are in OnFailure.
//   - OnFailureRefused: Lambda could not write to OnFailure.
//   - Dropped: Lambda gave up records, which are not in OnFailure.
func (w *WindowedAggregate) Alarms() []awscloudwatch.Alarm { return slices.Clone(w.alarms) }

func (w *WindowedAggregate) watch(p *WindowedAggregateProps) {
	if p.SkipAlarms {
		return
	}
	scope, path := constructs.NewConstruct(w, jsii.String("Alarms")), *w.Node().Path()
	add := func(id, what string, metric awscloudwatch.IMetric, threshold, periods float64) {
		w.alarms = append(w.alarms, watch.Above(scope, id, markWindow(id), path+" "+what, metric, threshold, periods, p.AlarmActions))
	}
	add("Errors", "crashes, times out or cannot write its results: its batches are sent again with the state that they had, and in the end kept in the bucket for failures. "+
		"Look first at its log group, then at the stream of results.", w.MetricErrors(nil), 0, 3)
	add("Throttles", "has no free invocation for its batches: results come late. Look first at the account's concurrency.", w.MetricThrottles(nil), 0, 3)
	if timeout := w.Function.Timeout(); timeout != nil && !*timeout.IsUnresolved() {
		add("Duration", "takes almost all the time that it has: soon it is cut off, and the batch sent again. Look first at whether the stream of results refuses records, then lower BatchSize or raise Timeout.",
			w.MetricDuration(nil), *timeout.ToMilliseconds(nil)*WindowTimeoutPercent/100, 3)
	}
	if !*p.MaxLag.IsUnresolved() {
		add("IteratorAge", "is behind the stream by more than "+*p.MaxLag.ToHumanString()+". At "+*p.MaxRecordAge.ToHumanString()+
			" batches go to the bucket for failures. Look first at its log group, which names the trouble.", w.MetricIteratorAge(nil), *p.MaxLag.ToMilliseconds(nil), 3)
	}
	add("Unusable", "counts records that are no event, or have no usable key, in results of their own. Look at their reason there.", w.MetricUnusable(nil), 0, 1)
	add("Spilled", "meets more keys in a window than its state holds, and writes them in parts: nothing is lost, and there are more results to add up. Take a shorter window, a key with fewer values, or more shards.",
		w.MetricSpilled(nil), 0, 3)
	add("TerminatedEarly", "had a window ended by Lambda because of its state's size, and wrote it as a part: nothing is lost. It keeps its state below the limit, so tell millrace's authors.", w.MetricTerminatedEarly(nil), 0, 1)
	add("KeptOnFailure", "could not aggregate batches, which are kept whole in the bucket for failures and are in no window. Look first at its log group, then replay them.", w.MetricKeptOnFailure(nil), 0, 1)
	add("OnFailureRefused", "has batches that Lambda could not put into the bucket for failures. Look first at the bucket's policy and key.", w.MetricOnFailureRefused(nil), 0, 1)
	add("Dropped", "has records that are in no window, and not in the bucket for failures: the stream and the lake have them.", w.MetricDropped(nil), 0, 1)
}
