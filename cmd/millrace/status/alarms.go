package status

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	deployed "github.com/millrace-cdk/millrace/cmd/millrace/alarm"
)

// CloudWatch is what looking at alarms takes of it.
type CloudWatch interface {
	cloudwatch.DescribeAlarmsAPIClient
	cloudwatch.GetMetricDataAPIClient
}

// alarm is a deployed alarm and the newest value of its metric.
type alarm struct {
	types.MetricAlarm
	value *float64
}

// short is an alarm's name without its stack's: Loader-Errors.
func (a alarm) short() string {
	_, name, _ := strings.Cut(strings.TrimPrefix(aws.ToString(a.AlarmName), "Millrace-"), "-")
	_, name, _ = strings.Cut(name, "-")
	return name
}

// breaching says whether the newest value is beyond the alarm's own limit. One value beyond
// it is not yet an alarm, but it is what one looks for.
func (a alarm) breaching() bool {
	beyond, _ := deployed.Breaches(a.ComparisonOperator, *a.value, aws.ToFloat64(a.Threshold))
	return beyond
}

// state is the alarm's, and where it has none its value's.
func (a alarm) state() State {
	switch {
	case a.StateValue == types.StateValueAlarm || a.value != nil && a.breaching():
		return Red
	case a.StateValue == types.StateValueOk || a.value != nil:
		return OK
	}
	return Unknown
}

func (a alarm) text() string {
	limit := strconv.FormatFloat(aws.ToFloat64(a.Threshold), 'g', 6, 64)
	text := "no data"
	if a.value != nil {
		text = strconv.FormatFloat(*a.value, 'g', 6, 64)
	}
	if a.MetricName == nil {
		return "computed by CloudWatch"
	}
	return fmt.Sprintf("%s %s, limit %s", aws.ToString(a.MetricName), text, limit)
}

// recent is how far back a metric's newest value is looked for.
const recent = 15 * time.Minute

// alarms are those of env, each with the newest value of its metric.
func alarms(ctx context.Context, client CloudWatch, env string, now time.Time) ([]alarm, []types.CompositeAlarm, error) {
	var found []alarm
	var composites []types.CompositeAlarm
	pages := cloudwatch.NewDescribeAlarmsPaginator(client, &cloudwatch.DescribeAlarmsInput{
		AlarmNamePrefix: aws.String("Millrace-" + env + "-"), AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("describing the alarms: %w", err)
		}
		for _, a := range page.MetricAlarms {
			found = append(found, alarm{MetricAlarm: a})
		}
		composites = append(composites, page.CompositeAlarms...)
	}
	slices.SortFunc(found, func(a, b alarm) int { return strings.Compare(*a.AlarmName, *b.AlarmName) })
	return found, composites, values(ctx, client, found, now)
}

// values fills in the newest values. Alarms on metric math have none of their own here.
func values(ctx context.Context, client CloudWatch, all []alarm, now time.Time) error {
	var queries []types.MetricDataQuery
	for i, a := range all {
		if a.MetricName == nil {
			continue
		}
		statistic := string(a.Statistic)
		if a.ExtendedStatistic != nil {
			statistic = *a.ExtendedStatistic
		}
		queries = append(queries, types.MetricDataQuery{
			Id: aws.String("a" + strconv.Itoa(i)),
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: a.Namespace, MetricName: a.MetricName, Dimensions: a.Dimensions},
				Period: a.Period, Stat: &statistic,
			},
		})
	}
	if len(queries) == 0 {
		return nil
	}
	pages := cloudwatch.NewGetMetricDataPaginator(client, &cloudwatch.GetMetricDataInput{
		MetricDataQueries: queries, StartTime: aws.Time(now.Add(-recent)), EndTime: aws.Time(now), ScanBy: types.ScanByTimestampDescending,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("reading the alarms' metrics: %w", err)
		}
		for _, result := range page.MetricDataResults {
			i, err := strconv.Atoi(strings.TrimPrefix(aws.ToString(result.Id), "a"))
			if err != nil || i < 0 || i >= len(all) || len(result.Values) == 0 || all[i].value != nil {
				continue
			}
			all[i].value = newest(result)
		}
	}
	return nil
}

// newest does not rely on the order: the emulator has its own.
func newest(result types.MetricDataResult) *float64 {
	last := 0
	for i, at := range result.Timestamps {
		if i < len(result.Values) && at.After(result.Timestamps[last]) {
			last = i
		}
	}
	return &result.Values[last]
}

// alarmChecks is a line for each alarm that is red, and one that counts the rest of the stage.
func alarmChecks(stage string, all []alarm) []Check {
	var checks []Check
	var unknown []string
	fine := 0
	for _, a := range all {
		switch a.state() {
		case Red:
			checks = append(checks, Check{stage, a.short(), Red, a.text(), deployed.Section(a.AlarmDescription)})
		case OK:
			fine++
		case Unknown:
			unknown = append(unknown, a.short())
		}
	}
	if fine > 0 {
		checks = append(checks, Check{Stage: stage, Name: "alarms", State: OK, Value: fmt.Sprintf("%d of %d", fine, len(all))})
	}
	if len(unknown) > 0 {
		checks = append(checks, Check{Stage: stage, Name: "alarms", State: Unknown, Value: fmt.Sprintf("%d of %d have no data", len(unknown), len(all))})
	}
	return checks
}
