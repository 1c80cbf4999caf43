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

// alarms are a row for each alarm.
func (p page) alarms() (rows [][]string) {
	p.each(func(name string, alarm resource) {
		properties := alarm.Properties
		metric := strings.TrimSpace(fmt.Sprintf("%s %s", p.text(properties["Namespace"]), p.text(properties["MetricName"])))
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
			metric = strings.TrimPrefix(fmt.Sprintf("%s; %s = %s %s %s", metric, p.text(query["Id"]), p.text(of["Namespace"]), p.text(of["MetricName"]), p.text(stat["Stat"])), "; ")
			seconds = p.text(stat["Period"])
		}
		operator := p.text(properties["ComparisonOperator"])
		periods := p.text(properties["EvaluationPeriods"])
		datapoints := periods
		if properties["DatapointsToAlarm"] != nil {
			datapoints = p.text(properties["DatapointsToAlarm"])
		}
		fires := fmt.Sprintf("%s %s %s, %s of %s", statistic, comparison[operator], p.text(properties["Threshold"]), datapoints, periods)
		if seconds != "" {
			fires += " × " + seconds + " s"
		}
		rows = append(rows, []string{
			name, metric, strings.Join(strings.Fields(strings.ReplaceAll(fires, " ,", ",")), " "),
			p.text(properties["TreatMissingData"]), p.text(properties["AlarmActions"]),
		})
	}, "AWS::CloudWatch::Alarm")
	p.each(func(name string, alarm resource) {
		rows = append(rows, []string{name, "composite", p.text(alarm.Properties["AlarmRule"]), "", p.text(alarm.Properties["AlarmActions"])})
	}, "AWS::CloudWatch::CompositeAlarm")
	return rows
}
