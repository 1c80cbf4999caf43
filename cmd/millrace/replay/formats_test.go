package replay_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
)

// documented is an object in a shape of AWS's documents, and what is sent of it.
func documented(t *testing.T, format replay.Format, name string) (replay.Report, []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	fake, stream := newStream(t)
	report, err := replay.Run(t.Context(), replay.Config{Source: objects(format, start, map[string][]byte{name: text}), Stream: stream, AsNew: true})
	require.NoError(t, err)
	return report, fake.sent()
}

func TestTheDocumentedShapesAreRead(t *testing.T) {
	report, sent := documented(t, replay.DeliveryErrors(), "processing-failed.json")
	assert.Equal(t, 2, report.Read)
	assert.Equal(t, []string{
		`{"event_id":"a","_millrace":{"id":"a","arrived_at":"2026-01-02T03:04:05.678Z"}}`,
		`{"event_id":"b","_millrace":{"id":"b","arrived_at":"2026-01-02T03:04:05.679Z"}}`,
	}, sent, "times as text or as numbers, lambdaArn or lambdaARN")

	report, sent = documented(t, replay.DeliveryErrors(), "format-conversion-failed.json")
	assert.Equal(t, 3, report.Read)
	assert.Equal(t, map[string]int{"refused: DataFormatConversion.MalformedData": 2}, report.Skipped, "ErrorCode or lastErrorCode")
	assert.Equal(t, []string{`{"event_id":"c","_millrace":{"id":"c","arrived_at":"2026-01-02T03:04:05.678Z"}}`}, sent)

	report, sent = documented(t, replay.Failures(), "on-failure.json")
	assert.Equal(t, 1, report.Read)
	assert.Equal(t, map[string]int{"the record is not valid JSON": 1}, report.Skipped, "Lambda's example says: Hello, this is a test.")
	assert.Empty(t, sent)
}

func TestABackupsJSONIsToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		backup string
		ids    string
		broken int
	}{
		"nothing between":           {`{"event_id":"a","t":"}{"}{"event_id":"b","n":{"event_id":"x"}}`, "a b", 0},
		"line feeds":                {"{\"event_id\":\"a\"}\n{\"event_id\":\"b\"}\n", "a b", 0},
		"other values":              {`{"event_id":"a"}[1]"x"7 8null{"event_id":"b"}`, "a b", 0},
		"text on a line of its own": {"{\"event_id\":\"a\"}\nHello {\"event_id\":\"x\"}\n{\"event_id\":\"b\"}", "a b", 1},
		"text without a line feed":  {`{"event_id":"a"}Hello {"event_id":"x"}`, "a", 1},
		"an object cut off":         {`{"event_id":"a"}{"n":[1,{"event_id":"x"}{"event_id":"y"}`, "a", 1},
		"cut off, then a line feed": {"{\"n\":[1,{\"event_id\":\"x\"}\n{\"event_id\":\"b\"}", "b", 1},
		"cut off at the end":        {`{"event_id":"a"}{"event_id":"x"`, "a", 1},
		"more than a record can be": {`{"event_id":"a"}"` + strings.Repeat("x", 30<<20) + "\"\n" + `{"event_id":"b"}`, "a b", 1},
		"nothing":                   {"", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			fake, stream := newStream(t)
			report, err := replay.Run(t.Context(), replay.Config{Source: objects(replay.Backups(), start, map[string][]byte{"raw/a": []byte(c.backup)}), Stream: stream})
			var ids []string
			for _, text := range fake.sent() {
				var e struct {
					ID string `json:"event_id"`
				}
				require.NoError(t, json.Unmarshal([]byte(text), &e))
				ids = append(ids, e.ID)
			}
			assert.Equal(t, c.ids, strings.Join(ids, " "))
			if c.broken > 0 {
				require.ErrorIs(t, err, replay.ErrFailed)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, c.broken, report.Failed["what is not JSON in a backup cannot be told apart up to the next line feed"])
		})
	}
}

func TestWhatIsNoObjectOfTheKindIsReported(t *testing.T) {
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	_, err := writer.Create("data")
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	for name, c := range map[string]struct {
		format  replay.Format
		content string
	}{
		"no JSON":           {replay.Failures(), "x"},
		"no payload":        {replay.Failures(), `{"requestContext":{"condition":"RetryAttemptsExhausted"}}`},
		"no Kinesis event":  {replay.Failures(), `{"payload":"{}"}`},
		"no source":         {replay.Failures(), `{"payload":"{\"Records\":[{\"kinesis\":{\"data\":\"e30=\"}}]}"}`},
		"no data":           {replay.DeliveryErrors(), `{"arrivalTimestamp":1}`},
		"no arrival":        {replay.DeliveryErrors(), `{"rawData":"e30="}`},
		"data not base64":   {replay.DeliveryErrors(), `{"arrivalTimestamp":1,"rawData":"{}"}`},
		"compressed by ZIP": {replay.Backups(), archive.String()},
	} {
		t.Run(name, func(t *testing.T) {
			fake, stream := newStream(t)
			report, err := replay.Run(t.Context(), replay.Config{Source: objects(c.format, start, map[string][]byte{"a": []byte(c.content)}), Stream: stream})
			require.ErrorIs(t, err, replay.ErrFailed)
			assert.Len(t, report.Failed, 1)
			assert.Empty(t, fake.puts)
		})
	}
}

func TestTheReportIsATable(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, replay.Report{
		Source: "failed batches in s3://b/p", Stream: "orders", Read: 1203, Sent: 1000,
		Skipped: map[string]int{"filter": 200, "the record is empty": 2}, Failed: map[string]int{"larger": 1},
	}.Print(&text))
	assert.Equal(t, `  1203  read from failed batches in s3://b/p
  1000  sent to orders
   202  skipped
   200    filter
     2    the record is empty
     1  failed
     1    larger
`, text.String())
}

func TestACheckpointIsOfOneChoiceOfRecords(t *testing.T) {
	_, stream := newStream(t)
	source := objects(replay.Backups(), start, nil)
	names := map[string]bool{}
	for _, c := range []replay.Config{
		{},
		{AsNew: true},
		{Filter: replay.Filter{Types: []string{"a"}}},
		{Filter: replay.Filter{Since: start}},
		{Source: objects(replay.Failures(), start, nil)},
		{Stream: &replay.Stream{ARN: stream.ARN, Created: start}},
	} {
		if c.Source == nil {
			c.Source = source
		}
		if c.Stream == nil {
			c.Stream = stream
		}
		name, err := replay.CheckpointName(c)
		require.NoError(t, err)
		again, err := replay.CheckpointName(c)
		require.NoError(t, err)
		assert.Equal(t, name, again)
		names[name] = true
	}
	assert.Len(t, names, 6)
}
