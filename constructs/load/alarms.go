package load

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// TimeoutPercent is how much of its timeout an invocation may take before there is an alarm.
const TimeoutPercent = 80

// ConcurrencyPercent is how much of its reserved concurrency the loader may use before there is an alarm, as AWS recommends.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html#Lambda
const ConcurrencyPercent = 90

// QuarantinePercent is how many of the records may be quarantined before somebody is
// woken: single clients err, a hundredth of all is a release of theirs or of ours.
const QuarantinePercent = 1

// mark says of an alarm what it is a symptom of, and how soon somebody has to look.
func mark(id string) watch.Mark {
	m := map[string]watch.Mark{
		"Errors":           {Symptom: watch.Late, Severity: watch.Warning}, // IteratorAge and Lag say when it matters
		"Throttles":        {Symptom: watch.Late, Severity: watch.Warning},
		"Duration":         {Symptom: watch.Late, Severity: watch.Warning},
		"Concurrency":      {Symptom: watch.Late, Severity: watch.Warning},
		"IteratorAge":      {Symptom: watch.Late, Severity: watch.Critical},
		"Lag":              {Symptom: watch.Late, Severity: watch.Critical},
		"Quarantined":      {Symptom: watch.Aside, Severity: watch.Warning}, // QuarantineRate says when it matters
		"QuarantineRate":   {Symptom: watch.Aside, Severity: watch.Critical},
		"SchemaBehind":     {Symptom: watch.Aside, Severity: watch.Warning}, // rows are stored without what is lacking
		"KeptOnFailure":    {Symptom: watch.Aside, Severity: watch.Critical},
		"OnFailureRefused": {Symptom: watch.Aside, Severity: watch.Critical},
		"Dropped":          {Symptom: watch.Aside, Severity: watch.Critical},
	}[id]
	m.Section = "load " + id
	return m
}

// Alarms lists the alarms of the loader, which are none with SkipAlarms, and else:
//
//   - Errors: invocations crash or time out for 15 minutes on end.
//   - Throttles: batches wait for a free invocation for 15 minutes on end.
//   - Duration: an invocation takes [TimeoutPercent] of its timeout for 15 minutes on end, if the timeout is known at synth.
//   - IteratorAge: batches wait for longer than MaxLag, for 15 minutes on end: the database is in trouble, or too slow.
//   - Concurrency: it runs [ConcurrencyPercent] of the invocations that it may run at a time for 15 minutes on end,
//     if there may be fewer than there are batches at a time.
//   - Lag: rows come later than MaxLag, for 15 minutes on end.
//   - Quarantined: a record can never be stored.
//   - SchemaBehind: the database is of an earlier release than the loader for 15 minutes on end.
//   - QuarantineRate: over [QuarantinePercent] of the records can never be stored, for 15 minutes on end.
//   - KeptOnFailure: Lambda gave up batches, which are in OnFailure.
//   - OnFailureRefused: Lambda could not write to OnFailure.
//   - Dropped: Lambda gave up records, which are not in OnFailure.
func (l *PostgresLoader) Alarms() []awscloudwatch.Alarm { return slices.Clone(l.alarms) }

func (l *PostgresLoader) watch(p *PostgresLoaderProps) {
	if p.SkipAlarms {
		return
	}
	scope, path := constructs.NewConstruct(l, jsii.String("Alarms")), *l.Node().Path()
	add := func(id, what string, metric awscloudwatch.IMetric, threshold, periods float64) {
		alarm := watch.Above(scope, id, mark(id), path+" "+what, metric, threshold, periods, p.AlarmActions)
		l.alarms = append(l.alarms, alarm)
		if l.Rollout != nil && id == "IteratorAge" {
			l.Rollout.RollBackOn(alarm)
		}
	}
	age := *p.MaxRecordAge.ToHumanString()
	add("Errors", "crashes or times out: its batches are sent again, halved, and in the end kept in the bucket for failures. Look first at its log group.",
		l.MetricErrors(nil), 0, 3)
	add("Throttles", "has no free invocation for its batches: rows come late. Look first at its reserved concurrency, then at the account's limit.",
		l.MetricThrottles(nil), 0, 3)
	if timeout := l.Function.Timeout(); timeout != nil && !*timeout.IsUnresolved() {
		add("Duration", "takes almost all the time that it has: soon it is cut off, and the batch sent again. Look first at the database's load, then lower BatchSize or raise Timeout.",
			l.MetricDuration(nil), *timeout.ToMilliseconds(nil)*TimeoutPercent/100, 3)
	}
	// With as much as there are batches at a time, all of it in use is a loader that catches up.
	if lanes, known := p.lanes(); p.reserved() != nil && (!known || int(*p.reserved()) < lanes) {
		add("Concurrency", "runs almost as many invocations at a time as it may: soon batches wait for each other. Look first at the number of shards, then raise ReservedConcurrency.",
			l.MetricConcurrency(nil), *p.reserved()*ConcurrencyPercent/100, 3)
	}
	if !*p.MaxLag.IsUnresolved() {
		most := *p.MaxLag.ToMilliseconds(nil)
		add("IteratorAge", "is behind the stream by more than "+*p.MaxLag.ToHumanString()+": the database is in trouble, or too slow. At "+age+
			" batches go to the bucket for failures. Look first at its log group, which names the trouble, then at the database.", l.MetricIteratorAge(nil), most, 3)
		add("Lag", "stores rows more than "+*p.MaxLag.ToHumanString()+" after their events arrived. Look first at the time that a batch takes (BatchTime), then at the number of shards.",
			l.MetricLag(nil), most, 3)
	}
	add("Quarantined", "has put records into quarantine that can never be stored. Look at the table quarantine: the reason is beside the record.", l.MetricQuarantined(nil), 0, 1)
	add("SchemaBehind", "finds tables of an earlier release, and stores rows without what these lack. Run the migrator: was the database restored, or the migration not deployed? "+
		"Its log group says what is lacking. Then fill the rows (docs/change-strategy.md).", l.MetricSchemaBehind(nil), 0, 3)
	add("QuarantineRate", "quarantines more of the records than single clients' errors would be. Look at the table quarantine: one reason for most is a release, of the clients or of the tables.",
		l.metricQuarantineRate(), QuarantinePercent, 3)
	add("KeptOnFailure", "could not load batches, which are kept whole in the bucket for failures, from where millrace replay sends them again. Look first at its log group.",
		l.MetricKeptOnFailure(nil), 0, 1)
	add("OnFailureRefused", "has batches that Lambda could not put into the bucket for failures. Look first at the bucket's policy and key.", l.MetricOnFailureRefused(nil), 0, 1)
	add("Dropped", "has lost records that are in the stream and the lake only, and not in the bucket for failures. Replay them from the lake.", l.MetricDropped(nil), 0, 1)
}
