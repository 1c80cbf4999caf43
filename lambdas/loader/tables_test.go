package loader_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/emf"
	"github.com/millrace-cdk/millrace/lambdas/kpl/kpltest"
	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	"github.com/millrace-cdk/millrace/spec"
)

// declared is a table of each conflict rule.
func declared() []spec.Table {
	columns := []spec.Column{
		{Name: "device", Type: "text", Path: "$.device.id"},
		{Name: "at", Type: "timestamptz", Path: "$.occurred_at"},
		{Name: "level", Type: "numeric", Path: "$.levels[1]", Nullable: true},
		{Name: "site", Type: "text", Path: "$['the site']", Default: "it's north"},
		{Name: "all", Type: "jsonb", Path: "$.device", Nullable: true},
	}
	return []spec.Table{
		{Name: "first", EventTypes: []string{"state"}, Columns: columns, Key: []string{"device"}},
		{Name: "last", EventTypes: []string{"state"}, Columns: columns, Key: []string{"device"}, Conflict: spec.Update},
		{Name: "newest", EventTypes: []string{"state", "o'clock"}, Columns: columns, Key: []string{"device"}, Conflict: spec.UpdateIfNewer, Newer: "at"},
		{Name: "each", EventTypes: []string{"state"}, Columns: columns},
		{Name: "gone", Columns: columns, Retired: true},
	}
}

func state(id, device string, at, level int) string {
	return fmt.Sprintf(`{"event_id":%q,"event_type":"state","occurred_at":%d,"device":{"id":%q},"levels":[0,%d]}`, id, 1_767_323_045_000+at, device, level)
}

func TestEventBecomesARowOfEachTableOfItsType(t *testing.T) {
	database, admin := migrated(t, declared()...)
	l, log := connected(t, database, declared()...)
	require.Empty(t, handle(t, l, batch(1,
		state("a", "d", 678, 7),
		`{"event_id":"b","event_type":"o'clock","occurred_at":"2026-01-02T03:04:05Z","device":{"id":"e"},"levels":[1],"the site":"south"}`,
		`{"event_id":"c","event_type":"else"}`)))
	row := `a d 2026-01-02 03:04:05.678 +0000 UTC 7 it's north {"id": "d"}`
	for table, want := range map[string][]string{
		"first": {row}, "last": {row}, "each": {row}, "gone": {},
		"newest": {row, `b e 2026-01-02 03:04:05 +0000 UTC <nil> south {"id": "e"}`},
	} {
		assert.Equal(t, want, postgrestest.Lines(t, admin, `SELECT event_id, device, at, level::text, site, "all"::text FROM `+table+" ORDER BY 1"), table)
	}
	assert.Equal(t, []string{"3"}, postgrestest.Lines(t, admin, "SELECT count(*) FROM events"))
	assert.Empty(t, log.String())
}

func TestConflictRuleDecidesWhichEventStays(t *testing.T) {
	database, admin := migrated(t, declared()...)
	l, _ := connected(t, database, declared()...)
	require.Empty(t, handle(t, l, batch(1, state("b", "d", 10, 1), state("z", "d", 30, 2), state("a", "d", 20, 3))))
	require.Empty(t, handle(t, l, batch(4, state("c", "d", 5, 4))))
	for table, want := range map[string]string{"first": "b 1", "last": "c 4", "newest": "z 2"} {
		assert.Equal(t, []string{want}, postgrestest.Lines(t, admin, "SELECT event_id, level::text FROM "+table), table)
	}
	assert.Len(t, postgrestest.Lines(t, admin, "SELECT FROM each"), 4)
}

func TestNewestStaysInWhateverOrderEventsCome(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	var all events.KinesisEvent
	for i := range 300 {
		all.Records = append(all.Records, batch(i, state(fmt.Sprintf("e%d", i), fmt.Sprintf("d%d", random.IntN(20)), random.IntN(5), i)).Records...)
	}
	var first []string
	for range 3 {
		database, admin := migrated(t, declared()...)
		l, _ := connected(t, database, declared()...)
		records := slices.Concat(all.Records, all.Records[:100])
		random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		for part := range slices.Chunk(records, 90) {
			require.Empty(t, handle(t, l, events.KinesisEvent{Records: part}))
		}
		lines := postgrestest.Lines(t, admin, "SELECT * FROM newest ORDER BY device")
		require.Len(t, lines, 20)
		if first == nil {
			first = lines
		}
		assert.Equal(t, first, lines)
	}
}

func TestEventThatATableRefusesIsInQuarantineAndInNoTable(t *testing.T) {
	database, admin := migrated(t, declared()...)
	execute(t, admin, "ALTER TABLE each ADD CHECK (level < 100)")
	l, _ := connected(t, database, declared()...)
	require.Empty(t, handle(t, l, batch(10,
		state("good", "d", 1, 1),
		`{"event_id":"type","event_type":"state","occurred_at":1,"device":{"id":"x"},"levels":[0,"high"]}`,
		`{"event_id":"null","event_type":"state","occurred_at":1,"device":{}}`,
		`{"event_id":"time","event_type":"state","occurred_at":"soon","device":{"id":"x"}}`,
		state("check", "d", 1, 100),
		state("fine", "d", 2, 2))))
	assert.Equal(t, []string{"fine", "good"}, postgrestest.Lines(t, admin, "SELECT event_id FROM events ORDER BY 1"))
	assert.Equal(t, []string{"fine", "good"}, postgrestest.Lines(t, admin, "SELECT event_id FROM each ORDER BY 1"))
	reasons := postgrestest.Lines(t, admin, `SELECT right(origin, 2), reason FROM quarantine ORDER BY origin COLLATE "C"`)
	require.Len(t, reasons, 4)
	for i, want := range []string{
		`11 SQLSTATE 22P02: invalid input syntax for type numeric: "high": table`, "12 SQLSTATE 23502: null value: table",
		`13 SQLSTATE 22007: invalid input syntax for type timestamp with time zone: "soon"`, `14 SQLSTATE 23514: new row for relation "each" violates check constraint`,
	} {
		assert.True(t, strings.HasPrefix(reasons[i], want), reasons[i])
	}
}

func TestTableThatIsDeclaredLaterIsFilledBySendingEventsAgain(t *testing.T) {
	database, admin := migrated(t, declared()...)
	before, _ := connected(t, database)
	b := batch(1, state("a", "d", 1, 1), state("b", "e", 2, 2))
	require.Empty(t, handle(t, before, b))
	after, _ := connected(t, database, declared()...)
	require.Empty(t, handle(t, after, b))
	assert.Equal(t, []string{"a", "b"}, postgrestest.Lines(t, admin, "SELECT event_id FROM each ORDER BY 1"))
}

func TestLoaderReplacesRowsOnlyWhereItHasTo(t *testing.T) {
	database, admin := migrated(t, declared()...)
	assert.Equal(t, []string{"last", "newest"}, postgrestest.Lines(t, admin,
		"SELECT table_name FROM information_schema.role_table_grants WHERE grantee = 'millrace_loader' AND privilege_type = 'UPDATE' ORDER BY 1"))
	assert.Empty(t, postgrestest.Lines(t, admin,
		"SELECT table_name FROM information_schema.role_table_grants WHERE grantee = 'millrace_loader' AND privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE')"))
	assert.NotEmpty(t, database.Name)
}

func TestInvalidTablesStopTheLoaderAtItsStart(t *testing.T) {
	config := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	_, err := loader.New(spec.Loader{
		Database: spec.Database{Host: "h", Port: "5433", Name: "n"}, Tables: []spec.Table{{Name: "events"}},
	}, config, nil)
	require.ErrorContains(t, err, "table events: the name is millrace's own")
	require.ErrorContains(t, err, "table events: columns are required")
}

func TestRecordsThatTheKPLPackedAreTakenApart(t *testing.T) {
	database, admin := migrated(t)
	l, _ := connected(t, database)
	b := batch(7, string(kpltest.Aggregate(`{"event_id":"a"}`, `{"n":1}`, `not JSON`, `{"n":3}`)), `{"n":4}`)
	for range 2 { // a redelivery
		require.Empty(t, handle(t, l, b))
	}
	record := fmt.Sprintf("events/shardId-000000000000/%056d", 7)
	assert.Equal(t, []string{
		"a", record + "/1", record + "/3", fmt.Sprintf("events/shardId-000000000000/%056d", 8),
	}, postgrestest.Lines(t, admin, `SELECT event_id FROM events ORDER BY event_id COLLATE "C"`))
	assert.Equal(t, []string{record + "/2 not JSON"}, postgrestest.Lines(t, admin, "SELECT origin, encode(data, 'escape') FROM quarantine"))

	broken := string(kpltest.Aggregate(`{"event_id":"b"}`))
	require.Empty(t, handle(t, l, batch(9, broken[:len(broken)-1]+"x")))
	assert.Len(t, postgrestest.Lines(t, admin, "SELECT FROM quarantine"), 2, "one whose checksum is another is a record as it is")
}

func TestMetricsSayWhatBecameOfABatch(t *testing.T) {
	database, admin := migrated(t)
	l, _ := connected(t, database)
	var lines bytes.Buffer
	l.Metrics = &emf.Writer{Output: &lines, Namespace: loader.MetricNamespace, Dimensions: map[string]string{loader.MetricDimension: "orders-loader"}}
	metrics := func(data ...string) map[string]float64 {
		lines.Reset()
		b := batch(1, data...)
		for i := range b.Records {
			b.Records[i].Kinesis.ApproximateArrivalTimestamp.Time = time.Now().Add(-time.Minute)
		}
		handle(t, l, b)
		values := map[string]float64{}
		var line map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		assert.Equal(t, "orders-loader", line[loader.MetricDimension])
		for name, value := range line {
			if number, ok := value.(float64); ok {
				values[name] = number
			}
		}
		assert.Equal(t, 1, strings.Count(lines.String(), "\n"))
		return values
	}
	got := metrics(`{"event_id":"a"}`, `{"event_id":"b"}`, "no JSON", `{"x":"\u0000"}`)
	assert.InDelta(t, 60_000, got[loader.MetricLag], 30_000)
	assert.Contains(t, got, loader.MetricBatchTime)
	delete(got, loader.MetricLag)
	delete(got, loader.MetricBatchTime)
	assert.Equal(t, map[string]float64{loader.MetricRows: 2, loader.MetricDuplicates: 0, loader.MetricQuarantined: 2}, got)

	got = metrics(`{"event_id":"a"}`, `{"event_id":"c"}`, `{"event_id":"c"}`)
	assert.InDelta(t, 1, got[loader.MetricRows], 0)
	assert.InDelta(t, 2, got[loader.MetricDuplicates], 0)

	execute(t, admin, "REVOKE INSERT ON events FROM millrace_loader")
	got = metrics(`{"event_id":"d"}`)
	assert.InDelta(t, 0, got[loader.MetricRows], 0)
	assert.NotContains(t, got, loader.MetricLag, "nothing was committed")
}

func TestInvokeRefusesWhatIsNoKinesisEvent(t *testing.T) {
	l := &loader.Loader{Store: newMemory(), Log: slog.New(slog.DiscardHandler)}
	_, err := l.Invoke(t.Context(), []byte(`{"Records":"none"}`))
	require.ErrorContains(t, err, "decoding the Kinesis event")
	answer, err := l.Invoke(t.Context(), []byte(`{"Records":[]}`))
	require.NoError(t, err)
	assert.Equal(t, `{"batchItemFailures":[]}`, string(answer))
}

// TestColumnIsAddedUnderLoad lets the loader of the last release go on while the migrator adds a column.
func TestColumnIsAddedUnderLoad(t *testing.T) {
	before := declared()[3:4]
	database, admin := migrated(t, before...)
	old, log := connected(t, database, before...)
	stop, failures := make(chan struct{}), make(chan int)
	go func() {
		failed := 0
		for i := 0; ; i++ {
			select {
			case <-stop:
				failures <- failed
				return
			default:
			}
			response, err := old.Handle(t.Context(), batch(i*10, state(fmt.Sprintf("old-%d", i), "d", i, i)))
			if err != nil || len(response.BatchItemFailures) > 0 {
				failed++
			}
		}
	}()

	after := declared()[3:4]
	after[0].Columns = append(after[0].Columns, spec.Column{Name: "more", Type: "text", Default: "none"})
	first, err := migrator.Generate(nil, before)
	require.NoError(t, err)
	second, err := migrator.Generate(before, after)
	require.NoError(t, err)
	m := asMaster(database)
	m.Files = map[string]string{"00001_tables.sql": first, "00002_more.sql": second}
	_, err = m.Migrate(t.Context())
	require.NoError(t, err)
	newer, _ := connected(t, database, after...)
	require.Empty(t, handle(t, newer, batch(1_000_000, `{"event_id":"new","event_type":"state","occurred_at":1,"device":{"id":"d"},"more":"much"}`)))
	close(stop)
	assert.Zero(t, <-failures)
	assert.Empty(t, log.String())
	assert.Equal(t, []string{"much 1"}, postgrestest.Lines(t, admin, "SELECT more, count(*) FROM each WHERE event_id = 'new' GROUP BY 1"))
	assert.Equal(t, []string{"none"}, postgrestest.Lines(t, admin, "SELECT DISTINCT more FROM each WHERE event_id <> 'new'"))
}
