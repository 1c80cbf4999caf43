package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/verify"
	"github.com/millrace-cdk/millrace/spec"
)

// verifies runs `millrace verify` and returns its report and its exit status.
func verifies(t *testing.T, args ...string) (report verify.Report, status int) {
	t.Helper()
	status = tells(t, &report, append([]string{"verify", "--json"}, args...)...)
	return report, status
}

// atRest waits until the lake and the table agree about what arrived from then on.
func atRest(t *testing.T, from string) (before string) {
	t.Helper()
	before = strings.Replace(since(), "--since", "--before", 1)
	var report verify.Report
	status := 1
	require.Eventually(t, func() bool {
		report, status = verifies(t, from, before)
		return status == 0
	}, time.Minute, time.Second, "%v", &report)
	return before
}

// checksum is of all that clients sent. Of an event that came several times, any arrival may be the row's.
func checksum(t *testing.T, db *pgx.Conn, from string) (count int, sum string) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*), sum(hashtextextended(concat_ws('|', event_id, event_type, occurred_at, payload), 0)::numeric)::text
		FROM events WHERE arrived_at >= $1::timestamptz`, strings.TrimPrefix(from, "--since=")).Scan(&count, &sum))
	return count, sum
}

// dropDatabase drops the environment's database and makes an empty one of the same name.
func dropDatabase(t *testing.T) {
	t.Helper()
	config, err := pgx.ParseConfig(os.Getenv("DATABASE_URL"))
	require.NoError(t, err)
	name := pgx.Identifier{config.Database}.Sanitize()
	config.Database = "postgres"
	db, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	for _, sql := range []string{"DROP DATABASE " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		_, err := db.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close(t.Context()))
}

// migrate has the deployed migrator make the tables, as CloudFormation does.
func migrate(t *testing.T) {
	t.Helper()
	answers := make(chan cfn.Response, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var answer cfn.Response
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&answer))
		answers <- answer
	}))
	defer server.Close()
	event, err := json.Marshal(cfn.Event{RequestType: cfn.RequestUpdate, RequestID: "1", ResponseURL: server.URL, StackID: "s", LogicalResourceID: "l", ResourceType: "Custom::Schema"})
	require.NoError(t, err)
	client := lambda.NewFromConfig(awsConfig(t))
	output, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(migratorName(t, client)), Payload: event})
	require.NoError(t, err)
	require.Nil(t, output.FunctionError, "%s", output.Payload)
	answer := <-answers
	require.Equal(t, cfn.StatusSuccess, answer.Status, answer.Reason)
}

// migratorName is the function that is told of the database that DATABASE_URL leads to, and of its secret.
func migratorName(t *testing.T, client *lambda.Client) string {
	t.Helper()
	config, err := pgx.ParseConfig(os.Getenv("DATABASE_URL"))
	require.NoError(t, err)
	pages := lambda.NewListFunctionsPaginator(client, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, function := range page.Functions {
			var s spec.Migrator
			if function.Environment != nil && spec.Decode(function.Environment.Variables[spec.Variable], &s) == nil && s.SecretARN != "" && s.Database.Name == config.Database {
				return *function.FunctionName
			}
		}
	}
	require.FailNow(t, "no migrator is deployed")
	return ""
}

// checkpoints are the files that rebuilds keep their progress in.
func checkpoints(t *testing.T) (found []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, ".millrace", "replay", "local-lake-*.jsonl"))
	require.NoError(t, err)
	return found
}

// kill starts a rebuild and kills it as soon as it has kept its first progress.
func kill(t *testing.T, from string) {
	t.Helper()
	require.Empty(t, checkpoints(t))
	// So slow that it is not at its end before it is killed.
	command := exec.Command("build/millrace", "replay", "lake", "--rate=10000", from)
	command.Dir = root
	require.NoError(t, command.Start())
	assert.Eventually(t, func() bool {
		for _, path := range checkpoints(t) {
			if file, err := os.Stat(path); err == nil && file.Size() > 0 {
				return true
			}
		}
		return false
	}, time.Minute, 10*time.Millisecond, "it has kept no progress")
	require.NoError(t, command.Process.Kill())
	require.Error(t, command.Wait(), "it had ended before it was killed")
}

// rebuilds drops the database and makes it again of the lake, with a crash in the middle.
func rebuilds(t *testing.T, db *pgx.Conn, from string) {
	t.Helper()
	if *flightCount < 50_000 {
		t.Skip("a rebuild keeps its progress every 20,000 lines: of fewer there is no middle to be killed in")
	}
	before := atRest(t, from)
	count, sum := checksum(t, db, from)
	require.NoError(t, db.Close(context.WithoutCancel(t.Context())))
	dropDatabase(t)
	migrate(t)
	db = database(t)
	lost, status := verifies(t, from, before)
	assert.Equal(t, 1, status, "that all is missing is a difference")
	assert.Equal(t, lost.Lake, lost.NotInDatabase)

	kill(t, from)
	partly, _ := checksum(t, db, from)
	assert.Less(t, partly, count)
	report, status := replays(t, "lake", from)
	assert.Zero(t, status)
	assert.Empty(t, report.Failed)
	assert.Less(t, report.Sent, lost.Lines, "what was at rest before the crash is not loaded again")
	assert.Empty(t, checkpoints(t), "the next rebuild begins anew")

	rebuilt, again := checksum(t, db, from)
	assert.Equal(t, count, rebuilt)
	assert.Equal(t, sum, again, "event by event the same")
	compared := time.Now()
	found, status := verifies(t, from, before)
	assert.Zero(t, status)
	assert.Zero(t, found.Difference)
	assert.Equal(t, lost.Lake, found.Lake)
	assert.Equal(t, found.Lake, found.Rows+found.Quarantined)
	t.Logf("killed at %d rows of %d; then %d lines in %.1f s: %.0f a second; compared in %s, difference %d",
		partly, count, report.Sent, report.Seconds, float64(report.Sent)/report.Seconds, time.Since(compared).Round(time.Millisecond), found.Difference)
}
