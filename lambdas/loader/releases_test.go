package loader_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/emf"
	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	"github.com/millrace-cdk/millrace/spec"
)

// release is what one release declares, and how the migration to it is made.
type release struct {
	tables   []spec.Table
	contract bool
	byHand   string // SQL, in place of a generated migration
}

// releases are N-1, N and N+1.
type releases [3]release

// readings is a table in which every event of [eventsFrom] is a row.
func readings(change func(*spec.Table)) []spec.Table {
	t := spec.Table{
		Name: "readings", Key: []string{"device"},
		Columns: []spec.Column{
			{Name: "device", Type: "text"},
			{Name: "at", Type: "timestamptz", Path: "$.occurred_at"},
			{Name: "level", Type: "integer"},
		},
	}
	if change != nil {
		change(&t)
	}
	return []spec.Table{t}
}

func adding(columns ...spec.Column) []spec.Table {
	return readings(func(t *spec.Table) { t.Columns = append(t.Columns, columns...) })
}

// level returns the table with its column level changed.
func level(change func(*spec.Column), more ...spec.Column) []spec.Table {
	return readings(func(t *spec.Table) {
		change(&t.Columns[2])
		t.Columns = append(t.Columns, more...)
	})
}

func withoutLevel(more ...spec.Column) []spec.Table {
	return readings(func(t *spec.Table) { t.Columns = append(t.Columns[:2], more...) })
}

func retired(c *spec.Column) { c.Retired = true }

// changes are all kinds of change that the migrator lets through, each over three
// releases; lacks are what the loaders of N and of N+1 say of the schema before theirs.
func changes() map[string]struct {
	releases releases
	lacks    [2]string
} {
	site := spec.Column{Name: "site", Type: "text", Nullable: true}
	strict := spec.Column{Name: "site", Type: "text", Default: "nowhere"}
	lenient := spec.Column{Name: "site", Type: "text", Default: "nowhere", Nullable: true}
	wide := spec.Column{Name: "level_wide", Type: "bigint", Path: "$.level", Nullable: true}
	renamed := spec.Column{Name: "height", Type: "integer", Path: "$.level", Nullable: true}
	second := slices.Concat(readings(nil), []spec.Table{{Name: "sites", Columns: []spec.Column{{Name: "site", Type: "text"}}}})
	secondRetired := slices.Clone(second)
	secondRetired[1].Retired = true
	type change = struct {
		releases releases
		lacks    [2]string
	}
	const replace = "table readings: the right to replace rows"
	return map[string]change{
		"a column that may be null is added, and later gets a default": {
			releases{{tables: readings(nil)}, {tables: adding(site)}, {tables: adding(lenient)}}, [2]string{"table readings: column site", ""},
		},
		"a column with a default is added, and later takes no nulls": {
			releases{{tables: readings(nil)}, {tables: adding(lenient)}, {tables: adding(strict), contract: true}}, [2]string{"table readings: column site", ""},
		},
		"a column that takes no nulls is added with a default, which goes": {
			releases{{tables: readings(nil)}, {tables: adding(strict)}, {tables: adding(spec.Column{Name: "site", Type: "text"})}}, [2]string{"table readings: column site", ""},
		},
		"a column takes nulls from now on, and is retired": {
			releases{{tables: readings(nil)}, {tables: level(func(c *spec.Column) { c.Nullable = true })}, {tables: level(retired)}}, [2]string{},
		},
		"a column is retired, then dropped": {
			releases{{tables: readings(nil)}, {tables: level(retired)}, {tables: withoutLevel(), contract: true}},
			[2]string{"table readings: column level takes no nulls yet", ""},
		},
		"a column of a wider type takes over": {
			releases{{tables: readings(nil)}, {tables: level(func(*spec.Column) {}, wide)}, {tables: level(retired, wide)}},
			[2]string{"table readings: column level_wide", "table readings: column level takes no nulls yet"},
		},
		"a column is renamed: the new one beside the old, which is dropped": {
			releases{{tables: level(retired)}, {tables: level(retired, renamed)}, {tables: withoutLevel(renamed), contract: true}},
			[2]string{"table readings: column height", ""},
		},
		"the conflict rule replaces rows, and then newer ones only": {
			releases{
				{tables: readings(nil)},
				{tables: readings(func(t *spec.Table) { t.Conflict = spec.Update })},
				{tables: readings(func(t *spec.Table) { t.Conflict, t.Newer = spec.UpdateIfNewer, "at" })},
			}, [2]string{replace, ""},
		},
		"the conflict rule comes with the column that it is by": {
			releases{
				{tables: readings(nil)},
				{tables: readings(func(t *spec.Table) {
					t.Columns = append(t.Columns, spec.Column{Name: "version", Type: "bigint", Default: "0", Path: "$.level"})
					t.Conflict, t.Newer = spec.UpdateIfNewer, "version"
				})},
				{tables: readings(func(t *spec.Table) {
					t.Columns = append(t.Columns, spec.Column{Name: "version", Type: "bigint", Default: "0", Path: "$.level"})
				})},
			}, [2]string{"table readings: column version; " + replace, ""},
		},
		"a table is added, then retired": {
			releases{{tables: readings(nil)}, {tables: second}, {tables: secondRetired}}, [2]string{"table sites", ""},
		},
		"a table is retired, then dropped": {
			releases{{tables: second}, {tables: secondRetired}, {tables: readings(nil), contract: true}}, [2]string{},
		},
		"an index is added, then dropped": {
			releases{
				{tables: readings(nil)},
				{tables: readings(nil), byHand: "CREATE INDEX CONCURRENTLY readings_at ON readings (at);"},
				{tables: readings(nil), byHand: "DROP INDEX CONCURRENTLY readings_at;"},
			}, [2]string{},
		},
	}
}

// files are the migrations that a release has: those of the ones before it too.
func (r releases) files(t *testing.T, newest int) map[string]string {
	t.Helper()
	files := map[string]string{}
	var before []spec.Table
	for i, release := range r[:newest+1] {
		name, text, err := "expand", "", error(nil)
		switch {
		case release.byHand != "":
			var mark string
			mark, err = spec.Mark(release.tables)
			text = "-- +goose NO TRANSACTION\n-- +goose Up\n" + mark + "\n" + release.byHand + "\n"
		case release.contract:
			name = "contract"
			text, err = migrator.GenerateContract(before, release.tables)
		default:
			text, err = migrator.Generate(before, release.tables)
		}
		require.NoError(t, err)
		require.NotEmpty(t, text)
		files[fmt.Sprintf("%05d_%s.sql", i+1, name)] = text
		before = release.tables
	}
	return files
}

func (r releases) migrate(t *testing.T, database spec.Database, to int) {
	t.Helper()
	m := asMaster(database)
	m.Files = r.files(t, to)
	_, err := m.Migrate(t.Context())
	require.NoError(t, err)
}

// eventsFrom are events from first on, each of a device of its own, with a value for every column.
func eventsFrom(first, count int) events.KinesisEvent {
	data := make([]string, count)
	for i := range data {
		n := first + i
		data[i] = fmt.Sprintf(`{"event_id":"e-%07d","device":"d-%07d","occurred_at":%d,"level":%d,"site":"s-%d"}`, n, n, 1_767_323_045_000+n, n, n%7)
	}
	return batch(first, data...)
}

// rowsOf returns the rows of the declared tables that are there, by table, of every column.
func rowsOf(t *testing.T, admin *pgx.Conn) map[string][]map[string]any {
	t.Helper()
	all := map[string][]map[string]any{}
	for _, table := range []string{"readings", "sites"} {
		if len(postgrestest.Lines(t, admin, "SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename = '"+table+"'")) == 0 {
			continue
		}
		rows, err := admin.Query(t.Context(), "SELECT to_jsonb(t) FROM "+table+" t ORDER BY event_id")
		require.NoError(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowTo[map[string]any])
		require.NoError(t, err)
		all[table] = found
	}
	return all
}

// filled are the tables and columns that every one of the releases fills.
func filled(all ...release) map[string][]string {
	tables := map[string][]string{}
	for i, r := range all {
		columns := map[string][]string{}
		for _, t := range r.tables {
			if t.Retired {
				continue
			}
			columns[t.Name] = []string{spec.EventIDColumn}
			for _, c := range t.Columns {
				if !c.Retired {
					columns[t.Name] = append(columns[t.Name], c.Name)
				}
			}
		}
		if i == 0 {
			tables = columns
		}
		for name := range tables {
			tables[name] = slices.DeleteFunc(tables[name], func(c string) bool { return !slices.Contains(columns[name], c) })
			if len(tables[name]) == 0 {
				delete(tables, name)
			}
		}
	}
	return tables
}

// only returns of rows the columns that are there.
func only(rows []map[string]any, columns []string) []map[string]any {
	var kept []map[string]any
	for _, row := range rows {
		row = maps.Clone(row)
		maps.DeleteFunc(row, func(name string, _ any) bool { return !slices.Contains(columns, name) })
		kept = append(kept, row)
	}
	return kept
}

// write sends events by a loader of each of the releases, all at once: each gets all
// of them, in parts, and in an order of its own; and then all once more.
func write(t *testing.T, database spec.Database, count int, all ...release) (logs []*bytes.Buffer) {
	t.Helper()
	var group sync.WaitGroup
	for i, r := range all {
		l, log := connected(t, database, r.tables...)
		logs = append(logs, log)
		group.Go(func() {
			parts := slices.Collect(slices.Chunk(eventsFrom(0, count).Records, 7))
			if i%2 == 1 {
				slices.Reverse(parts)
			}
			for _, part := range slices.Concat(parts, parts) {
				response, err := l.Handle(t.Context(), events.KinesisEvent{Records: part})
				assert.NoError(t, err)
				assert.Empty(t, response.BatchItemFailures, "no insert fails")
			}
		})
	}
	group.Wait()
	return logs
}

func TestLoadersOfTwoReleasesWorkWithTheSchemasOfBoth(t *testing.T) {
	const count = 14
	for name, change := range changes() {
		t.Run(name, func(t *testing.T) {
			database, admin := migrated(t)
			type run struct {
				schema  int
				loaders []int
			}
			runs, results := []run{}, []map[string][]map[string]any{}
			for schema := range 3 {
				change.releases.migrate(t, database, schema)
				for _, loaders := range [][]int{{schema - 1}, {schema}, {schema + 1}, {schema - 1, schema}, {schema, schema + 1}} {
					if loaders[0] < 0 || loaders[len(loaders)-1] > 2 {
						continue
					}
					all := make([]release, len(loaders))
					for i, n := range loaders {
						all[i] = change.releases[n]
					}
					for i, log := range write(t, database, count, all...) {
						if n := loaders[i]; n == schema+1 && change.lacks[schema] != "" {
							assert.Contains(t, log.String(), change.lacks[schema])
							assert.Equal(t, 1, strings.Count(log.String(), "\n"), "told once")
						} else {
							assert.Empty(t, log.String(), "loader %d on schema %d", n, schema)
						}
					}
					runs, results = append(runs, run{schema, loaders}), append(results, rowsOf(t, admin))
					assert.Equal(t, []string{fmt.Sprint(count, " 0")}, postgrestest.Lines(t, admin, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM quarantine)"))
					truncate(t, admin)
				}
			}
			for i, r := range runs {
				all := make([]release, len(r.loaders))
				for j, n := range r.loaders {
					all[j] = change.releases[n]
				}
				// What the loader of the first makes of the schema that it is of.
				own := results[slices.IndexFunc(runs, func(o run) bool { return o.schema == r.loaders[0] && slices.Equal(o.loaders, r.loaders[:1]) })]
				for table, columns := range filled(all...) {
					rows, there := results[i][table]
					if !there {
						assert.Less(t, r.schema, slices.Max(r.loaders), "only the schema before may lack table %s", table)
						continue
					}
					require.Len(t, rows, count)
					columns = slices.DeleteFunc(columns, func(c string) bool { _, there := rows[0][c]; return !there })
					require.Greater(t, len(columns), 1)
					assert.Equal(t, only(own[table], columns), only(rows, columns), "loaders %v on schema %d: table %s, columns %v", r.loaders, r.schema, table, columns)
				}
			}
		})
	}
}

func truncate(t *testing.T, admin *pgx.Conn) {
	t.Helper()
	tables := postgrestest.Lines(t, admin, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('events', 'quarantine', 'readings', 'sites')")
	execute(t, admin, "TRUNCATE "+strings.Join(tables, ", "))
}

// TestBothLoadersWriteWhileTheSchemaChanges has the new loader there before its
// migration: it writes what there is, and the rest as soon as it is there.
func TestBothLoadersWriteWhileTheSchemaChanges(t *testing.T) {
	for name, change := range changes() {
		t.Run(name, func(t *testing.T) {
			database, admin := migrated(t)
			change.releases.migrate(t, database, 0)
			first := 0
			for schema := range 2 {
				stop := make(chan struct{})
				var group sync.WaitGroup
				var lines []*bytes.Buffer
				var writers []*loader.Loader
				for i := range 2 {
					l, log := connected(t, database, change.releases[schema+i].tables...)
					lines, writers = append(lines, log), append(writers, l)
					mine := first + i*100_000
					group.Go(func() {
						for n := mine; ; n += 5 {
							select {
							case <-stop:
								return
							default:
							}
							response, err := l.Handle(t.Context(), eventsFrom(n, 5))
							assert.NoError(t, err)
							assert.Empty(t, response.BatchItemFailures, "no insert fails")
						}
					})
				}
				require.Eventually(t, func() bool {
					return postgrestest.Lines(t, admin, fmt.Sprintf("SELECT count(*) FILTER (WHERE n < %d) > 10 AND count(*) FILTER (WHERE n >= %[1]d) > 10 "+
						"FROM (SELECT substr(event_id, 3)::int AS n FROM events WHERE event_id >= 'e-%07d') e", first+100_000, first))[0] == "true"
				}, 10*time.Second, 20*time.Millisecond)
				change.releases.migrate(t, database, schema+1)
				change.releases.migrate(t, database, schema) // a deploy that is rolled back: nothing is taken away
				close(stop)
				group.Wait()
				for _, log := range lines {
					assert.NotContains(t, log.String(), "level=ERROR")
				}
				require.Empty(t, handle(t, writers[1], eventsFrom(first+200_000, 5)), "the new loader goes on")
				for table, columns := range filled(change.releases[schema+1]) {
					rows := rowsOf(t, admin)[table]
					last := only(rows[len(rows)-1:], columns)
					require.Len(t, last, 1)
					assert.Len(t, last[0], len(columns), "it writes all of its columns: %v", last)
					assert.NotContains(t, slices.Collect(maps.Values(last[0])), any(nil))
				}
				first += 300_000
			}
			assert.Equal(t, []string{"0"}, postgrestest.Lines(t, admin, "SELECT count(*) FROM quarantine"))
			assert.Equal(t, postgrestest.Lines(t, admin, "SELECT count(*) FROM events"), postgrestest.Lines(t, admin, "SELECT count(*) FROM readings"))
		})
	}
}

func TestWhatTheDatabaseLacksIsAMetricUntilItIsThere(t *testing.T) {
	r := releases{{tables: readings(nil)}, {tables: adding(spec.Column{Name: "site", Type: "text", Nullable: true})}}
	database, _ := migrated(t)
	r.migrate(t, database, 0)
	l, _ := connected(t, database, r[1].tables...)
	var lines bytes.Buffer
	l.Metrics = &emf.Writer{Output: &lines, Namespace: loader.MetricNamespace}
	require.Empty(t, handle(t, l, eventsFrom(0, 1)))
	assert.Contains(t, lines.String(), `"`+loader.MetricSchemaBehind+`":1`)
	lines.Reset()
	r.migrate(t, database, 1)
	require.Empty(t, handle(t, l, eventsFrom(1, 1)))
	assert.NotContains(t, lines.String(), loader.MetricSchemaBehind)
}

// TestFillWritesWhatRowsWereStoredWithout sends the events again too, which alone does not do it.
func TestFillWritesWhatRowsWereStoredWithout(t *testing.T) {
	for _, rule := range []spec.Conflict{spec.Ignore, spec.Update, spec.UpdateIfNewer} {
		t.Run(string(rule), func(t *testing.T) {
			declare := func(t *spec.Table) {
				t.Conflict = rule
				if rule == spec.UpdateIfNewer {
					t.Newer = "at"
				}
			}
			before, after := readings(declare), readings(declare)
			after[0].Columns = append(after[0].Columns, spec.Column{Name: "site", Type: "text", Default: "nowhere"})
			r := releases{{tables: before}, {tables: after}}
			database, admin := migrated(t)
			r.migrate(t, database, 0)
			write(t, database, 10, r[0])
			r.migrate(t, database, 1)
			write(t, database, 10, r[1])
			const wrong = "SELECT r.event_id FROM readings r JOIN events USING (event_id) WHERE r.site <> payload->>'site'"
			assert.Equal(t, rule == spec.Update, len(postgrestest.Lines(t, admin, wrong)) == 0, "sending again replaces by the rule %s alone", rule)

			fill, err := loader.Fill(after[0])
			require.NoError(t, err)
			execute(t, admin, fill)
			assert.Empty(t, postgrestest.Lines(t, admin, wrong))
			assert.Equal(t, []string{"10"}, postgrestest.Lines(t, admin, "SELECT count(*) FROM readings"))
			again, err := admin.Exec(t.Context(), fill)
			require.NoError(t, err)
			assert.Zero(t, again.RowsAffected(), "a second time changes nothing")
		})
	}
}
