package replay_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	local "github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/spec"
)

var server *local.Server

func TestMain(m *testing.M) { postgrestest.Main(m, &server) }

// errorObject is an object of Firehose's, a line a record.
func errorObject(code string, records ...string) []byte {
	var lines strings.Builder
	for _, record := range records {
		fmt.Fprintf(&lines, `{"attemptsMade":4,"arrivalTimestamp":%d,"errorCode":%q,"errorMessage":"…","attemptEndingTimestamp":%d,"rawData":%q,"lambdaArn":"arn:aws:lambda:eu-west-1:000000000000:function:f"}`+"\n",
			start.UnixMilli(), code, start.UnixMilli()+5000, base64.StdEncoding.EncodeToString([]byte(record)))
	}
	return []byte(lines.String())
}

func TestPoisonStaysAndWhatWasOurTroubleGoes(t *testing.T) {
	fake, stream := newStream(t)
	source := objects(replay.DeliveryErrors(), start, map[string][]byte{
		"errors/processing-failed/a":        errorObject("Lambda.FunctionError", `{"event_id":"a"}`, "Hello World", "[1]", " ", "\xff"),
		"errors/processing-failed/b":        errorObject("Lambda.ProcessingFailedStatus", `{"event_id":"b"}`, "not JSON"),
		"errors/processing-failed/c":        append(errorObject("Lambda.InvokeLimitExceeded", `{"event_id":"c"}`), "torn\n"...),
		"errors/format-conversion-failed/d": []byte(strings.ReplaceAll(string(errorObject("DataFormatConversion.MalformedData", `{"event_id":"d"}`)), "errorCode", "ErrorCode")),
	})
	report, err := replay.Run(t.Context(), replay.Config{Source: source, Stream: stream})
	require.ErrorIs(t, err, replay.ErrFailed)
	assert.Equal(t, map[string]int{
		"the record is empty": 1, "the record is not a JSON object": 1, "the record is not valid JSON": 2, "the record is not valid UTF-8": 1,
		"refused: Lambda.ProcessingFailedStatus": 1, "refused: DataFormatConversion.MalformedData": 1,
	}, report.Skipped)
	assert.Equal(t, map[string]int{"a line of an error object is not in Firehose's shape": 1}, report.Failed)
	assert.Equal(t, 2, report.Sent)
	assert.Equal(t, []string{
		`{"event_id":"a","_millrace":{"id":"a","arrived_at":"2026-01-02T03:04:05.678Z"}}`,
		`{"event_id":"c","_millrace":{"id":"c","arrived_at":"2026-01-02T03:04:05.678Z"}}`,
	}, fake.sent())

	fake.puts = nil
	report, err = replay.Run(t.Context(), replay.Config{Source: source, Stream: stream, AsIs: true, Filter: replay.Filter{Reasons: []string{"Lambda.Processing"}}})
	require.ErrorIs(t, err, replay.ErrFailed)
	assert.Equal(t, []string{`{"event_id":"b","_millrace":{"id":"b","arrived_at":"2026-01-02T03:04:05.678Z"}}`, "not JSON"}, fake.sent())
	assert.Equal(t, map[string]int{"filter": 7}, report.Skipped)
}

func TestFiltersLeaveOut(t *testing.T) {
	fake, stream := newStream(t)
	for i, kind := range []string{"a", "b", "a", "b"} {
		fake.put(0, start.Add(time.Duration(i)*time.Second), fmt.Appendf(nil, `{"event_id":"%d","event_type":%q}`, i, kind))
	}
	window := &replay.Window{Stream: stream, From: start, To: start.Add(time.Hour)}
	_, err := replay.Run(t.Context(), replay.Config{
		Source: window, Stream: stream, Filter: replay.Filter{Since: start.Add(time.Second), Until: start.Add(3 * time.Second), Types: []string{"b"}},
	})
	require.NoError(t, err)
	assert.Len(t, fake.puts, 2)
	assert.Contains(t, fake.sent()[0], `"event_id":"1"`)
	assert.Contains(t, fake.sent()[1], `"event_id":"3"`)
}

func TestADryRunSendsNothingAndKeepsNothing(t *testing.T) {
	fake, stream := newStream(t)
	fake.put(0, start, []byte(`{"a":1}`))
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	report, err := replay.Run(t.Context(), replay.Config{
		Stream: stream, DryRun: true, Checkpoint: checkpoint,
		Source: objects(replay.DeliveryErrors(), start, map[string][]byte{"a": errorObject("Lambda.FunctionError", `{"a":1}`, `{"event_id":"x"}`)}),
	})
	require.NoError(t, err)
	assert.Equal(t, 2, report.Sent)
	assert.Empty(t, fake.puts)
	assert.NoFileExists(t, checkpoint)
}

func TestOfABatchOnlyWhatWasRefusedIsSentAgain(t *testing.T) {
	fake, stream := newStream(t)
	for i := range 1200 {
		fake.put(i%2, start, fmt.Appendf(nil, `{"i":%d}`, i))
	}
	fake.refuse = func(call int, entry types.PutRecordsRequestEntry) string {
		if call%2 == 1 && len(*entry.PartitionKey)%2 == 0 {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	}
	report, err := replay.Run(t.Context(), replay.Config{Source: &replay.Window{Stream: stream, From: start, To: start}, Stream: stream, Rate: 100_000})
	require.NoError(t, err)
	assert.Equal(t, 1200, report.Sent)
	different := map[string]bool{}
	for _, text := range fake.sent() {
		different[text] = true
	}
	assert.Len(t, different, 1200)
	assert.Len(t, fake.puts, 1200, "none twice")
}

func TestAReplayThatBrokeOffGoesOnWhereItWas(t *testing.T) {
	fake, stream := newStream(t)
	contents := map[string][]byte{}
	for i := range 3 {
		var records []string
		for j := range 10_000 {
			records = append(records, fmt.Sprintf(`{"event_id":"%d-%d"}`, i, j))
		}
		contents[fmt.Sprint("errors/", i)] = errorObject("Lambda.FunctionError", records...)
	}
	source := objects(replay.DeliveryErrors(), start, contents)
	config := replay.Config{Source: source, Stream: stream, Rate: 1_000_000, Checkpoint: filepath.Join(t.TempDir(), "replay", "checkpoint")}

	ctx, stop := context.WithCancel(t.Context())
	config.Progress = func(r replay.Report) {
		if r.Read == 25_000 {
			stop()
		}
	}
	_, err := replay.Run(ctx, config)
	require.ErrorIs(t, err, context.Canceled)
	first := len(fake.puts)
	require.Less(t, first, 30_000)
	file, err := os.OpenFile(config.Checkpoint, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(`{"place":"torn`)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	config.Progress = nil
	report, err := replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, 10_000, report.Read, "the first 20,000 were at rest and kept")
	different := map[string]bool{}
	for _, text := range fake.sent() {
		different[text] = true
	}
	assert.Len(t, different, 30_000)

	source.Client.(*fakeS3).got = nil
	report, err = replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Zero(t, report.Read)
	assert.Empty(t, source.Client.(*fakeS3).got, "what was read whole is not opened again")
}

func TestASecondReplayOfAStreamDoesNotReadWhatTheFirstSent(t *testing.T) {
	fake, stream := newStream(t)
	fake.expire = true
	fake.put(0, start, []byte(`{"a":1}`))
	config := replay.Config{Stream: stream, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	config.Source = &replay.Window{Stream: stream, From: start, To: start.Add(time.Second)}
	_, err := replay.Run(t.Context(), config)
	require.NoError(t, err)
	fake.put(0, start.Add(2*time.Second), fake.puts[0].data)
	config.Source = &replay.Window{Stream: stream, From: start, To: start.Add(time.Hour)}
	report, err := replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Zero(t, report.Read)
	assert.Len(t, fake.puts, 1)
}

func TestARecordThatTheStreamCannotTakeIsReported(t *testing.T) {
	fake, stream := newStream(t)
	long := strings.Repeat("x", 1<<20-50) // with our member it is too long
	whole := []byte(`{"event_id":"a","t":"` + long + `"}`)
	fake.put(0, start, whole)
	fake.put(0, start, []byte(`{"t":"`+long+`"}`))
	report, err := replay.Run(t.Context(), replay.Config{Source: &replay.Window{Stream: stream, From: start, To: start}, Stream: stream})
	require.ErrorIs(t, err, replay.ErrFailed)
	assert.Equal(t, map[string]int{"larger than the stream's 1048576 bytes": 1}, report.Failed)
	require.Len(t, fake.puts, 1)
	assert.True(t, bytes.Equal(whole, fake.puts[0].data), "its event_id is identity enough")
}

func TestATroubleThatStaysEndsTheReplayBeforeItsCheckpoint(t *testing.T) {
	fake, _ := newStream(t)
	broken := errors.New("no such key")
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	_, err := replay.Run(t.Context(), replay.Config{
		Stream: &replay.Stream{Client: refusing{fake, broken}, Name: "orders"}, Checkpoint: checkpoint,
		Source: objects(replay.DeliveryErrors(), start, map[string][]byte{"a": errorObject("Lambda.FunctionError", `{"event_id":"x"}`)}),
	})
	require.ErrorIs(t, err, broken)
	kept, err := os.ReadFile(checkpoint)
	require.NoError(t, err)
	assert.Empty(t, kept)
}

// refusing is a stream that takes nothing.
type refusing struct {
	*fakeKinesis
	err error
}

func (r refusing) PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	return nil, r.err
}

// quarantine is a database in whose table the events are, as the loader puts them there.
func quarantine(t *testing.T, all []original) *pgx.Conn {
	t.Helper()
	db := migrated(t)
	var rejects [][]any
	for _, o := range all {
		rejects = append(rejects, []any{o.origin.String(), "SQLSTATE 22P02: …", o.data, o.arrived})
	}
	_, err := db.CopyFrom(t.Context(), pgx.Identifier{"quarantine"}, []string{"origin", "reason", "data", "arrived_at"}, pgx.CopyFromRows(rejects))
	require.NoError(t, err)
	return db
}

// migrated is a database with the migrator's tables.
func migrated(t *testing.T) *pgx.Conn {
	t.Helper()
	return postgrestest.Admin(t, server, migratedDatabase(t))
}

func migratedDatabase(t *testing.T) spec.Database {
	t.Helper()
	database := postgrestest.Database(t, server)
	m := migrator.Migrator{Log: slog.New(slog.DiscardHandler), Config: func(context.Context) (postgres.Config, error) {
		return postgres.Config{
			Database: database, User: postgrestest.Master,
			Authenticate: func(context.Context) (string, error) { return postgrestest.MasterPassword, nil },
		}, nil
	}}
	_, err := m.Migrate(t.Context())
	require.NoError(t, err)
	return database
}

func TestAQuarantineThatWasReadIsReadOnFromThere(t *testing.T) {
	fake, stream := newStream(t)
	all := fill(t, fake, 1201)
	db := quarantine(t, all)
	config := replay.Config{Source: &replay.Quarantine{DB: db}, Stream: stream, Rate: 1_000_000, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	report, err := replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, len(all), report.Read, "more than two pages, with rows of one instant")

	_, err = db.Exec(t.Context(), `INSERT INTO quarantine (origin, reason, data) VALUES ('orders/shardId-000000000001/9', 'the record is not valid JSON at byte 1', 'Hello'),
		('orders/shardId-000000000001/8/3', 'SQLSTATE 22003', '{"n":1}')`)
	require.NoError(t, err)
	fake.puts = nil
	report, err = replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, 2, report.Read)
	assert.Equal(t, map[string]int{"the record is not valid JSON": 1}, report.Skipped)
	require.Len(t, fake.puts, 1)
	assert.Contains(t, string(fake.puts[0].data), `"_millrace":{"id":"orders/shardId-000000000001/8/3"`)
}
