package cost

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/prices"
	"github.com/millrace-cdk/millrace/test/mdtable"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/choosing.md")

// The rates that the document has, in events of 1 KiB a second.
func rates() []float64 { return []float64{1, 100, 1_000, 10_000} }

func read(t *testing.T, environment string) Line {
	t.Helper()
	line, err := Read(templates, environment)
	require.NoError(t, err)
	return line
}

func head(first string, columns ...string) string {
	return "| " + first + " | " + strings.Join(columns, " | ") + " |"
}

func perRate() (columns []string) {
	for _, rate := range rates() {
		columns = append(columns, count(rate)+"/s")
	}
	return columns
}

// both are a month and a million events. A star says that a note follows.
func both(r Report) string {
	star := ""
	if len(r.Notes) > 0 {
		star = "\\*"
	}
	return fmt.Sprintf("%s%s, %s a million", USD(r.USD), star, USD(r.PerMillion))
}

// environmentsTable is dev, staging and prod at each rate; notes are what they would not take.
func environmentsTable(t *testing.T) (table, notes string) {
	t.Helper()
	var rows, not [][]string
	for _, of := range []struct {
		environment string
		batch       float64
	}{{"dev", 1}, {"staging", 1}, {"prod", 1}, {"prod", 100}} {
		line, row := read(t, of.environment), []string{fmt.Sprintf("`%s`, %g a request", of.environment, of.batch)}
		for _, rate := range rates() {
			r := estimated(t, line, PerSecond(rate, kib, of.batch))
			row = append(row, both(r))
			if len(r.Notes) > 0 {
				not = append(not, []string{row[0], count(rate) + "/s", strings.Join(r.Notes, "; ")})
			}
		}
		rows = append(rows, row)
	}
	return mdtable.Table(head("Events of 1 KiB", perRate()...), rows), mdtable.Table("| Environment | Events | \\* What it would not take |", not)
}

// stagesTable is prod's million events by stage.
func stagesTable(t *testing.T) string {
	t.Helper()
	cells := map[string][]string{}
	for _, rate := range rates() {
		for _, s := range estimated(t, read(t, "prod"), PerSecond(rate, kib, 1)).Stages {
			cells[s.Stage] = append(cells[s.Stage], USD(s.PerMillion))
		}
	}
	var rows [][]string
	for _, stage := range Stages() {
		if len(cells[stage]) > 0 {
			rows = append(rows, append([]string{stage}, cells[stage]...))
		}
	}
	return mdtable.Table(head("Stage", perRate()...), rows)
}

// stage is a month of one.
func stage(r Report, name string) float64 {
	for _, s := range r.Stages {
		if s.Stage == name {
			return s.USD
		}
	}
	return 0
}

// modesTable is prod's stream in either mode, with as many shards as are 80 % full.
func modesTable(t *testing.T) string {
	t.Helper()
	rows := [][]string{{"on demand"}, {"provisioned"}, {"shards of it"}}
	for _, rate := range rates() {
		line := read(t, "prod")
		rows[0] = append(rows[0], USD(stage(estimated(t, line, PerSecond(rate, kib, 1)), "stream")))
		shards := math.Ceil(shards(rate, kib, float64(len(line.Loaders)+len(line.Deliveries))) / 0.8)
		line.Streams = slices.Clone(line.Streams)
		for i := range line.Streams {
			line.Streams[i].Shards = shards
		}
		rows[1] = append(rows[1], USD(stage(estimated(t, line, PerSecond(rate, kib, 1)), "stream")))
		rows[2] = append(rows[2], count(shards))
	}
	return mdtable.Table(head("`prod`'s stream, a month", perRate()...), rows)
}

// linesTable is prod, and less and less of it.
func linesTable(t *testing.T) string {
	t.Helper()
	all := read(t, "prod")
	lake := slices.IndexFunc(all.Deliveries, func(d Delivery) bool { return !d.Converts })
	require.GreaterOrEqual(t, lake, 0)
	one := all.Deliveries[lake]
	put := one
	put.Direct = true
	var rows [][]string
	for _, of := range []struct {
		what string
		line Line
	}{
		{"`delivery.FirehoseToS3` alone: producers put to Firehose, with a key", Line{Deliveries: []Delivery{put}, Keys: 1}},
		{"`stream.StreamingCore` before it: order, replay, room for a second reader", Line{Streams: all.Streams, Deliveries: []Delivery{one}, Keys: 2}},
		{"`ingest.IngestApi` before that, without WAF", Line{APIs: 1, Traced: true, Streams: all.Streams, Deliveries: []Delivery{one}, Keys: 2}},
		{"`load.PostgresLoader` and `database.PrivateRds` besides, as in `prod`", Line{
			APIs: 1, Traced: true, Streams: all.Streams, Deliveries: []Delivery{one}, Loaders: all.Loaders, Databases: all.Databases,
			Keys: 3, Secrets: all.Secrets, EndpointZones: all.EndpointZones,
		}},
		{"`prod`: WAF, Parquet, alarms, copies in another region", all},
	} {
		row := []string{of.what}
		for _, rate := range rates() {
			r := estimated(t, of.line, PerSecond(rate, kib, 100))
			row = append(row, both(r))
		}
		rows = append(rows, row)
	}
	return mdtable.Table(head("100 events of 1 KiB a request", perRate()...), rows)
}

func pricesTable() string {
	var rows [][]string
	for _, p := range prices.Listed().All() {
		var tiers []string
		for i, tier := range p.Tiers {
			text := fmt.Sprintf("%g", tier.USD)
			if tier.First > 0 {
				text += []string{" for the first ", " for the next "}[min(i, 1)] + count(tier.First)
			} else if len(p.Tiers) > 1 {
				text += " for the rest"
			}
			tiers = append(tiers, text)
		}
		seen := p.Seen
		if seen == prices.NotConfirmed {
			seen = "**" + seen + "**"
		}
		rows = append(rows, []string{"`" + p.Name + "`", strings.Join(tiers, ", then "), p.Unit, p.Region, "[page](" + p.Page + ")", seen, p.Source, p.Read})
	}
	return mdtable.Table("| Price | US dollars | For | Region | AWS's page | Confirmed by | Read in | On |", rows)
}

func TestThePageOfChoicesIsWhatTheTemplatesAndThePricesGive(t *testing.T) {
	environments, notes := environmentsTable(t)
	var excluded [][]string
	for _, kind := range slices.Sorted(maps.Keys(Excluded())) {
		excluded = append(excluded, []string{kind, Excluded()[kind]})
	}
	mdtable.Hold(t, "../../../docs/choosing.md", map[string]string{
		"costs": environments, "notes": notes, "stages": stagesTable(t), "modes": modesTable(t), "lines": linesTable(t),
		"assumptions": mdtable.Table("| What | How much | From |", Assumed()),
		"excluded":    mdtable.Table("| Type | Not computed, since it is paid |", excluded),
		"prices":      pricesTable(),
	}, "go test ./cmd/millrace/cost -update", *update)
}
