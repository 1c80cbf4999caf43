package loader_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	local "github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

var server *local.Server

func TestMain(m *testing.M) { postgrestest.Main(m, &server) }

// migrated makes a database with the tables of the migrator and those declared,
// and returns it and a connection of the superuser's.
func migrated(t testing.TB, tables ...spec.Table) (spec.Database, *pgx.Conn) {
	t.Helper()
	database := postgrestest.Database(t, server)
	m := asMaster(database)
	sql, err := migrator.Generate(nil, tables)
	require.NoError(t, err)
	if sql != "" {
		m.Files = map[string]string{"00001_tables.sql": sql}
	}
	_, err = m.Migrate(t.Context())
	require.NoError(t, err)
	return database, postgrestest.Admin(t, server, database)
}

func asMaster(database spec.Database) migrator.Migrator {
	return migrator.Migrator{Log: slog.New(slog.DiscardHandler), Config: func(context.Context) (postgres.Config, error) {
		return postgres.Config{
			Database: database, User: postgrestest.Master,
			Authenticate: func(context.Context) (string, error) { return postgrestest.MasterPassword, nil },
		}, nil
	}}
}

// connected returns a loader as its function makes it, with an IAM token, and
// what it logs.
func connected(t testing.TB, database spec.Database, tables ...spec.Table) (*loader.Loader, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	config := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	l, err := loader.New(spec.Loader{Database: database, Tables: tables}, config, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	return l, &log
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

const (
	table      = "SELECT event_id, event_type, occurred_at, payload::text, stream, shard, sequence, arrived_at FROM events ORDER BY event_id COLLATE \"C\""
	quarantine = "SELECT origin, reason, encode(data, 'escape'), arrived_at FROM quarantine ORDER BY origin COLLATE \"C\""
)

func TestRowIsTheEventAndWhereItCameFrom(t *testing.T) {
	database, admin := migrated(t)
	l, log := connected(t, database)
	b := batch(7, `{"event_id":"a","event_type":"quake","occurred_at":"2026-01-02T03:04:05.123456+01:00","x":{"é":"\ud83d\ude00"}}`, `{"occurred_at":"soon","event_type":7}`)
	require.Empty(t, handle(t, l, b))

	origin := fmt.Sprintf("events shardId-000000000000 %056d 2026-01-02 03:04:05.678 +0000 UTC", 7)
	assert.Equal(t, "a quake 2026-01-02 02:04:05.123456 +0000 UTC "+
		`{"x": {"é": "😀"}, "event_id": "a", "event_type": "quake", "occurred_at": "2026-01-02T03:04:05.123456+01:00"} `+origin,
		postgrestest.Lines(t, admin, table)[0])
	assert.Equal(t, []string{fmt.Sprintf("events/shardId-000000000000/%056d <nil> <nil>", 8)},
		postgrestest.Lines(t, admin, "SELECT event_id, event_type, occurred_at FROM events WHERE event_id <> 'a'"))
	assert.Empty(t, log.String())
}

func TestNumbersAreExact(t *testing.T) {
	database, admin := migrated(t)
	l, _ := connected(t, database)
	numbers := []string{"9007199254740993", "123456789012345678901234567890", "1.10", "0.1", "-0.000000001", "1e400", "1e-400", "1e-7", "-1E+2", "0"}
	require.Empty(t, handle(t, l, batch(1, `{"event_id":"n","numbers":[`+strings.Join(numbers, ",")+`]}`)))
	for i, number := range numbers {
		var equal bool
		require.NoError(t, admin.QueryRow(t.Context(),
			"SELECT (payload->'numbers'->>$1::int)::numeric = $2::text::numeric FROM events", i, number).Scan(&equal))
		assert.True(t, equal, number)
	}
	assert.Equal(t, []string{"9007199254740993 1.10"}, postgrestest.Lines(t, admin, "SELECT payload->'numbers'->>0, payload->'numbers'->>2 FROM events"))
}

func TestAnyRedeliveryEndsAsTheSameTable(t *testing.T) {
	const count = 1000
	random := rand.New(rand.NewPCG(5, 6))
	var all events.KinesisEvent
	for i := range count {
		data := fmt.Sprintf(`{"n":%d,"text":%q}`, i, strings.Repeat("x", random.IntN(300)))
		switch random.IntN(4) {
		case 0:
			data = fmt.Sprintf(`{"event_id":"client-%d","event_type":"t%d","occurred_at":%d}`, i, i%7, 1_767_323_045_678+i)
		case 1:
			if i%10 == 0 {
				data = fmt.Sprintf(`{"poison":"\u0000 %d"}`, i)
			}
		}
		all.Records = append(all.Records, batch(i, data).Records...)
	}
	database, once := migrated(t)
	l, _ := connected(t, database)
	require.Empty(t, handle(t, l, all))

	database, again := migrated(t)
	one, _ := connected(t, database)
	other, _ := connected(t, database)
	shuffled := slices.Concat(all.Records, all.Records, all.Records[:count/2])
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for len(shuffled) > 0 { // by two functions in turn
		size := min(1+random.IntN(200), len(shuffled))
		require.Empty(t, handle(t, one, events.KinesisEvent{Records: shuffled[:size]}))
		shuffled = shuffled[size:]
		one, other = other, one
	}

	want := postgrestest.Lines(t, once, table)
	assert.Equal(t, want, postgrestest.Lines(t, again, table))
	poison := postgrestest.Lines(t, once, quarantine)
	assert.Equal(t, poison, postgrestest.Lines(t, again, quarantine))
	assert.Len(t, slices.Concat(want, poison), count)
	assert.NotEmpty(t, poison)
}

func TestLoadersOfTheSameEventsAtTheSameTimeDoNotDeadlock(t *testing.T) {
	database, admin := migrated(t)
	var group sync.WaitGroup
	for g := range 4 {
		l, log := connected(t, database)
		random := rand.New(rand.NewPCG(uint64(g), 0))
		group.Go(func() {
			for round := range 20 {
				var data []string
				for i := range 100 {
					data = append(data, fmt.Sprintf(`{"event_id":"%d-%d"}`, round, i))
				}
				random.Shuffle(len(data), func(i, j int) { data[i], data[j] = data[j], data[i] })
				response, err := l.Handle(t.Context(), batch(0, data...))
				assert.NoError(t, err)
				assert.Empty(t, response.BatchItemFailures)
			}
			assert.Empty(t, log.String())
		})
	}
	group.Wait()
	assert.Equal(t, []string{"2000"}, postgrestest.Lines(t, admin, "SELECT count(*) FROM events"))
}

func TestFirstOfDuplicatesInABatchWins(t *testing.T) {
	database, admin := migrated(t)
	l, _ := connected(t, database)
	require.Empty(t, handle(t, l, batch(1, `{"event_id":"b","n":1}`, `{"event_id":"a","n":2}`, `{"event_id":"b","n":3}`)))
	assert.Equal(t, []string{"a 2", "b 1"}, postgrestest.Lines(t, admin, "SELECT event_id, payload->>'n' FROM events ORDER BY 1"))
}

func TestWhatCanNeverBeStoredIsKeptAndTheRestStored(t *testing.T) {
	database, admin := migrated(t)
	execute(t, admin, "CREATE INDEX ON events ((payload->>'indexed'))")
	execute(t, admin, "ALTER TABLE events ADD CHECK (payload->>'forbidden' IS NULL)")
	execute(t, admin, "ALTER DATABASE "+database.Name+" SET max_stack_depth = '100kB'")
	random := rand.New(rand.NewPCG(7, 8))
	long := make([]byte, 20_000)
	for i := range long {
		long[i] = byte('a' + random.IntN(26)) // nothing for Postgres to compress
	}
	poison := []struct{ data, reason string }{
		{`{"nul":"\u0000"}`, "SQLSTATE 22P05"},
		{`{"half":"\ud800"}`, "SQLSTATE 22P02"},
		{`{"event_id":"\udc00"}`, "SQLSTATE 22P02"},
		{`{"big":1e999999}`, "SQLSTATE 22003"},
		{`{"indexed":"` + string(long) + `"}`, "SQLSTATE 54000"},
		{`{"deep":` + strings.Repeat("[", 9990) + strings.Repeat("]", 9990) + `}`, "SQLSTATE 54001"},
		{`{"forbidden":1}`, "SQLSTATE 23514"},
		{`not JSON`, "the record is not valid JSON at byte 2"},
		{`["an array"]`, "the record is not a JSON object"},
		{"{\"bytes\":\"\x00\xff\"}", "the record is not valid UTF-8"},
		{"", "the record is empty"},
	}
	var data []string
	for i, p := range poison {
		data = append(data, p.data, fmt.Sprintf(`{"good":%d}`, i))
	}
	l, log := connected(t, database)
	data = append(data, `{"event_id":"`+strings.Repeat("long", 200)+`"}`)
	require.Empty(t, handle(t, l, batch(100, data...)))

	assert.Equal(t, []string{fmt.Sprint(len(poison) + 1)}, postgrestest.Lines(t, admin, "SELECT count(*) FROM events"))
	assert.Len(t, postgrestest.Lines(t, admin, "SELECT FROM events WHERE event_id ~ '^sha256:[0-9a-f]{64}$'"), 1)
	for i, p := range poison {
		var reason string
		var kept []byte
		require.NoError(t, admin.QueryRow(t.Context(), "SELECT reason, data FROM quarantine WHERE origin = $1",
			fmt.Sprintf("events/shardId-000000000000/%056d", 100+2*i)).Scan(&reason, &kept))
		assert.Contains(t, reason, p.reason)
		assert.Equal(t, p.data, string(kept))
	}
	assert.Equal(t, 1, strings.Count(log.String(), "\n"))
	assert.NotContains(t, log.String(), "an array")
}

// blocked sends a batch that waits for a lock on the table, and returns the
// server's process that serves it, and what the loader will say.
func blocked(t *testing.T, l *loader.Loader, admin *pgx.Conn, b events.KinesisEvent) (pid int, said <-chan string) {
	t.Helper()
	execute(t, admin, "BEGIN; LOCK TABLE events")
	answer := make(chan string, 1)
	go func() {
		response, err := l.Handle(t.Context(), b)
		if err != nil || len(response.BatchItemFailures) == 0 {
			answer <- fmt.Sprint(err)
			return
		}
		answer <- response.BatchItemFailures[0].ItemIdentifier
	}()
	require.Eventually(t, func() bool {
		return admin.QueryRow(t.Context(), "SELECT pid FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted").Scan(&pid) == nil
	}, 10*time.Second, 20*time.Millisecond)
	return pid, answer
}

func TestConnectionThatIsCutIsReportedAndMadeAnew(t *testing.T) {
	database, admin := migrated(t)
	l, log := connected(t, database)
	b := batch(1, `{"a":"secret"}`, `{"b":"secret"}`)
	pid, said := blocked(t, l, admin, b)
	execute(t, admin, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	assert.Equal(t, fmt.Sprintf("%056d", 1), <-said)
	execute(t, admin, "COMMIT")
	assert.Contains(t, log.String(), "57P01")
	assert.NotContains(t, log.String(), "secret")
	assert.Equal(t, []string{"0"}, postgrestest.Lines(t, admin, "SELECT count(*) FROM events"))

	assert.Empty(t, handle(t, l, b))
	assert.Equal(t, []string{"2"}, postgrestest.Lines(t, admin, "SELECT count(*) FROM events"))

	execute(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'millrace_loader' AND datname = current_database()")
	assert.Empty(t, handle(t, l, batch(3, `{"c":1}`)), "cut while nothing was under way")
}

func TestInvocationThatRunsOutOfTimeIsReported(t *testing.T) {
	database, admin := migrated(t)
	l, _ := connected(t, database)
	execute(t, admin, "BEGIN; LOCK TABLE events")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	response, err := l.Handle(ctx, batch(1, `{"a":1}`))
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("%056d", 1), failed(t, response))
	execute(t, admin, "COMMIT")
	assert.Empty(t, handle(t, l, batch(1, `{"a":1}`)))
}

func TestTroubleOfTheServerIsReportedUntilItPasses(t *testing.T) {
	for name, trouble := range map[string]struct {
		begin, end string
		want       int // the first record that is not at rest; record 1 is poisoned
	}{
		"a missing right":    {"REVOKE INSERT ON events FROM millrace_loader", "GRANT INSERT ON events TO millrace_loader", 1},
		"a missing table":    {"ALTER TABLE events RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO events", 1},
		"a read-only server": {"ALTER DATABASE %s SET default_transaction_read_only = on", "ALTER DATABASE %s RESET default_transaction_read_only", 1},
		"no way in":          {"ALTER ROLE millrace_loader NOLOGIN", "ALTER ROLE millrace_loader LOGIN", 1},
		"no quarantine":      {"ALTER TABLE quarantine RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO quarantine", 1},
	} {
		t.Run(name, func(t *testing.T) {
			database, admin := migrated(t)
			l, log := connected(t, database)
			b := batch(1, `{"nul":"\u0000"}`, `{"a":1}`)
			execute(t, admin, strings.ReplaceAll(trouble.begin, "%s", database.Name))
			assert.Equal(t, fmt.Sprintf("%056d", trouble.want), handle(t, l, b))
			assert.Contains(t, log.String(), "SQLSTATE")
			execute(t, admin, strings.ReplaceAll(trouble.end, "%s", database.Name))
			assert.Empty(t, handle(t, l, b))
			assert.Equal(t, []string{"1 1"}, postgrestest.Lines(t, admin, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM quarantine)"))
		})
	}
}

func TestSpecIsValidatedAtTheStart(t *testing.T) {
	_, err := loader.New(spec.Loader{}, aws.Config{}, nil)
	for _, problem := range []string{"database host is empty", "database port", "database name is empty"} {
		assert.ErrorContains(t, err, problem)
	}
}
