// Package watch is how the constructs make metrics and alarms.
package watch

import (
	"cmp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Options returns options, which may be nil and are not changed, with statistic unless they have one.
func Options(statistic *string, options *awscloudwatch.MetricOptions) *awscloudwatch.MetricOptions {
	q := awscloudwatch.MetricOptions{}
	if options != nil {
		q = *options
	}
	if q.Statistic == nil {
		q.Statistic = statistic
	}
	return &q
}

// Metric is a metric of a namespace, by default of statistic.
func Metric(namespace, name string, dimensions map[string]*string, statistic *string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     &namespace,
		MetricName:    &name,
		DimensionsMap: &dimensions,
	}).With(Options(statistic, options))
}

// Math is an expression of metrics over periods of five minutes.
func Math(label, expression string, metrics map[string]awscloudwatch.IMetric) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: &expression, UsingMetrics: &metrics, Label: &label, Period: awscdk.Duration_Minutes(jsii.Number(5)),
	})
}

// Alarm defines an alarm in scope, by the name that [Name] gives it and marked as mark
// says, that tells actions of itself and of its end.
func Alarm(scope constructs.Construct, id string, mark Mark, props *awscloudwatch.AlarmProps, actions []awscloudwatch.IAlarmAction) awscloudwatch.Alarm {
	props.AlarmName = jsii.String(Name(scope, id))
	alarm := awscloudwatch.NewAlarm(scope, &id, props)
	mark.Put(alarm)
	Tell(alarm, actions)
	return alarm
}

// Above defines an alarm that fires when metric is above threshold in that many periods on
// end. A period without data is a good one: nothing was there to go wrong.
func Above(scope constructs.Construct, id string, mark Mark, description string, metric awscloudwatch.IMetric, threshold, periods float64, actions []awscloudwatch.IAlarmAction) awscloudwatch.Alarm {
	return Alarm(scope, id, mark, &awscloudwatch.AlarmProps{
		AlarmDescription:   &description,
		Metric:             metric,
		Threshold:          &threshold,
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  &periods,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	}, actions)
}

// Tell has alarm tell actions of itself and of its end.
func Tell(alarm awscloudwatch.Alarm, actions []awscloudwatch.IAlarmAction) {
	alarm.AddAlarmAction(actions...)
	alarm.AddOkAction(actions...)
}

// Name is the stack's name and the ids on the way from it to the alarm, joined by
// hyphens and without the scope that holds alarms alone: Millrace-prod-Pipeline-Ingest-Latency.
// Whoever is paged reads it, and other stacks name the alarm by it, so that no export
// ties an alarm's stack to theirs. It moves with the alarm's construct, hence no two alarms have it.
func Name(scope constructs.Construct, id string) string {
	stack := awscdk.Stack_Of(scope)
	below := strings.TrimPrefix(*scope.Node().Path(), *stack.Node().Path())
	parts := []string{*stack.StackName()}
	for part := range strings.SplitSeq(below, "/") {
		if part != "" && part != "Alarms" {
			parts = append(parts, part)
		}
	}
	return strings.Join(append(parts, id), "-")
}

// Severity is how soon somebody has to look.
type Severity string

// The severities.
const (
	// Critical wakes somebody: users notice, or data is on its way to be lost.
	Critical Severity = "critical"
	// Warning waits for working hours.
	Warning Severity = "warning"
)

// Symptom is what users or the person on call notice, of which several alarms may be the cause.
type Symptom string

// The symptoms of a line, in the data's order.
const (
	Refused  Symptom = "Refused"  // clients cannot hand over events
	Late     Symptom = "Late"     // events come to rest too late
	Aside    Symptom = "Aside"    // events are lost, or kept aside where nobody reads them
	Database Symptom = "Database" // the database is in trouble
	Release  Symptom = "Release"  // a release does not get through
	Other    Symptom = "Other"    // of alarms that nobody marked
)

// The tags by which an alarm says what it is.
const (
	SeverityTag = "millrace:severity"
	SymptomTag  = "millrace:symptom"
	RunbookTag  = "millrace:runbook"
)

// DefaultRunbook is where the runbook is read.
const DefaultRunbook = "https://github.com/millrace-cdk/millrace/blob/main/docs/runbook.md"

// Mark is what an alarm says of itself beyond its metric.
type Mark struct {
	// Section is the runbook's, as its heading has it: "ingest ServerErrors".
	Section  string
	Symptom  Symptom
	Severity Severity
}

// Anchor is the section's, as GitHub links to a heading.
func (m Mark) Anchor() string {
	return strings.ToLower(strings.ReplaceAll(m.Section, " ", "-"))
}

// link is how a description ends.
func link(runbook, anchor string) string { return " Runbook: " + runbook + "#" + anchor }

// Put writes the mark on alarm, as tags and as the link that ends its description.
func (m Mark) Put(alarm awscloudwatch.Alarm) {
	resource := alarm.Node().DefaultChild().(awscloudwatch.CfnAlarm)
	description := ""
	if d := resource.AlarmDescription(); d != nil {
		description = *d
	}
	resource.SetAlarmDescription(jsii.String(description + link(DefaultRunbook, m.Anchor())))
	m.Tag(resource.CdkTagManager())
}

// Tag puts the mark among tags.
func (m Mark) Tag(tags awscdk.TagManager) {
	tags.SetTag(jsii.String(SeverityTag), jsii.String(string(m.Severity)), nil, nil)
	tags.SetTag(jsii.String(SymptomTag), jsii.String(string(m.Symptom)), nil, nil)
	tags.SetTag(jsii.String(RunbookTag), jsii.String(m.Anchor()), nil, nil)
}

// Marked is what alarm was marked with, its anchor for its section. One that nobody
// marked is critical, of [Other], and has no section.
func Marked(alarm awscloudwatch.Alarm) Mark {
	values := *alarm.Node().DefaultChild().(awscloudwatch.CfnAlarm).CdkTagManager().TagValues()
	value := func(tag string) string {
		if v := values[tag]; v != nil {
			return *v
		}
		return ""
	}
	return Mark{
		Section:  value(RunbookTag),
		Symptom:  cmp.Or(Symptom(value(SymptomTag)), Other),
		Severity: cmp.Or(Severity(value(SeverityTag)), Critical),
	}
}

// SetSeverity gives a marked alarm another severity.
func SetSeverity(alarm awscloudwatch.Alarm, severity Severity) {
	alarm.Node().DefaultChild().(awscloudwatch.CfnAlarm).CdkTagManager().SetTag(jsii.String(SeverityTag), jsii.String(string(severity)), nil, nil)
}

// Relink points the description of a marked alarm at another runbook.
func Relink(alarm awscloudwatch.Alarm, runbook string) {
	anchor := Marked(alarm).Section
	if anchor == "" {
		return
	}
	resource := alarm.Node().DefaultChild().(awscloudwatch.CfnAlarm)
	text := strings.TrimSuffix(*resource.AlarmDescription(), link(DefaultRunbook, anchor))
	resource.SetAlarmDescription(jsii.String(text + link(runbook, anchor)))
}

// LeftOut says whether alarm's resource is not in its template, as where an emulator does not know it.
func LeftOut(alarm awscloudwatch.Alarm) bool { return alarm.Node().DefaultChild() == nil }
