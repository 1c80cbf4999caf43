package drill

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	deployed "github.com/millrace-cdk/millrace/cmd/millrace/alarm"
)

// minute is how often CloudWatch evaluates an alarm whose period is a minute or longer
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html).
const minute = time.Minute

// An Alarm is a deployed alarm on one metric, and what it says of that metric's values. It
// counts in AWS's time.
type Alarm struct {
	// Name is its own, Runbook the anchor of its section in the runbook.
	Name, Runbook string
	// Metric is what it watches, Statistic how the values of a period are put together.
	Metric    types.Metric
	Statistic types.Statistic
	// Period is that of one data point; of the last Periods of them, ToAlarm have to breach.
	Period           time.Duration
	Periods, ToAlarm int
	Threshold        float64
	Comparison       types.ComparisonOperator
	// Missing is what a period without a value counts as: breaching, notBreaching, ignore or missing.
	Missing string
}

// Point is what was measured of a metric in a span of time that begins at At.
type Point struct {
	At                   time.Time
	Count, Sum, Min, Max float64
}

// newAlarm reads a deployed alarm. ok is false for one that is not evaluated here: on metric
// math, on percentiles, or on a range.
func newAlarm(a types.MetricAlarm) (alarm Alarm, ok bool) {
	alarm = Alarm{
		Name: aws.ToString(a.AlarmName), Runbook: deployed.Section(a.AlarmDescription),
		Metric:    types.Metric{Namespace: a.Namespace, MetricName: a.MetricName, Dimensions: a.Dimensions},
		Statistic: a.Statistic, Period: time.Duration(aws.ToInt32(a.Period)) * time.Second,
		Periods: int(aws.ToInt32(a.EvaluationPeriods)), ToAlarm: int(aws.ToInt32(a.DatapointsToAlarm)),
		Threshold: aws.ToFloat64(a.Threshold), Comparison: a.ComparisonOperator, Missing: aws.ToString(a.TreatMissingData),
	}
	if alarm.ToAlarm == 0 {
		alarm.ToAlarm = alarm.Periods
	}
	_, comparable := alarm.breaches(0)
	return alarm, a.MetricName != nil && a.Statistic != "" && alarm.Period > 0 && comparable
}

// Fires tells whether the alarm is in ALARM when it is evaluated at now. A period that has no
// value counts as Missing says; where it says missing (or nothing), the others decide
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
func (a *Alarm) Fires(points []Point, now time.Time) bool {
	breaching, known := 0, 0
	for i := range a.Periods {
		end := now.Add(-time.Duration(i) * a.Period)
		value, measured := a.value(points, end.Add(-a.Period), end)
		if !measured {
			switch a.Missing {
			case "breaching":
				breaching++
				known++
			case "notBreaching":
				known++
			}
			continue
		}
		known++
		if over, _ := a.breaches(value); over {
			breaching++
		}
	}
	return breaching >= min(a.ToAlarm, max(known, 1))
}

// value is the statistic of what was measured from then until before end.
func (a *Alarm) value(points []Point, from, end time.Time) (value float64, measured bool) {
	var all Point
	for _, p := range points {
		if p.At.Before(from) || !p.At.Before(end) || p.Count == 0 {
			continue
		}
		if all.Count == 0 {
			all.Min, all.Max = p.Min, p.Max
		}
		all.Count += p.Count
		all.Sum += p.Sum
		all.Min, all.Max = min(all.Min, p.Min), max(all.Max, p.Max)
	}
	switch a.Statistic {
	case types.StatisticSampleCount:
		value = all.Count
	case types.StatisticSum:
		value = all.Sum
	case types.StatisticMinimum:
		value = all.Min
	case types.StatisticMaximum:
		value = all.Max
	case types.StatisticAverage:
		value = all.Sum / max(all.Count, 1)
	}
	return value, all.Count > 0
}

func (a *Alarm) breaches(value float64) (breaches, known bool) {
	return deployed.Breaches(a.Comparison, value, a.Threshold)
}

// isAge tells the metrics that are the age of something: they grow with the clock, and so are
// scaled with it. A duration or latency is not: this machine computes as fast as it does.
func (a *Alarm) isAge() bool {
	name := aws.ToString(a.Metric.MetricName)
	return strings.Contains(name, "IteratorAge") || strings.HasSuffix(name, "DataFreshness") || name == "ArrivalToCommit"
}

// Says is the alarm's condition as a person reads it.
func (a *Alarm) Says() string {
	return fmt.Sprintf("%s of %s %s %g for %d of %d periods of %s", a.Statistic, aws.ToString(a.Metric.MetricName),
		map[types.ComparisonOperator]string{
			types.ComparisonOperatorGreaterThanThreshold: ">", types.ComparisonOperatorGreaterThanOrEqualToThreshold: ">=",
			types.ComparisonOperatorLessThanThreshold: "<", types.ComparisonOperatorLessThanOrEqualToThreshold: "<=",
		}[a.Comparison], a.Threshold, a.ToAlarm, a.Periods, a.Period)
}
