package replay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	"github.com/millrace-cdk/millrace/spec"
)

// fakeLambda is the deployed loader, and trouble that it has.
type fakeLambda struct {
	fakeMappings
	specs map[string]string // by the function's ARN

	mu       sync.Mutex
	database spec.Database
	trouble  func(call int) (answer string, err error) // empty and nil: none
	calls    int
	largest  int
}

func (f *fakeLambda) GetFunctionConfiguration(_ context.Context, in *lambda.GetFunctionConfigurationInput, _ ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error) {
	out := new(lambda.GetFunctionConfigurationOutput)
	if text, has := f.specs[*in.FunctionName]; has {
		out.Environment = &lambdatypes.EnvironmentResponse{Variables: map[string]string{spec.Variable: text}}
	}
	return out, nil
}

func (f *fakeLambda) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	f.mu.Lock()
	f.calls++
	f.largest = max(f.largest, len(in.Payload))
	answer, err := "", error(nil)
	if f.trouble != nil {
		answer, err = f.trouble(f.calls)
	}
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if answer == "crash" {
		return &lambda.InvokeOutput{FunctionError: aws.String("Unhandled"), Payload: []byte(`{"errorType":"Runtime.ExitError"}`)}, nil
	}
	// A Lambda environment serves one invocation at a time: each gets its own.
	store, err := loader.NewPostgres(postgres.Config{
		Database: f.database, User: spec.LoaderRole, Authenticate: func(context.Context) (string, error) { return "token", nil },
	}, nil)
	if err != nil {
		return nil, err
	}
	payload, err := (&loader.Loader{Store: store, Log: slog.New(slog.DiscardHandler)}).Invoke(ctx, in.Payload)
	if answer != "" {
		payload = []byte(answer)
	}
	return &lambda.InvokeOutput{Payload: payload}, err
}

// lake is objects as Firehose and the transformer write them, of so many events of one hour each. Some lines are there twice.
func lake(t *testing.T, counts ...int) map[string][]byte {
	t.Helper()
	contents := map[string][]byte{}
	n := 0
	for hour, count := range counts {
		at := start.Add(time.Duration(hour) * time.Hour)
		var lines bytes.Buffer
		for i := range count {
			data := fmt.Sprintf(`{"event_id":"e-%d","event_type":"%d","big":12345678901234567890.10}`, n, n%2)
			if n%10 == 0 {
				data = fmt.Sprintf(`{"n":%d}`, n)
			}
			e, err := event.Parse([]byte(data))
			require.NoError(t, err)
			line := e.Line(event.Origin{Stream: "orders", Shard: "shardId-000000000001", Sequence: fmt.Sprint(n)}, at.Add(time.Duration(i)*time.Millisecond))
			for range 1 + n%7/6 {
				lines.Write(line)
			}
			n++
		}
		var zipped bytes.Buffer
		writer := gzip.NewWriter(&zipped)
		_, err := writer.Write(lines.Bytes())
		require.NoError(t, err)
		require.NoError(t, writer.Close())
		contents[at.Format("events/year=2006/month=01/day=02/hour=15/")+"object.json.gz"] = zipped.Bytes()
	}
	return contents
}

// rebuild is of a lake into a new database.
func rebuild(t *testing.T, contents map[string][]byte) (*fakeLambda, replay.Config) {
	t.Helper()
	fake := &fakeLambda{database: migratedDatabase(t)}
	source := objects(replay.LakeLines(), start.Add(24*time.Hour), contents)
	source.Locations = []replay.Location{{Bucket: "lake", Prefix: "events/"}}
	return fake, replay.Config{
		Source: source, Rate: 1_000_000, Checkpoint: filepath.Join(t.TempDir(), "checkpoint"),
		Loader: &replay.Loader{Client: fake, Function: "loader:live"},
	}
}

const whereFrom = "SELECT stream, shard, sequence FROM events WHERE event_id = 'e-1'"

func TestADatabaseIsRebuiltFromTheLakeAsItWas(t *testing.T) {
	contents := lake(t, 300, 300)
	key := start.Format("events/year=2006/month=01/day=02/hour=15/") + "object.json.gz"
	fake, config := rebuild(t, contents)
	report, err := replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, "loader:live", report.Loader)
	assert.Equal(t, 600+600/7, report.Read)
	assert.Equal(t, report.Read, report.Sent)

	db := postgrestest.Admin(t, server, fake.database)
	assert.Equal(t, []string{"600 600"}, postgrestest.Lines(t, db, "SELECT count(*), count(DISTINCT event_id) FROM events"))
	assert.Equal(t, []string{`{"big": 12345678901234567890.10, "event_id": "e-1", "event_type": "1"} true`}, postgrestest.Lines(t, db,
		"SELECT payload::text, arrived_at = '"+start.Add(time.Millisecond).Format(time.RFC3339Nano)+"' FROM events WHERE event_id = 'e-1'"), "as when it came from the stream")
	assert.Equal(t, []string{"1"}, postgrestest.Lines(t, db, "SELECT count(*) FROM events WHERE event_id = 'orders/shardId-000000000001/0'"),
		"an event without event_id keeps its first origin")
	assert.Equal(t, []string{"lake " + key + " 1"}, postgrestest.Lines(t, db, whereFrom), "the row says which line it was loaded from")

	before := postgrestest.Lines(t, db, "SELECT * FROM events ORDER BY event_id")
	config.Checkpoint = ""
	_, err = replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, before, postgrestest.Lines(t, db, "SELECT * FROM events ORDER BY event_id"), "a second time changes nothing")
}

func TestOnlyWhatArrivedInTheWindowIsLoaded(t *testing.T) {
	fake, config := rebuild(t, lake(t, 20, 20, 20))
	config.Filter = replay.Filter{Since: start.Add(time.Hour + 5*time.Millisecond), Until: start.Add(2*time.Hour - time.Millisecond), Types: []string{"1"}}
	_, err := replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, []string{"e-25", "e-27", "e-29", "e-31", "e-33", "e-35", "e-37", "e-39"},
		postgrestest.Lines(t, postgrestest.Admin(t, server, fake.database), "SELECT event_id FROM events ORDER BY 1"))
}

func TestARebuildThatBrokeOffGoesOnAndEndsAsTheSameTable(t *testing.T) {
	fake, config := rebuild(t, lake(t, 15_000, 15_000))
	broken := errors.New("the connection is gone")
	fake.trouble = func(call int) (string, error) {
		if call > 12 { // of 2,000 records each: behind the first checkpoint, before the second
			return "", broken
		}
		return "", nil
	}
	report, err := replay.Run(t.Context(), config)
	require.ErrorIs(t, err, broken)
	assert.Less(t, report.Sent, 30_000)

	fake.trouble = nil
	report, err = replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Less(t, report.Read, 30_000, "not from the beginning")
	assert.Equal(t, []string{"30000"}, postgrestest.Lines(t, postgrestest.Admin(t, server, fake.database), "SELECT count(*) FROM events"))
}

func TestWhatTheLoaderCouldNotStoreIsPassedAgain(t *testing.T) {
	fake, config := rebuild(t, lake(t, 100))
	fake.trouble = func(call int) (string, error) {
		return map[int]string{1: "crash", 2: `{"batchItemFailures":[{"itemIdentifier":"40"}]}`, 3: `{"batchItemFailures":[{"itemIdentifier":""}]}`}[call], nil
	}
	report, err := replay.Run(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, 4, fake.calls)
	assert.Equal(t, report.Read, report.Sent)
	assert.Equal(t, []string{"100"}, postgrestest.Lines(t, postgrestest.Admin(t, server, fake.database), "SELECT count(*) FROM events"))
}

func TestNoInvocationIsLargerThanLambdaTakes(t *testing.T) {
	var lines bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&lines, `{"event_id":"%d","t":%q,"_millrace":{"id":"%d","arrived_at":"2026-01-02T03:04:05.678Z"}}`+"\n", i, strings.Repeat("x", 300<<10), i)
	}
	fmt.Fprintf(&lines, `{"event_id":"large","t":%q,"_millrace":{"id":"large","arrived_at":"2026-01-02T03:04:05.678Z"}}`+"\n", strings.Repeat("x", 5<<20))
	fmt.Fprintln(&lines, `{"nobody":"knows whose"}`)
	fmt.Fprintln(&lines, `no event`)
	fake, config := rebuild(t, map[string][]byte{"events/a": lines.Bytes()})
	report, err := replay.Run(t.Context(), config)
	require.ErrorIs(t, err, replay.ErrFailed)
	assert.Equal(t, map[string]int{
		"larger than the 6291456 bytes of a Lambda payload": 1, "a line of the lake is no event": 1, "the origin of an event without event_id is not to be found": 1,
	}, report.Failed)
	assert.Equal(t, 40, report.Sent)
	assert.Greater(t, fake.largest, 5<<20, "they are filled")
	assert.LessOrEqual(t, fake.largest, 6<<20)
}

func TestTheLoaderIsFoundByWhatItIsToldToDo(t *testing.T) {
	fake := &fakeLambda{
		fakeMappings: fakeMappings{{FunctionArn: aws.String("plain")}, {FunctionArn: aws.String("other")}, {FunctionArn: aws.String("loader:live")}},
		specs:        map[string]string{"other": `{"steps":[]}`, "loader:live": `{"database":{"host":"db"},"a_member_of_a_later_release":1}`},
	}
	_, stream := newStream(t)
	found, err := replay.FindLoader(t.Context(), fake, stream, "")
	require.NoError(t, err)
	assert.Equal(t, "loader:live", found.Function)
	assert.Equal(t, stream.Created, found.Created)

	fake.fakeMappings = append(fake.fakeMappings, lambdatypes.EventSourceMappingConfiguration{FunctionArn: aws.String("second")})
	fake.specs["second"] = `{"database":{"host":"db"}}`
	_, err = replay.FindLoader(t.Context(), fake, stream, "")
	require.ErrorContains(t, err, "say which: loader:live, second")
	found, err = replay.FindLoader(t.Context(), fake, stream, "sec")
	require.NoError(t, err)
	assert.Equal(t, "second", found.Function)

	fake.fakeMappings = fake.fakeMappings[:2]
	_, err = replay.FindLoader(t.Context(), fake, stream, "")
	assert.ErrorContains(t, err, "no function that gets the records of "+streamARN)
}

func TestOfALakeOnlyTheHoursAreListedThatMayHaveIt(t *testing.T) {
	hour := "hour=!{timestamp:HH}/"
	for prefix, want := range map[string][2]string{
		"events/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/" + hour: {"events/year=2026/month=01/day=01/hour=02/", "events/year=2026/month=01/day=02/hour=06/"},
		"a/!{timestamp:yyyy}/!{timestamp:MM}/!{partitionKeyFromLambda:x}/":                {"a/2026/01/", "a/2026/01/"},
		"a/!{partitionKeyFromLambda:x}/!{timestamp:yyyy}/" + hour:                         {"a/", "a/"},
		"a/!{timestamp:dd}/": {"a/", "a/"},
	} {
		json := &firehosetypes.ExtendedS3DestinationDescription{BucketARN: aws.String("arn:aws:s3:::lake"), Prefix: &prefix}
		parquet := &firehosetypes.ExtendedS3DestinationDescription{
			BucketARN: aws.String("arn:aws:s3:::parquet"), DataFormatConversionConfiguration: &firehosetypes.DataFormatConversionConfiguration{Enabled: aws.Bool(true)},
		}
		deployed := fakeFirehose{delivery("json", streamARN, json), delivery("parquet", streamARN, parquet)}
		found, err := replay.LakeLocations(t.Context(), deployed, streamARN, start, start.Add(2*time.Hour))
		require.NoError(t, err)
		require.Len(t, found, 1, "not the Parquet")
		assert.Equal(t, want, [2]string{found[0].From, found[0].To}, prefix)

		json.CustomTimeZone = aws.String("Asia/Tokyo")
		found, err = replay.LakeLocations(t.Context(), deployed, streamARN, time.Time{}, start)
		require.NoError(t, err)
		assert.Empty(t, found[0].From)
		if strings.HasPrefix(prefix, "events/") {
			assert.Equal(t, "events/year=2026/month=01/day=02/hour=13/", found[0].To)
		}
	}

	contents := lake(t, 1, 1, 1, 1)
	source := objects(replay.LakeLines(), start.Add(24*time.Hour), contents)
	source.Locations = []replay.Location{{
		Bucket: "lake", Prefix: "events/", From: "events/year=2026/month=01/day=02/hour=04/", To: "events/year=2026/month=01/day=02/hour=05/",
	}}
	_, stream := newStream(t)
	report, err := replay.Run(t.Context(), replay.Config{Source: source, Stream: stream})
	require.NoError(t, err)
	assert.Equal(t, 2, report.Read)
	assert.Len(t, source.Client.(*fakeS3).got, 2)
}
