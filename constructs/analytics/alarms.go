package analytics

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// mark is how urgent an alarm of the package is and what it is a cause of.
func mark(id string) watch.Mark {
	m := map[string]watch.Mark{
		"Down":              {Symptom: watch.Late, Severity: watch.Critical},
		"FailedCheckpoints": {Symptom: watch.Late, Severity: watch.Warning}, // Down and Lag say when it matters
		"Lag":               {Symptom: watch.Late, Severity: watch.Critical},
		"Errors":            {Symptom: watch.Late, Severity: watch.Warning}, // IteratorAge says when it matters
		"IteratorAge":       {Symptom: watch.Late, Severity: watch.Critical},
		"Dropped":           {Symptom: watch.Aside, Severity: watch.Critical},
	}[id]
	m.Section = "analytics " + id
	return m
}

// Alarms lists the alarms of the application, which are none with SkipAlarms, and else those that
// AWS recommends (https://docs.aws.amazon.com/managed-flink/latest/java/monitoring-metrics-alarms.html):
//
//   - Down: the application is not running in 3 minutes on end. Data that are missing are an alarm too: it was
//     never started, or stopped.
//   - FailedCheckpoints: checkpoints fail for 15 minutes on end: after a failure it would compute from far behind.
//   - Lag: it is behind a stream that it reads by more than MaxLag, for 15 minutes on end; only if it reads one.
func (a *StreamAnalytics) Alarms() []awscloudwatch.Alarm { return slices.Clone(a.alarms) }

func (a *StreamAnalytics) watch(p *StreamAnalyticsProps) {
	if p.SkipAlarms {
		return
	}
	scope, path := constructs.NewConstruct(a, jsii.String("Alarms")), *a.Node().Path()
	add := func(id, what string, metric awscloudwatch.IMetric, threshold, periods float64, missing awscloudwatch.TreatMissingData) {
		a.alarms = append(a.alarms, watch.Alarm(scope, id, mark(id), &awscloudwatch.AlarmProps{
			AlarmDescription:   jsii.String(path + " " + what),
			Metric:             metric,
			Threshold:          &threshold,
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
			EvaluationPeriods:  &periods,
			TreatMissingData:   missing,
		}, p.AlarmActions))
	}
	minute := &awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(1))}
	add("Down", "is not running: nothing is computed, and the stream keeps what waits. Look first whether it was started, then at its log group.",
		a.MetricDowntime(minute), 0, 3, awscloudwatch.TreatMissingData_BREACHING)
	add("FailedCheckpoints", "cannot write checkpoints: after a failure it computes again from the last one that it has. Look first at its log group, then at the size of its state.",
		awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression:   jsii.String("RATE(failed)"),
			Label:        jsii.String("failed checkpoints a second"),
			UsingMetrics: &map[string]awscloudwatch.IMetric{"failed": a.MetricFailedCheckpoints(nil)},
		}), 0, 3, awscloudwatch.TreatMissingData_NOT_BREACHING)
	if slices.ContainsFunc(p.Tables, func(t Table) bool { return t.Stream != nil && !t.Writes }) && !*p.MaxLag.IsUnresolved() {
		add("Lag", "is behind a stream by more than "+*p.MaxLag.ToHumanString()+": results come late. Look first at the use of the processor, then raise Parallelism.",
			a.MetricMillisBehindLatest(), *p.MaxLag.ToMilliseconds(nil), 15, awscloudwatch.TreatMissingData_NOT_BREACHING)
	}
}
