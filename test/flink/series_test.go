package flink

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const data = root + "/node_modules/vega-datasets/data"

// flightsDay is the day that the flights are laid into: they have a time and no date.
var flightsDay = time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC)

// point is a value of a series.
type point struct {
	at    time.Time
	value float64
}

type timeSeries struct {
	name   string
	points []point
}

func load[T any](t *testing.T, name string) (value T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &value))
	return value
}

func flights(t *testing.T) (points []point) {
	t.Helper()
	for _, flight := range load[[]struct{ Delay, Time float64 }](t, "flights-200k.json") {
		points = append(points, point{flightsDay.Add(time.Duration(math.Round(flight.Time*60)) * time.Minute), flight.Delay})
	}
	return points
}

func earthquakes(t *testing.T) (points []point) {
	t.Helper()
	type feature struct {
		Properties struct {
			Time int64
			Mag  float64
		}
	}
	for _, quake := range load[struct{ Features []feature }](t, "earthquakes.json").Features {
		points = append(points, point{time.UnixMilli(quake.Properties.Time).UTC(), quake.Properties.Mag})
	}
	return points
}

func prices(t *testing.T) (points []point) {
	t.Helper()
	file, err := os.Open(filepath.Join(data, "sp500-2000.csv"))
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	for _, row := range rows[1:] {
		day, err := time.Parse(time.DateOnly, row[0])
		require.NoError(t, err)
		price, err := strconv.ParseFloat(row[slices.Index(rows[0], "close")], 64)
		require.NoError(t, err)
		points = append(points, point{day, price})
	}
	return points
}

// writeEvents writes every flight, earthquake and price as an event, in the order of their times.
func writeEvents(t *testing.T, path string) {
	t.Helper()
	writeSorted(t, path, "event_type", "occurred_at", []timeSeries{{"flight", flights(t)}, {"earthquake", earthquakes(t)}, {"price", prices(t)}})
}

// writeReadings writes every point of every series, in the order of their times.
func writeReadings(t *testing.T, path string, series []timeSeries) {
	t.Helper()
	writeSorted(t, path, "series", "occurred_at", series)
}

func writeSorted(t *testing.T, path, name, at string, series []timeSeries) {
	t.Helper()
	type row struct {
		name string
		point
	}
	var rows []row
	for _, s := range series {
		for _, p := range s.points {
			rows = append(rows, row{s.name, p})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.at.Compare(b.at) })
	file, err := os.Create(path)
	require.NoError(t, err)
	lines := bufio.NewWriter(file)
	for _, r := range rows {
		text, err := json.Marshal(map[string]any{name: r.name, at: r.at.Format("2006-01-02T15:04:05.000Z"), "measured": r.value})
		require.NoError(t, err)
		_, err = fmt.Fprintln(lines, string(text))
		require.NoError(t, err)
	}
	require.NoError(t, lines.Flush())
	require.NoError(t, file.Close())
}

// realSeries are three of different kinds: one with fat tails, one with noise that changes over the day, one of small counts.
func realSeries(t *testing.T) []timeSeries {
	t.Helper()
	returns, closes := timeSeries{name: "S&P 500, return of a day"}, prices(t)
	for i, p := range closes[1:] {
		returns.points = append(returns.points, point{p.at, math.Log(p.value / closes[i].value)})
	}
	return []timeSeries{
		returns,
		{"flights, mean delay in a minute", binned(flights(t), time.Minute, false)},
		{"earthquakes, number in 10 minutes", binned(earthquakes(t), 10*time.Minute, true)},
	}
}

// binned is the mean of the points in each bin that has any, or how many there are in each.
func binned(points []point, bin time.Duration, count bool) (bins []point) {
	points = slices.SortedStableFunc(slices.Values(points), func(a, b point) int { return a.at.Compare(b.at) })
	first, last := points[0].at.Truncate(bin), points[len(points)-1].at.Truncate(bin)
	for at, i := first, 0; !at.After(last); at = at.Add(bin) {
		var sum, n float64
		for ; i < len(points) && points[i].at.Before(at.Add(bin)); i++ {
			sum, n = sum+points[i].value, n+1
		}
		switch {
		case count:
			bins = append(bins, point{at, n})
		case n > 0:
			bins = append(bins, point{at, sum / n})
		}
	}
	return bins
}

// What is injected: by turns one point that is high above the others, and several that are a little above.
const (
	warmUp      = 60 // points, of which the SQL needs as many before it scores
	episodeGap  = 40 // points of the real series between two episodes, at least
	spikeHeight = 8  // times the scale of the series
	shiftHeight = 4
	shiftLength = 5 // points
	suffix      = " + injected"
)

// episode is what was injected into a series: points first to last.
type episode struct{ first, last int }

// inject returns the series with episodes added to them, the same ones each time.
func inject(series []timeSeries) (injected []timeSeries, episodes map[string][]episode) {
	random := rand.New(rand.NewPCG(10, 10))
	episodes = map[string][]episode{}
	for _, s := range series {
		changed := timeSeries{s.name + suffix, slices.Clone(s.points)}
		scale := scaleOf(s.points)
		for i, n := warmUp+random.IntN(episodeGap), 0; i+shiftLength < len(s.points); i, n = i+episodeGap+random.IntN(episodeGap), n+1 {
			e, height := episode{i, i}, spikeHeight*scale
			if n%2 == 1 {
				e, height = episode{i, i + shiftLength - 1}, shiftHeight*scale
			}
			for j := e.first; j <= e.last; j++ {
				changed.points[j].value += height
			}
			episodes[changed.name] = append(episodes[changed.name], e)
		}
		injected = append(injected, changed)
	}
	return injected, episodes
}

// scaleOf is the standard deviation that the quartiles of the whole series stand for.
func scaleOf(points []point) float64 {
	sorted := slices.SortedFunc(slices.Values(points), func(a, b point) int { return cmp.Compare(a.value, b.value) })
	return 0.7413 * (sorted[len(sorted)*3/4].value - sorted[len(sorted)/4].value)
}
