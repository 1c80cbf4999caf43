package snapshot

import (
	"fmt"
	"strings"
)

// comparison is CloudWatch's operators as a reader writes them.
var comparison = map[string]string{
	"GreaterThanThreshold":                     ">",
	"GreaterThanOrEqualToThreshold":            "≥",
	"LessThanThreshold":                        "<",
	"LessThanOrEqualToThreshold":               "≤",
	"LessThanLowerThreshold":                   "below the band",
	"GreaterThanUpperThreshold":                "above the band",
	"LessThanLowerOrGreaterThanUpperThreshold": "outside the band",
}

// alarms are a row for each namespace of metrics, with a line for each alarm, or for several alike.
func (p page) alarms() [][]string {
	var rows [][]string // name, namespace, what it looks at and when it fires
	p.each(func(name string, alarm resource) {
		properties := alarm.Properties
		namespace, metric := p.text(properties["Namespace"]), p.text(properties["MetricName"])
		statistic := p.text(properties["Statistic"]) + p.text(properties["ExtendedStatistic"])
		seconds := p.text(properties["Period"])
		for _, query := range p.list(properties["Metrics"]) {
			query := query.(map[string]any)
			if query["Expression"] != nil {
				metric = strings.TrimPrefix(metric+"; "+p.text(query["Expression"]), "; ")
				continue
			}
			stat := query["MetricStat"].(map[string]any)
			of := stat["Metric"].(map[string]any)
			namespace = p.text(of["Namespace"])
			metric = strings.TrimPrefix(fmt.Sprintf("%s; %s = %s %s", metric, p.text(query["Id"]), p.text(of["MetricName"]), p.text(stat["Stat"])), "; ")
			seconds = p.text(stat["Period"])
		}
		operator := p.text(properties["ComparisonOperator"])
		periods := p.text(properties["EvaluationPeriods"])
		datapoints := periods
		if properties["DatapointsToAlarm"] != nil {
			datapoints = p.text(properties["DatapointsToAlarm"])
		}
		fires := fmt.Sprintf("%s %s %s %s for %s of %s", metric, statistic, comparison[operator], p.text(properties["Threshold"]), datapoints, periods)
		if seconds != "" {
			fires += " × " + seconds + " s"
		}
		if missing := p.text(properties["TreatMissingData"]); missing != "notBreaching" {
			fires += ", without data " + missing
		}
		if actions := p.text(properties["AlarmActions"]); actions != "" {
			fires += " → " + actions
		}
		rows = append(rows, []string{name, namespace, strings.Join(strings.Fields(fires), " ")})
	}, "AWS::CloudWatch::Alarm")
	p.each(func(name string, alarm resource) {
		rows = append(rows, []string{name, "composite", strings.TrimSpace(p.text(alarm.Properties["AlarmRule"]) + " → " + p.text(alarm.Properties["AlarmActions"]))})
	}, "AWS::CloudWatch::CompositeAlarm")
	var lines [][2]string
	for _, row := range joined(rows, 0) {
		lines = append(lines, [2]string{row[1], row[0] + ": " + row[2]})
	}
	return stacked(lines)
}
