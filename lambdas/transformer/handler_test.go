package transformer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
)

// answered is a response's record as Firehose reads it.
type answered struct {
	RecordID string  `json:"recordId"`
	Result   string  `json:"result"`
	Data     *string `json:"data"`
	Metadata *struct {
		PartitionKeys map[string]string `json:"partitionKeys"`
	} `json:"metadata"`
}

func (a answered) text(t testing.TB) string {
	t.Helper()
	require.NotNil(t, a.Data, "Firehose asks for data in every record")
	text, err := base64.StdEncoding.DecodeString(*a.Data)
	require.NoError(t, err)
	return string(text)
}

// invoke calls the handler as Lambda's runtime does, with JSON in and out.
func invoke(t testing.TB, h *transformer.Handler, request []byte) []answered {
	t.Helper()
	output, err := h.Invoke(t.Context(), request)
	require.NoError(t, err)
	require.LessOrEqual(t, len(output), transformer.MaxResponseBytes)
	var response struct{ Records []answered }
	require.NoError(t, json.Unmarshal(output, &response))
	return response.Records
}

func quiet(f transformer.Func) *transformer.Handler {
	return &transformer.Handler{Transform: f, Log: slog.New(slog.DiscardHandler), Metrics: io.Discard}
}

func request(t testing.TB, records ...events.KinesisFirehoseEventRecord) []byte {
	t.Helper()
	text, err := json.Marshal(events.KinesisFirehoseEvent{
		DeliveryStreamArn: "arn:aws:firehose:us-west-2:123456789012:deliverystream/logs",
		Records:           records,
	})
	require.NoError(t, err)
	return text
}

func numbered(n int, data string) events.KinesisFirehoseEventRecord {
	return events.KinesisFirehoseEventRecord{
		RecordID: strconv.Itoa(n), Data: []byte(data),
		ApproximateArrivalTimestamp: events.MilliSecondsEpochTime{Time: time.UnixMilli(1495072949453)},
	}
}

func TestRecordsOfAKinesisStream(t *testing.T) {
	text, err := os.ReadFile("testdata/kinesis-source.json")
	require.NoError(t, err)
	got := invoke(t, quiet(transformer.ToLine), text)

	const sequence = "4954698668313554428650745793632162567570019247115678515"
	for i, want := range []struct{ id, result, data string }{
		{sequence + "0000000000000", "Ok", `{"event_id":"us7000","mag":4.70,"_millrace":{"id":"us7000","arrived_at":"2017-05-18T02:02:29.453Z"}}` + "\n"},
		{sequence + "1000000000000", "Ok", `{"no":"event_id","_millrace":{"id":"events/shardId-000000000000/` + sequence + `1","arrived_at":"2017-05-18T02:02:29.454Z"}}` + "\n"},
		{sequence + "1000003000000", "Ok", `{"packed":true,"_millrace":{"id":"events/shardId-000000000000/` + sequence + `1/3","arrived_at":"2017-05-18T02:02:29.455Z"}}` + "\n"},
		{sequence + "2000000000000", "ProcessingFailed", ""},
		{sequence + "3000000000000", "Dropped", ""},
	} {
		assert.Equal(t, want.id, got[i].RecordID)
		assert.Equal(t, want.result, got[i].Result)
		assert.Equal(t, want.data, got[i].text(t))
		assert.Nil(t, got[i].Metadata)
	}
	assert.Len(t, got, 5)
}

func TestRecordsOfDirectPut(t *testing.T) {
	text, err := os.ReadFile("testdata/direct-put.json")
	require.NoError(t, err)
	got := invoke(t, quiet(transformer.ToLine), text)
	require.Len(t, got, 2)
	assert.Equal(t, `{"level":"warn","_millrace":{"id":"logs/record1","arrived_at":"2017-10-05T15:33:44.302Z"}}`+"\n", got[0].text(t))
	assert.Equal(t, "ProcessingFailed", got[1].Result)
}

func TestBatchWithoutRecordsIsAnsweredByAnEmptyList(t *testing.T) {
	output, err := quiet(transformer.ToLine).Invoke(t.Context(), request(t))
	require.NoError(t, err)
	assert.JSONEq(t, `{"records":[]}`, string(output))
}

func TestTransformSeesTheWholeRecord(t *testing.T) {
	text, err := os.ReadFile("testdata/kinesis-source.json")
	require.NoError(t, err)
	var seen []transformer.Record
	invoke(t, quiet(func(_ context.Context, r transformer.Record) (transformer.Result, error) {
		r.Payload = bytes.Clone(r.Payload)
		seen = append(seen, r)
		return transformer.Result{}, nil
	}), text)
	require.Len(t, seen, 5)
	assert.Equal(t, `{"packed":true}`, string(seen[2].Payload))
	assert.Equal(t, "events/shardId-000000000000/49546986683135544286507457936321625675700192471156785151/3", seen[2].Origin.String())
	assert.Equal(t, "4d1ad2b9-24f8-4b9d-a088-76e9947c317a", seen[2].PartitionKey)
	assert.Equal(t, int64(1495072949455), seen[2].ArrivedAt.UnixMilli())
}

func TestPartitionKeysTravelWithTheirRecord(t *testing.T) {
	got := invoke(t, quiet(func(_ context.Context, r transformer.Record) (transformer.Result, error) {
		return transformer.Result{Data: r.Payload, PartitionKeys: map[string]string{"type": string(r.Payload)}}, nil
	}), request(t, numbered(1, "quake")))
	require.NotNil(t, got[0].Metadata)
	assert.Equal(t, map[string]string{"type": "quake"}, got[0].Metadata.PartitionKeys)
}

func TestPanicOrErrorFailsItsRecordAlone(t *testing.T) {
	var log bytes.Buffer
	h := &transformer.Handler{
		Transform: func(_ context.Context, r transformer.Record) (transformer.Result, error) {
			switch string(r.Payload) {
			case "index":
				_ = r.Payload[len(r.Payload)]
			case "secret":
				panic(string(r.Payload))
			case "error":
				return transformer.Result{Data: []byte("half done")}, errors.New("no such thing")
			}
			return transformer.Result{Data: r.Payload}, nil
		},
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
		Metrics: io.Discard,
	}
	got := invoke(t, h, request(t, numbered(1, "a"), numbered(2, "index"), numbered(3, "secret"), numbered(4, "error"), numbered(5, "error"), numbered(6, "b")))
	var results []string
	for _, r := range got {
		results = append(results, r.RecordID+" "+r.Result+" "+r.text(t))
	}
	assert.Equal(t, []string{"1 Ok a", "2 ProcessingFailed ", "3 ProcessingFailed ", "4 ProcessingFailed ", "5 ProcessingFailed ", "6 Ok b"}, results)

	assert.Contains(t, log.String(), "index out of range")
	assert.Contains(t, log.String(), "panic with a string")
	assert.Contains(t, log.String(), `error="no such thing" records=2 first_record=4`)
	assert.NotContains(t, log.String(), "secret")
	assert.Equal(t, 3, strings.Count(log.String(), "\n"), "one line a reason")
}

func TestGoodBatchLogsNothing(t *testing.T) {
	var log bytes.Buffer
	h := &transformer.Handler{Transform: transformer.ToLine, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: io.Discard}
	invoke(t, h, request(t, numbered(1, `{"a":1}`), numbered(2, "")))
	assert.Empty(t, log.String())
}

func TestBadRecordsOfOneBatchAreOneLineOfLogWithoutTheirData(t *testing.T) {
	var log bytes.Buffer
	h := &transformer.Handler{Transform: transformer.ToLine, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: io.Discard}
	invoke(t, h, request(t, numbered(1, `{"secret`), numbered(2, `{"secret":`), numbered(3, `secret`)))
	assert.Equal(t, 1, strings.Count(log.String(), "\n"))
	assert.Contains(t, log.String(), "records=3 first_record=1")
	assert.NotContains(t, log.String(), "secret")
}

func TestRecordsThatHaveNoRoomInTheResponseFail(t *testing.T) {
	const size = 1_000_000 // each grows by a third in base64: four are 5.3 MB
	big := strings.Repeat("x", size)
	got := invoke(t, quiet(func(_ context.Context, r transformer.Record) (transformer.Result, error) {
		if string(r.Payload) == "big" {
			return transformer.Result{Data: []byte(big)}, nil
		}
		return transformer.Result{Data: r.Payload}, nil
	}), request(t, numbered(1, "big"), numbered(2, "big"), numbered(3, "big"), numbered(4, "big"), numbered(5, "big"), numbered(6, "small"), numbered(7, "big")))
	var results []string
	for _, r := range got {
		results = append(results, r.RecordID+r.Result)
	}
	assert.Equal(t, []string{"1Ok", "2Ok", "3Ok", "4Ok", "5ProcessingFailed", "6Ok", "7ProcessingFailed"}, results)
}

func TestResponseIsFilledToTheLimitAndNotPastIt(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		records := make([]events.KinesisFirehoseEventRecord, 1+random.IntN(40))
		for i := range records {
			records[i] = numbered(i, "")
			records[i].RecordID += strings.Repeat(`é"<`, random.IntN(20)) // as no id of Firehose's: it escapes in JSON
		}
		result := transformer.Result{
			Data:          bytes.Repeat([]byte("x"), transformer.MaxResponseBytes/len(records)),
			PartitionKeys: map[string]string{"k": strings.Repeat("<", random.IntN(99))},
		}
		output, err := quiet(func(context.Context, transformer.Record) (transformer.Result, error) {
			return result, nil
		}).Invoke(t.Context(), request(t, records...))
		require.NoError(t, err)
		one, err := json.Marshal(result)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(output), transformer.MaxResponseBytes)
		assert.Greater(t, len(output), transformer.MaxResponseBytes-2*len(one), "room was left for one more")
	}
}

func TestEveryRecordIsAnsweredOnceInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	kinds := []string{`{"a":1}`, "", "x", `{"event_id":"e"}`, "[]"}
	for range 50 {
		var records []events.KinesisFirehoseEventRecord
		for i := range random.IntN(100) {
			records = append(records, numbered(i, kinds[random.IntN(len(kinds))]))
		}
		got := invoke(t, quiet(transformer.ToLine), request(t, records...))
		require.Len(t, got, len(records))
		for i, r := range got {
			assert.Equal(t, records[i].RecordID, r.RecordID)
		}
	}
}
