package transformer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/spec"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return text
}

func TestNumbersMayBeStringsAndUnknownMembersAreSkipped(t *testing.T) {
	var seen []transformer.Record
	got := invoke(t, quiet(func(_ context.Context, r transformer.Record) (transformer.Result, error) {
		r.Payload = bytes.Clone(r.Payload)
		seen = append(seen, r)
		return transformer.Result{Data: r.Payload}, nil
	}), readFile(t, "samples.json"))
	var results []string
	for _, r := range got {
		results = append(results, r.RecordID+r.Result)
	}
	assert.Equal(t, []string{"1Ok", "2Ok", "3ProcessingFailed", "4ProcessingFailed", "5ProcessingFailed", "6Dropped"}, results)

	assert.Equal(t, "{\"a\":\"\xff?\"}\xff", string(seen[0].Payload), "an escaped slash")
	assert.Equal(t, time.Date(2012, 4, 23, 19, 25, 43, 511e6, time.UTC), seen[0].ArrivedAt)
	assert.Equal(t, "café", seen[0].PartitionKey)
	assert.Equal(t, "events/s/7/12", seen[1].Origin.String())
	assert.Equal(t, int64(1495072949453), seen[1].ArrivedAt.UnixMilli(), "the record's own, where the stream's is empty")
	assert.Equal(t, "lake/6", seen[2].Origin.String())
}

func TestReasonsAreLoggedAndCounted(t *testing.T) {
	var log, metrics bytes.Buffer
	h := &transformer.Handler{Transform: transformer.ToLine, Log: slog.New(slog.NewJSONHandler(&log, nil)), Metrics: &metrics}
	invoke(t, h, readFile(t, "samples.json"))
	for _, text := range []string{
		"the record is not valid UTF-8", // record 1
		"the record's subsequenceNumber is not readable",
		"the record's approximateArrivalTimestamp is not readable",
		"the record's data is not base64",
	} {
		assert.Contains(t, log.String(), text)
	}

	counted := map[string]float64{}
	for line := range strings.Lines(metrics.String()) {
		var metric struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
			DeliveryStreamName, Reason string
			FailedRecords              float64
		}
		require.NoError(t, json.Unmarshal([]byte(line), &metric))
		require.Len(t, metric.AWS.CloudWatchMetrics, 1)
		declared := metric.AWS.CloudWatchMetrics[0]
		assert.Equal(t, spec.TransformerNamespace, declared.Namespace)
		assert.Equal(t, [][]string{{"DeliveryStreamName"}, {"DeliveryStreamName", "Reason"}}, declared.Dimensions)
		assert.Equal(t, spec.TransformerFailedRecords, declared.Metrics[0].Name)
		assert.Equal(t, "lake", metric.DeliveryStreamName)
		counted[metric.Reason] = metric.FailedRecords
	}
	assert.Equal(t, map[string]float64{"NotUTF8": 1, "BadMetadata": 3}, counted)
}

func TestErrorsThatAllDifferAreFewLinesOfLog(t *testing.T) {
	var log, metrics bytes.Buffer
	h := &transformer.Handler{
		Transform: func(_ context.Context, r transformer.Record) (transformer.Result, error) {
			return transformer.Result{}, &os.PathError{Op: "open", Path: r.Origin.Sequence, Err: os.ErrNotExist}
		},
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
		Metrics: &metrics,
	}
	var records []events.KinesisFirehoseEventRecord
	for n := range 500 {
		records = append(records, numbered(n, "{}"))
	}
	invoke(t, h, request(t, records...))
	assert.Equal(t, 20, strings.Count(log.String(), "\n"))
	assert.Contains(t, log.String(), `reason=Other error="further errors, which differ" records=481`)
	assert.Equal(t, 2, strings.Count(metrics.String(), "\n"))
}

func TestWhatIsNoRequestIsAnError(t *testing.T) {
	for _, text := range []string{
		"", "{", "[]", "{}x", `{"records":{}}`, `{"records":[1]}`, `{"records":[{"data":"e30="}]}`,
		`{"records":[{"recordId":7,"data":"e30="}]}`, `{"records":[{"recordId":"` + "\xff" + `"}]}`, `{"records":[{"recordId":"1","data":"e30=`,
		`{"records":[{"recordId":"1"}],}`, `{"records":[{"recordId":"1"},]}`, `{"a":]}`, `{"records":[{"recordId":"1","approximateArrivalTimestamp":,}]}`,
	} {
		_, err := quiet(transformer.ToLine).Invoke(t.Context(), []byte(text))
		assert.ErrorContains(t, err, "reading Firehose's request: it is malformed at byte", text)
	}
}

func TestResponsesDoNotShareMemory(t *testing.T) {
	h := quiet(transformer.ToLine)
	first, err := h.Invoke(t.Context(), request(t, numbered(1, `{"n":1}`)))
	require.NoError(t, err)
	kept := string(first)
	_, err = h.Invoke(t.Context(), request(t, numbered(2, `{"n":2}`)))
	require.NoError(t, err)
	assert.Equal(t, kept, string(first))
}

func TestInvocationsMayRunAtTheSameTime(t *testing.T) {
	h := quiet(transformer.ToLine)
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for n := range 200 {
				got := invoke(t, h, request(t, numbered(n, `{"a":1}`), numbered(n+1, `{"b":[2]}`)))
				require.Contains(t, got[0].text(t), `{"a":1,`)
				require.Contains(t, got[1].text(t), `{"b":[2],`)
			}
		})
	}
}

func TestSeveralLinesShareOneSetOfPartitionKeys(t *testing.T) {
	got := invoke(t, quiet(func(_ context.Context, r transformer.Record) (transformer.Result, error) {
		lines := append(r.Buffer, "{\"n\":1}\n{\"n\":2}\n"...)
		return transformer.Result{Data: lines, PartitionKeys: map[string]string{"day": "1"}}, nil
	}), request(t, numbered(1, "{}"), numbered(2, "{}")))
	for _, r := range got {
		assert.Equal(t, "{\"n\":1}\n{\"n\":2}\n", r.text(t))
		assert.Equal(t, map[string]string{"day": "1"}, r.Metadata.PartitionKeys)
	}
}
