package flink

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/notifier"
	"github.com/millrace-cdk/millrace/test/duckdb"
)

// anomaly is a row of the table anomalies.
type anomaly struct {
	series, at, kind string
}

// compareAnomalies holds Flink's anomalies to those that are computed here from DuckDB's scores.
func compareAnomalies(t *testing.T, got []map[string]any, readings string) (found []anomaly) {
	scores := duckdb.Rows(t, root, fmt.Sprintf(`
		WITH quartiles AS (
			SELECT series, occurred_at AS measured_at, measured, count(*) OVER recent AS points,
				quantile_cont(measured, 0.25) OVER recent AS low, quantile_cont(measured, 0.5) OVER recent AS mid, quantile_cont(measured, 0.75) OVER recent AS high
			FROM read_json('%s', format = 'newline_delimited', columns = {series: 'VARCHAR', occurred_at: 'TIMESTAMP', measured: 'DOUBLE'})
			WINDOW recent AS (PARTITION BY series ORDER BY occurred_at ROWS BETWEEN 59 PRECEDING AND CURRENT ROW)
		)
		SELECT series, strftime(measured_at, '%%Y-%%m-%%dT%%H:%%M:%%SZ'), (measured - mid) / (0.7413 * nullif(high - low, 0))
		FROM quartiles WHERE points = 60 ORDER BY series, measured_at`, readings))

	want := map[anomaly]float64{}
	run, last := 0, [2]any{"", 0.0}
	for _, row := range scores {
		series, score := row[0].(string), 0.0
		if row[2] != nil {
			score = row[2].(float64)
		}
		if score > 5 || score < -5 {
			want[anomaly{series, row[1].(string), "spike"}] = score
		}
		side := 0.0
		switch {
		case score > 2.5:
			side = 1
		case score < -2.5:
			side = -1
		}
		switch {
		case side == 0:
			run = 0
		case last == [2]any{series, side} && run > 0:
			run++
		default:
			run = 1
		}
		last = [2]any{series, side}
		if run == 3 {
			want[anomaly{series, row[1].(string), "shift"}] = score
			run = 0
		}
	}

	for _, row := range got {
		one := anomaly{row["series"].(string), row["occurred_at"].(string), row["kind"].(string)}
		require.NotContains(t, found, one, "an anomaly twice")
		found = append(found, one)
		if assert.Contains(t, want, one) {
			same(t, want[one], row["score"], "score of %v", one)
		}
	}
	assert.Len(t, found, len(want))
	t.Logf("anomalies: %d of Flink, %d of DuckDB and Go, of %d scores", len(found), len(want), len(scores))
	return found
}

// published is how many of the rows the notifier's function publishes.
func published(t *testing.T, rows []map[string]any) (count int) {
	t.Helper()
	var batch events.KinesisEvent
	for _, row := range rows {
		text, err := json.Marshal(row)
		require.NoError(t, err)
		batch.Records = append(batch.Records, events.KinesisEventRecord{Kinesis: events.KinesisRecord{Data: text}})
	}
	n := &notifier.Notifier{SNS: publisher{&count}, Log: slog.New(slog.DiscardHandler)}
	answer, err := n.Handle(t.Context(), batch)
	require.NoError(t, err)
	assert.Empty(t, answer.BatchItemFailures)
	return count
}

// publisher counts messages.
type publisher struct{ count *int }

func (p publisher) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	*p.count += len(in.PublishBatchRequestEntries)
	return &sns.PublishBatchOutput{}, nil
}

// measure is the table of docs/analytics.md: how good the alarms are, by series.
func measure(series []timeSeries, episodes map[string][]episode, found []anomaly) string {
	var table strings.Builder
	table.WriteString("| Series | Points | Alarms without injection | Injected | Precision | Recall | of spikes | of shifts | Delay, points |\n|---|---|---|---|---|---|---|---|---|\n")
	indexes := func(s timeSeries) (points []int) {
		for _, one := range found {
			if one.series == s.name {
				points = append(points, slices.IndexFunc(s.points, func(p point) bool { return p.at.Format(time.RFC3339) == one.at }))
			}
		}
		slices.Sort(points)
		return slices.Compact(points) // a point may be both a spike and the third of a shift
	}
	for i, real := range series[:len(series)/2] {
		changed := series[len(series)/2+i]
		alarms, injected := indexes(changed), episodes[changed.name]
		var right, late int
		caught, all := map[bool]int{}, map[bool]int{}
		for _, e := range injected {
			isShift := e.last > e.first
			all[isShift]++
			hit := slices.DeleteFunc(slices.Clone(alarms), func(i int) bool { return i < e.first || i > e.last })
			right += len(hit)
			if len(hit) > 0 {
				caught[isShift]++
				late += hit[0] - e.first
			}
		}
		hits := caught[true] + caught[false]
		scored := len(real.points) - warmUp + 1
		quiet := indexes(real)
		fmt.Fprintf(&table, "| %s | %d | %d (%s) | %d | %s | %s | %s | %s | %.2f |\n", real.name, scored, len(quiet), percent(len(quiet), scored),
			len(injected), percent(right, len(alarms)), percent(hits, len(injected)),
			percent(caught[false], all[false]), percent(caught[true], all[true]), float64(late)/float64(max(hits, 1)))
	}
	return table.String()
}

func percent(part, of int) string {
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(max(of, 1)))
}

const (
	begin = "<!-- make test-flink: begin -->\n"
	end   = "<!-- make test-flink: end -->"
)

// holdDocument holds the table in docs/analytics.md to the one measured, or writes it with -update.
func holdDocument(t *testing.T, table string) {
	t.Helper()
	const path = root + "/docs/analytics.md"
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found, path)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found, path)
	if want := before + begin + table + end + after; *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	} else {
		assert.Equal(t, want, string(text), "what is measured is another than what is written: `make test-flink UPDATE=1`")
	}
}
