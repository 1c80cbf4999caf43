package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/duckdb"
)

var flightCount = flag.Int("flights", 200_000, "how many events go through the lakes, up to the file's 200,000")

// flightFile has delay, distance and time of flights; DuckDB reads it too.
const flightFile = root + "/node_modules/vega-datasets/data/flights-200k.json"

// delayed is from when a flight is one, in minutes. Go and SQL have the same rule.
const delayed = 15

// flights are the file's first records as events. It knows hours of the day and no day: this one is made up.
func flights(t *testing.T, count int) [][]byte {
	t.Helper()
	text, err := os.ReadFile(flightFile)
	require.NoError(t, err)
	var rows []struct {
		Delay    json.Number `json:"delay"`
		Distance json.Number `json:"distance"`
		Time     json.Number `json:"time"`
	}
	require.NoError(t, json.Unmarshal(text, &rows))
	require.GreaterOrEqual(t, len(rows), count)
	events := make([][]byte, count)
	for i, row := range rows[:count] {
		minutes, err := row.Delay.Int64()
		require.NoError(t, err)
		hours, err := row.Time.Float64()
		require.NoError(t, err)
		kind := "on-time"
		if minutes >= delayed {
			kind = "delayed"
		}
		at := time.Date(2001, 1, 1, 0, 0, int(math.Round(hours*3600)), 0, time.UTC)
		events[i] = fmt.Appendf(nil, `{"event_id":"flight-%06d","event_type":%q,"occurred_at":%q,"delay":%s,"distance":%s,"time":%s}`,
			i, kind, at.Format(time.RFC3339), row.Delay, row.Distance, row.Time)
	}
	return events
}

// flightID is how an event begins, its id included: one that is posted again goes to the same shard.
func flightID(event []byte) string { return string(event[:len(`{"event_id":"flight-000000`)]) }

// parquetDelivery is the deployed delivery that converts: its bucket and its transformer.
func parquetDelivery(t *testing.T) (bucket, transformer string) {
	t.Helper()
	client := firehose.NewFromConfig(awsConfig(t))
	streams, err := client.ListDeliveryStreams(t.Context(), &firehose.ListDeliveryStreamsInput{})
	require.NoError(t, err)
	for _, name := range streams.DeliveryStreamNames {
		output, err := client.DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
		require.NoError(t, err)
		to := output.DeliveryStreamDescription.Destinations[0].ExtendedS3DestinationDescription
		if to.DataFormatConversionConfiguration == nil || !aws.ToBool(to.DataFormatConversionConfiguration.Enabled) {
			continue
		}
		for _, parameter := range to.ProcessingConfiguration.Processors[0].Parameters {
			if parameter.ParameterName == firehosetypes.ProcessorParameterNameLambdaArn {
				return strings.TrimPrefix(*to.BucketARN, "arn:aws:s3:::"), *parameter.ParameterValue
			}
		}
	}
	require.FailNow(t, "no delivery of Parquet is deployed")
	return "", ""
}

// mirror is a bucket, and a folder where its objects lie for DuckDB.
type mirror struct {
	client         *s3.Client
	bucket, folder string
	logged         int // bytes of the laptop's log when the outage began
}

// log is what the laptop's cloud has said.
func (m *mirror) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".millrace", "log", "supervisor.log"))
	require.NoError(t, err)
	return string(text)
}

func newMirror(t *testing.T, bucket string) *mirror {
	t.Helper()
	return &mirror{bucket: bucket, folder: t.TempDir(), client: s3.NewFromConfig(awsConfig(t), func(o *s3.Options) {
		o.UsePathStyle, o.DisableLogOutputChecksumValidationSkipped = true, true
	})}
}

// refresh fetches the objects that have come, and returns the paths of all.
func (m *mirror) refresh(t *testing.T) (paths []string) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(m.client, &s3.ListObjectsV2Input{Bucket: &m.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, object := range page.Contents {
			path := filepath.Join(m.folder, filepath.FromSlash(*object.Key))
			paths = append(paths, path)
			if _, err := os.Stat(path); err == nil {
				continue
			}
			output, err := m.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &m.bucket, Key: object.Key})
			require.NoError(t, err)
			content, err := io.ReadAll(output.Body)
			require.NoError(t, errors.Join(err, output.Body.Close()))
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, content, 0o600))
		}
	}
	return paths
}

// failed counts the lines below the error prefix.
func (m *mirror) failed(t *testing.T) (lines int) {
	t.Helper()
	for _, path := range m.refresh(t) {
		if strings.HasPrefix(path, filepath.Join(m.folder, "errors")) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			lines += bytes.Count(text, []byte("\n"))
		}
	}
	return lines
}

// empty deletes every object, with all of its versions.
func (m *mirror) empty(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it cleans up too
	pages := s3.NewListObjectVersionsPaginator(m.client, &s3.ListObjectVersionsInput{Bucket: &m.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		var versions []s3types.ObjectIdentifier
		for _, v := range page.Versions {
			versions = append(versions, s3types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, v := range page.DeleteMarkers {
			versions = append(versions, s3types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		if len(versions) > 0 {
			_, err := m.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &m.bucket, Delete: &s3types.Delete{Objects: versions}})
			require.NoError(t, err)
		}
	}
}

// outage takes the bucket away, until end is called.
func (m *mirror) outage(t *testing.T) (end func()) {
	t.Helper()
	m.logged = len(m.log(t))
	require.Eventually(t, func() bool { // what another test has sent may arrive in between
		m.empty(t)
		_, err := m.client.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &m.bucket})
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		_, err := m.client.CreateBucket(context.WithoutCancel(t.Context()), &s3.CreateBucketInput{Bucket: &m.bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{
			LocationConstraint: s3types.BucketLocationConstraint(m.client.Options().Region),
		}})
		require.NoError(t, err)
	}
	t.Cleanup(end)
	return end
}

// refused waits until the laptop's Firehose says that S3 has refused an object of the bucket.
func (m *mirror) refused(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		for line := range strings.Lines(m.log(t)[m.logged:]) {
			if strings.Contains(line, "NoSuchBucket") && strings.Contains(line, "s3://"+m.bucket+"/events/") {
				return true
			}
		}
		return false
	}, time.Minute, 100*time.Millisecond, "S3 has refused nothing")
}

// onceView is the SQL by which the templates of prod make the view, and the database that it names: the
// emulator takes no named query. DuckDB runs it as it stands.
func onceView(t *testing.T) (database, sql string) {
	t.Helper()
	text, err := os.ReadFile(root + "/test/snapshot/testdata/prod-pipeline.template.json")
	require.NoError(t, err)
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ Database, QueryString any }
		}
	}
	require.NoError(t, json.Unmarshal(text, &template))
	for _, resource := range template.Resources {
		sql, _ := resource.Properties.QueryString.(string)
		if resource.Type == "AWS::Athena::NamedQuery" && strings.HasPrefix(sql, "CREATE OR REPLACE VIEW") {
			return resource.Properties.Database.(string), sql
		}
	}
	require.FailNow(t, "prod has no query that makes a view (make snapshots)")
	return "", ""
}

// asTable is the SQL that makes the folder's Parquet the table of the database, as Glue does for Athena.
func (m *mirror) asTable(database string) string {
	return fmt.Sprintf(`CREATE SCHEMA %q; CREATE VIEW %q."events" AS SELECT * FROM read_parquet('%s/events/**/*.parquet', hive_partitioning = true, hive_types = {'hour': VARCHAR});`,
		database, database, m.folder)
}

// Its file's name makes this the last test: one before it that looks for an event in the stream reads less.
func TestFlightsAreInBothLakesAndTheTableEachOnceAfterACrashAndAnOutage(t *testing.T) {
	onlyLocal(t)
	db := database(t)
	events := flights(t, *flightCount)
	n := len(events)
	inOutage, inCrash := events[:n/4], events[n/4:n/4+n/20]
	from := since()
	bucket, transformer := parquetDelivery(t)
	parquet, lines := newMirror(t, bucket), newMirror(t, os.Getenv("LAKE_BUCKET"))
	t.Cleanup(func() { // or the tests behind this one read all of it
		parquet.empty(t)
		lines.empty(t)
	})

	end := parquet.outage(t)
	putAll(t, inOutage, flightID)
	parquet.refused(t)
	end()

	mend := breakFunction(t, transformer)
	putAll(t, inCrash, flightID)
	require.Eventually(t, func() bool { return parquet.failed(t) >= len(inCrash) }, 3*time.Minute, 500*time.Millisecond)
	mend()

	putAll(t, events[len(inOutage)+len(inCrash):], flightID)
	putAll(t, events[:n/100], flightID) // their producer got no answer, and posts again

	database, view := onceView(t)
	var found [][]any
	lost, replayed := 0, 0
	require.Eventually(t, func() bool {
		if now := parquet.failed(t); now > lost { // the last of them come after the crash has been mended
			report, status := replays(t, "errors", from)
			assert.Zero(t, status)
			assert.Empty(t, report.Failed)
			lost, replayed = now, replayed+report.Sent
		}
		found = duckdb.Rows(t, root, parquet.asTable(database)+fmt.Sprintf(`SELECT count(*), count(DISTINCT "millrace".id), count(DISTINCT type), count(DISTINCT hour) FROM %q."events" WHERE event_id LIKE 'flight-%%'`, database))
		return found[0][1].(float64) >= float64(n)
	}, 3*time.Minute, time.Second, "lines, events, types, hours: %v", &found)
	assert.GreaterOrEqual(t, lost, len(inCrash))
	assert.GreaterOrEqual(t, replayed, lost)
	t.Logf("Parquet: %v lines of %v events; %d failed in the crash, and %d were replayed", found[0][0], found[0][1], lost, replayed)
	assert.Greater(t, found[0][0], float64(n), "some have come twice")
	assert.EqualValues(t, 2, found[0][2], "types")
	assert.Contains(t, []any{1.0, 2.0}, found[0][3], "hours of arrival: this one, and the next if it has begun")

	const sums = `count(*), sum(delay), sum(distance), sum(time::DECIMAL(18, 9)),
		sum(hash(delay::INT, distance::INT, time)::HUGEINT)::VARCHAR` // and that they are the same rows
	stored := duckdb.Rows(t, root, parquet.asTable(database)+view+fmt.Sprintf(`; SELECT type, %s FROM %q."events_once" WHERE event_id LIKE 'flight-%%' GROUP BY type ORDER BY type`, sums, database))
	source := duckdb.Rows(t, root, fmt.Sprintf(`SELECT if(delay >= %d, 'delayed', 'on-time') AS type, %s FROM (SELECT * FROM read_json('%s') LIMIT %d) GROUP BY type ORDER BY type`,
		delayed, sums, flightFile, n))
	assert.Equal(t, source, stored)
	t.Logf("type, count, sums of delay, distance, time and the rows' hashes: %v", stored)

	settled(t, db)
	var rows int
	require.NoError(t, db.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE event_id LIKE 'flight-%'").Scan(&rows))
	assert.Equal(t, n, rows)
	require.Eventually(t, func() bool { // DuckDB takes half of a surrogate pair, which other tests send, for an error
		lines.refresh(t)
		found = duckdb.Rows(t, root, fmt.Sprintf(`SELECT count(DISTINCT _millrace.id) FROM read_json('%s/events/**/*.json.gz', format = 'newline_delimited', ignore_errors = true, columns = {event_id: 'VARCHAR', _millrace: 'STRUCT(id VARCHAR)'}) WHERE event_id LIKE 'flight-%%'`, lines.folder))
		return found[0][0].(float64) >= float64(n)
	}, time.Minute, time.Second, "the lake of lines has %v events", &found)
	t.Run("and in the table again when the database is dropped and rebuilt from the lake", func(t *testing.T) { rebuilds(t, db, from) })
}
