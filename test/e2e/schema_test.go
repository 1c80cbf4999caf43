package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/spec"
)

// readings is the declaration of the first release; every event has a site, for which it has no column.
func readings() []spec.Table {
	return []spec.Table{{
		Name:       "readings",
		EventTypes: []string{"reading"},
		Columns:    []spec.Column{{Name: "device", Type: "text"}, {Name: "level", Type: "integer"}},
	}}
}

// withSite is that of the second.
func withSite() []spec.Table {
	tables := readings()
	tables[0].Columns = append(tables[0].Columns, spec.Column{Name: "site", Type: "text", Default: "unknown"})
	return tables
}

func TestTheSchemaGrowsUnderLoadAndNothingIsTakenAway(t *testing.T) {
	onlyLocal(t)
	app := newSchemaApp(t)

	app.generate(t, readings())
	app.mustDeploy(t, readings())
	require.Equal(t, []string{"event_id", "device", "level"}, app.columns(t), "the migrator has run")

	errors := len(postgresErrors(t))
	load := app.startLoad(t)
	require.Eventually(t, func() bool { return app.count(t, "readings") > 0 }, time.Minute, 100*time.Millisecond)
	app.generate(t, withSite())
	before := load.posted()
	app.mustDeploy(t, withSite())
	during := load.posted()
	require.Equal(t, []string{"event_id", "device", "level", "site"}, app.columns(t))
	require.Eventually(t, func() bool { return load.posted() > during }, time.Minute, 10*time.Millisecond)
	ids := load.stop(t)

	t.Run("every event of before, while and after is a row, by no insert that failed", func(t *testing.T) {
		assert.Greater(t, during, before, "events were posted while the table grew")
		app.assertAtRest(t, ids)
		app.assertNothingFailed(t, errors)
	})
	t.Run("the new column has what events say from the release on, and its default before", func(t *testing.T) {
		sites := app.sites(t)
		assert.Equal(t, "unknown", sites[ids[0]])
		assert.Equal(t, map[string]int{"Zürich": len(ids) - during}, tally(sites, ids[during:]), "posted after the deploy")
		t.Logf("%d events: %d before, %d while, %d after the deploy; sites: %v",
			len(ids), before, during-before, len(ids)-during, tally(sites, ids))
	})

	t.Run("to take the column out of the declaration is refused, with what to do", func(t *testing.T) {
		_, err := migrator.Write(app.migrations, migrator.Expand, readings())
		assert.EqualError(t, err, "table readings: column site is not declared any more: the loader of the last release still writes it, and its values would go. "+
			"Declare it with Retired, deploy that, and remove it in the release after it (to rename it, declare the new name beside it)")
		output, err := app.cdk("synth", readings(), "--quiet")
		require.Error(t, err, "%s", output)
		assert.Contains(t, output, "the newest migration, 00002_expand.sql, does not lead to the tables that are declared: generate the next one")
	})
	t.Run("to drop it by hand fails the deploy, with what to do, and changes nothing", func(t *testing.T) {
		mark, err := spec.Mark(readings())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(app.migrations, "00003_expand.sql"),
			[]byte("-- +goose Up\n"+mark+"\nALTER TABLE readings DROP COLUMN site;\n"), 0o600))
		sites := app.sites(t)

		output, err := app.cdk("deploy", readings(), "--require-approval", "never", "--ci")
		require.Error(t, err, "%s", output)
		assert.Contains(t, output, `00003_expand.sql takes something away ("DROP COLUMN"): a loader of the last release may still need it. `+
			`Put it into a file of its own with the line "-- +millrace contract", and deploy that in the release after the one that does without it`)
		assert.Equal(t, sites, app.sites(t))

		load := app.startLoad(t)
		require.Eventually(t, func() bool { return load.posted() > 0 }, time.Minute, 10*time.Millisecond)
		late := load.stop(t)
		app.assertAtRest(t, append(ids, late...))
		assert.Equal(t, map[string]int{"Zürich": len(late)}, tally(app.sites(t), late), "the release before is still there")
	})
}

// schemaApp is the app in testdata/schema, with a database of its own on the deployed server.
type schemaApp struct {
	program    string
	migrations string // the folder
	database   string
	secret     string
	streams    string // their ids; the load is put into the last
	db         *pgx.Conn
	outputs    map[string]string // of the stack, once it is deployed
}

func newSchemaApp(t *testing.T) *schemaApp {
	t.Helper()
	folder := t.TempDir()
	app := &schemaApp{
		program:    filepath.Join(folder, "app"),
		migrations: filepath.Join(folder, "migrations"),
		database:   "schema_" + uuid.NewString()[:8],
		streams:    "Core",
		secret:     stackOutputs(t, "Millrace-local-Foundation")["DatabaseSecretArn"],
	}
	build := exec.Command("go", "build", "-o", app.program, "./testdata/schema")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	// The last to be cleaned up, after the stack's loader and the connection below.
	server := database(t)
	name := pgx.Identifier{app.database}.Sanitize()
	_, err = server.Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := server.Exec(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		assert.NoError(t, err)
	})
	location, err := url.Parse(os.Getenv("DATABASE_URL"))
	require.NoError(t, err)
	location.Path = app.database
	app.db, err = pgx.Connect(t.Context(), location.String())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, app.db.Close(context.WithoutCancel(t.Context()))) })
	return app
}

// cdk runs the CDK CLI on the app, as declared.
func (a *schemaApp) cdk(command string, tables []spec.Table, arguments ...string) (output string, err error) {
	declared, err := json.Marshal(tables)
	if err != nil {
		return "", err
	}
	cli := exec.Command("node_modules/.bin/cdk", append([]string{
		command, "--app", a.program, "--build", "true", "--output", filepath.Join(a.migrations, "..", "cdk.out"), "--no-color", "--no-notices",
		"-c", "tables=" + string(declared), "-c", "migrations=" + a.migrations, "-c", "streams=" + a.streams, "-c", "database=" + a.database, "-c", "secret=" + a.secret,
	}, arguments...)...)
	cli.Dir = root
	text, err := cli.CombinedOutput()
	return string(text), err
}

func (a *schemaApp) generate(t *testing.T, tables []spec.Table) {
	t.Helper()
	path, err := migrator.Write(a.migrations, migrator.Expand, tables)
	require.NoError(t, err)
	require.NotEmpty(t, path)
}

func (a *schemaApp) mustDeploy(t *testing.T, tables []spec.Table) {
	t.Helper()
	first := a.outputs == nil
	output, err := a.cdk("deploy", tables, "--require-approval", "never", "--ci")
	if first {
		t.Cleanup(func() {
			client, stack := cloudformation.NewFromConfig(awsConfig(t)), &cloudformation.DescribeStacksInput{StackName: aws.String("Schema")}
			ctx := context.WithoutCancel(t.Context())
			_, err := client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: stack.StackName})
			assert.NoError(t, err)
			assert.NoError(t, cloudformation.NewStackDeleteCompleteWaiter(client, func(o *cloudformation.StackDeleteCompleteWaiterOptions) {
				o.MinDelay = time.Second
			}).Wait(ctx, stack, time.Minute))
		})
	}
	require.NoError(t, err, "%s", output)
	a.outputs = stackOutputs(t, "Schema")
}

func stackOutputs(t *testing.T, stack string) map[string]string {
	t.Helper()
	described, err := cloudformation.NewFromConfig(awsConfig(t)).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	require.NoError(t, err)
	outputs := map[string]string{}
	for _, output := range described.Stacks[0].Outputs {
		outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	return outputs
}

// columns are those of the declared table.
func (a *schemaApp) columns(t *testing.T) []string {
	t.Helper()
	rows, err := a.db.Query(t.Context(), "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'readings' ORDER BY ordinal_position")
	require.NoError(t, err)
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return columns
}

func (a *schemaApp) count(t *testing.T, table string) (n int) {
	t.Helper()
	require.NoError(t, a.db.QueryRow(t.Context(), "SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&n))
	return n
}

// sites is the declared table's new column, by event.
func (a *schemaApp) sites(t *testing.T) map[string]string {
	t.Helper()
	rows, err := a.db.Query(t.Context(), "SELECT event_id, site FROM readings")
	require.NoError(t, err)
	sites := map[string]string{}
	var id, site string
	_, err = pgx.ForEachRow(rows, []any{&id, &site}, func() error { sites[id] = site; return nil })
	require.NoError(t, err)
	return sites
}

func tally(sites map[string]string, ids []string) map[string]int {
	n := map[string]int{}
	for _, id := range ids {
		n[sites[id]]++
	}
	return n
}

// assertAtRest fails unless exactly these events, of which no two are the same, become rows of both tables, and nothing of them goes elsewhere.
func (a *schemaApp) assertAtRest(t *testing.T, ids []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return a.count(t, "readings")+a.count(t, "quarantine") >= len(ids)
	}, time.Minute, 100*time.Millisecond, "%d events posted", len(ids))
	for _, table := range []string{"events", "readings"} {
		rows, err := a.db.Query(t.Context(), "SELECT event_id FROM "+pgx.Identifier{table}.Sanitize())
		require.NoError(t, err)
		stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		assert.ElementsMatch(t, ids, stored, table)
	}
	assert.Zero(t, a.count(t, "quarantine"))
	for id := range strings.SplitSeq(a.streams, ",") {
		kept, err := s3.NewFromConfig(awsConfig(t), func(o *s3.Options) { o.UsePathStyle = true }).
			ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(a.outputs[id+"OnFailure"])})
		require.NoError(t, err)
		assert.Empty(t, kept.Contents, "batches that were given up")
	}
}

// postgresErrors returns what Postgres has logged as errors.
func postgresErrors(t *testing.T) []string {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(root, ".millrace", "log", "postgres.log"))
	require.NoError(t, err)
	var found []string
	for line := range strings.Lines(string(log)) {
		if _, message, failed := strings.Cut(line, "ERROR:  "); failed {
			found = append(found, strings.TrimSpace(message))
		}
	}
	return found
}

// assertNothingFailed fails if a statement did since there were so many errors. One may: a COPY
// that met what had been stored, and was merged then. From testing: on a busy machine the
// poster's connection to the emulator broke, the SDK warned, and such a COPY came a second later.
func (a *schemaApp) assertNothingFailed(t *testing.T, before int) {
	t.Helper()
	for _, message := range postgresErrors(t)[before:] {
		assert.Equal(t, `duplicate key value violates unique constraint "events_pkey"`, message)
	}
	_, err := a.db.Exec(t.Context(), "SELECT 1/0")
	require.Error(t, err)
	assert.Contains(t, postgresErrors(t)[before:], "division by zero", "one that does fail is seen")
}

// schemaLoad posts events until it is stopped.
type schemaLoad struct {
	halt  context.CancelFunc
	done  chan error
	count chan int // the number of events posted so far
	ids   []string // in their order; the poster's until done
}

func (a *schemaApp) startLoad(t *testing.T) *schemaLoad {
	t.Helper()
	ctx, halt := context.WithCancel(t.Context())
	load := &schemaLoad{halt: halt, done: make(chan error, 1), count: make(chan int)}
	client := kinesis.NewFromConfig(awsConfig(t))
	stream := a.outputs[a.streams[strings.LastIndex(a.streams, ",")+1:]+"Stream"]
	go func() {
		defer close(load.count)
		load.done <- load.post(ctx, client, stream)
	}()
	t.Cleanup(halt)
	return load
}

// post puts 20 events every 50 ms, which is some 400 a second.
func (l *schemaLoad) post(ctx context.Context, client *kinesis.Client, stream string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case l.count <- len(l.ids):
			continue
		case <-tick.C:
		}
		var records []types.PutRecordsRequestEntry
		for range 20 {
			id := uuid.NewString()
			l.ids = append(l.ids, id)
			records = append(records, types.PutRecordsRequestEntry{PartitionKey: &id, Data: fmt.Appendf(nil,
				`{"event_id":%q,"event_type":"reading","device":"d-%d","level":%d,"site":"Zürich"}`, id, len(l.ids)%7, len(l.ids))})
		}
		// Not by ctx: a call that is cut off may have been heard.
		answer, err := client.PutRecords(context.WithoutCancel(ctx), &kinesis.PutRecordsInput{StreamName: &stream, Records: records})
		if err != nil {
			return fmt.Errorf("posting: %w", err)
		}
		if n := aws.ToInt32(answer.FailedRecordCount); n > 0 {
			return fmt.Errorf("posting: %d records were refused", n)
		}
	}
}

// posted is how many events the stream has so far.
func (l *schemaLoad) posted() int { return <-l.count }

// stop ends the load and returns the ids of its events, in their order.
func (l *schemaLoad) stop(t *testing.T) []string {
	t.Helper()
	l.halt()
	require.NoError(t, <-l.done)
	return l.ids
}
