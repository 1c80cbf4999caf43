package drill

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// points are one value a minute, from start on; a negative one is none.
func points(values ...float64) (all []Point) {
	for i, v := range values {
		if v >= 0 {
			all = append(all, Point{At: start.Add(time.Duration(i) * minute), Count: 1, Sum: v, Min: v, Max: v})
		}
	}
	return all
}

// late is load-iteratorage, in periods of a minute.
func late() Alarm {
	return Alarm{
		Statistic: types.StatisticMaximum, Period: minute, Periods: 3, ToAlarm: 3, Threshold: 300,
		Comparison: types.ComparisonOperatorGreaterThanThreshold, Missing: "notBreaching",
	}
}

func TestAnAlarmFiresWhenEnoughOfItsPeriodsBreach(t *testing.T) {
	a := late()
	values := points(10, 400, 301, 300, 301, 301, 301)
	fired := []bool{}
	for i := range 7 {
		fired = append(fired, a.Fires(values, start.Add(time.Duration(i+1)*minute)))
	}
	assert.Equal(t, []bool{false, false, false, false, false, false, true}, fired, "300 is not above the threshold")

	a.ToAlarm = 2
	assert.True(t, a.Fires(values, start.Add(3*minute)), "2 of 3")
}

func TestThePeriodsSlideAndAreWhole(t *testing.T) {
	a := late()
	a.Period, a.Periods, a.ToAlarm = 5*minute, 1, 1
	values := points(0, 0, 400)
	assert.False(t, a.Fires(values, start.Add(2*minute)))
	assert.True(t, a.Fires(values, start.Add(3*minute)))
	assert.True(t, a.Fires(values, start.Add(7*minute)))
	assert.False(t, a.Fires(values, start.Add(8*minute)), "it has slid out")
}

func TestAPeriodWithoutAValueCountsAsTheAlarmSays(t *testing.T) {
	gap, none := points(400, -1, 400), points(-1, -1, -1)
	for missing, want := range map[string][2]bool{
		"notBreaching": {false, false},
		"breaching":    {true, true},
		"missing":      {true, false},
		"":             {true, false},
	} {
		a := late()
		a.Missing = missing
		assert.Equal(t, want, [2]bool{a.Fires(gap, start.Add(3*minute)), a.Fires(none, start.Add(3*minute))}, "%q", missing)
	}
}

func TestValuesArePutTogetherByTheStatistic(t *testing.T) {
	values := []Point{{At: start, Count: 4, Sum: 8, Min: 1, Max: 5}, {At: start.Add(minute), Count: 1, Sum: 2, Min: 2, Max: 2}}
	for statistic, want := range map[types.Statistic]float64{
		types.StatisticSampleCount: 5, types.StatisticSum: 10, types.StatisticMinimum: 1, types.StatisticMaximum: 5, types.StatisticAverage: 2,
	} {
		a := Alarm{Statistic: statistic}
		got, measured := a.value(values, start, start.Add(2*minute))
		assert.True(t, measured)
		assert.InDelta(t, want, got, 0, statistic)
	}
}

func TestAnAlarmIsReadAsItIsDeployed(t *testing.T) {
	deployed := types.MetricAlarm{
		AlarmName: aws.String("Late"), Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("IteratorAge"),
		Statistic: types.StatisticMaximum, Period: aws.Int32(300), EvaluationPeriods: aws.Int32(3), Threshold: aws.Float64(301000),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, TreatMissingData: aws.String("notBreaching"),
	}
	a, ok := newAlarm(deployed)
	require.True(t, ok)
	assert.Equal(t, "Maximum of IteratorAge > 301000 for 3 of 3 periods of 5m0s", a.Says())
	assert.True(t, a.isAge())

	for name, change := range map[string]func(*types.MetricAlarm){
		"a percentile": func(d *types.MetricAlarm) { d.Statistic, d.ExtendedStatistic = "", aws.String("p99") },
		"metric math":  func(d *types.MetricAlarm) { d.MetricName = nil },
		"a range":      func(d *types.MetricAlarm) { d.ComparisonOperator = types.ComparisonOperatorGreaterThanUpperThreshold },
	} {
		other := deployed
		change(&other)
		_, ok := newAlarm(other)
		assert.False(t, ok, name)
	}
}
