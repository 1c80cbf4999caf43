package drill

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// watch evaluates the deployed alarms on the metrics that are emitted here, as if
// each second of this machine were scale seconds of AWS's.
type watch struct {
	cloudwatch *cloudwatch.Client
	scale      float64
	alarms     []Alarm
	// step is a minute of AWS's.
	step time.Duration
}

// ValidateScale is nil for a time scale that makes AWS's minute whole seconds, of which CloudWatch's periods are.
func ValidateScale(scale float64) error {
	if step := time.Duration(float64(minute) / max(scale, 1)); scale < 1 || step < time.Second || step%time.Second != 0 {
		return fmt.Errorf("the time scale must make a minute whole seconds, got %g: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60", scale)
	}
	return nil
}

// newWatch reads the deployed alarms.
func newWatch(ctx context.Context, client *cloudwatch.Client, scale float64) (*watch, error) {
	w := &watch{cloudwatch: client, scale: scale, step: time.Duration(float64(minute) / scale)}
	pages := cloudwatch.NewDescribeAlarmsPaginator(client, &cloudwatch.DescribeAlarmsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing the alarms: %w", err)
		}
		for _, deployed := range page.MetricAlarms {
			if a, ok := newAlarm(deployed); ok {
				w.alarms = append(w.alarms, a)
			}
		}
	}
	if len(w.alarms) == 0 {
		return nil, fmt.Errorf("no alarm is deployed that can be evaluated")
	}
	return w, nil
}

// settled is how much later than its end a minute is evaluated: metrics are published once a second.
const settled = 1500 * time.Millisecond

// fired are the alarms that are in ALARM, by what was measured since a time. One of a metric
// of which nothing was measured since is left alone: what would emit it on AWS may not be here.
func (w *watch) fired(ctx context.Context, since time.Time) ([]Alarm, error) {
	now := time.Now().Add(-settled).Truncate(w.step)
	since = since.Truncate(w.step)
	if !since.Before(now) {
		return nil, nil
	}
	measured, err := w.points(ctx, since, now)
	if err != nil {
		return nil, err
	}
	var fired []Alarm
	for i, a := range w.alarms {
		if len(measured[i]) > 0 && a.Fires(w.stretch(&a, measured[i], since), since.Add(w.slow(now.Sub(since)))) {
			fired = append(fired, a)
		}
	}
	return fired, nil
}

// slow is how long d lasts on AWS.
func (w *watch) slow(d time.Duration) time.Duration { return time.Duration(float64(d) * w.scale) }

// stretch puts points into AWS's time.
func (w *watch) stretch(a *Alarm, points []Point, since time.Time) []Point {
	stretched := slices.Clone(points)
	for i := range stretched {
		p := &stretched[i]
		p.At = since.Add(w.slow(p.At.Sub(since)))
		if a.isAge() {
			p.Sum, p.Min, p.Max = p.Sum*w.scale, p.Min*w.scale, p.Max*w.scale
		}
	}
	return stretched
}

// points are what was measured of each alarm's metric, by AWS's minutes.
func (w *watch) points(ctx context.Context, from, to time.Time) ([][]Point, error) {
	statistics := [...]types.Statistic{types.StatisticSampleCount, types.StatisticSum, types.StatisticMinimum, types.StatisticMaximum}
	const most = 500 / len(statistics) // a request takes 500 queries
	all := make([][]Point, len(w.alarms))
	for first := 0; first < len(w.alarms); first += most {
		some := w.alarms[first:min(first+most, len(w.alarms))]
		input := &cloudwatch.GetMetricDataInput{StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampAscending}
		for i := range some {
			for k, statistic := range statistics {
				input.MetricDataQueries = append(input.MetricDataQueries, types.MetricDataQuery{
					Id:         aws.String(fmt.Sprintf("m%d_%d", first+i, k)),
					MetricStat: &types.MetricStat{Metric: &some[i].Metric, Period: aws.Int32(int32(w.step / time.Second)), Stat: aws.String(string(statistic))},
				})
			}
		}
		output, err := w.cloudwatch.GetMetricData(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("reading metrics: %w", err)
		}
		for _, result := range output.MetricDataResults {
			if err := add(all, result); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// add puts one statistic of one metric into its points.
func add(all [][]Point, result types.MetricDataResult) error {
	var of, statistic int
	if _, err := fmt.Sscanf(aws.ToString(result.Id), "m%d_%d", &of, &statistic); err != nil {
		return fmt.Errorf("reading metrics: an answer of %s: %w", strconv.Quote(aws.ToString(result.Id)), err)
	}
	for i, at := range result.Timestamps {
		n := slices.IndexFunc(all[of], func(p Point) bool { return p.At.Equal(at) })
		if n < 0 {
			n = len(all[of])
			all[of] = append(all[of], Point{At: at})
		}
		p := &all[of][n]
		*[]*float64{&p.Count, &p.Sum, &p.Min, &p.Max}[statistic] = result.Values[i]
	}
	return nil
}
