package transformer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	fastbase64 "github.com/segmentio/asm/base64"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
)

// FuzzHandler sends two records through the function and back: every id once and
// in order, the verdict that encoding/json has, and the client's bytes in the line.
func FuzzHandler(f *testing.F) {
	f.Add("1", []byte(`{"a":1}`), "2", []byte("x"))
	f.Add("", []byte(`{"_millrace":{"id":"x","arrived_at":"2026-01-02T03:04:05.678Z"}}`), `"`, []byte(" "))
	f.Add("é", []byte(`{"event_id":"\ud800","n":[1.10,{"event_id":null}]}`), "<", []byte("\xff"))
	f.Fuzz(func(t *testing.T, id1 string, data1 []byte, id2 string, data2 []byte) {
		sent := []events.KinesisFirehoseEventRecord{numbered(0, string(data1)), numbered(0, string(data2))}
		sent[0].RecordID, sent[1].RecordID = strings.ToValidUTF8(id1, "?"), strings.ToValidUTF8(id2, "?")
		got := invoke(t, quiet(transformer.ToLine), request(t, sent...))
		require.Len(t, got, 2)
		for i, r := range got {
			require.Equal(t, sent[i].RecordID, r.RecordID)
			requireAnswer(t, sent[i].Data, r)
		}
	})
}

// requireAnswer holds what has become of data against encoding/json.
func requireAnswer(t *testing.T, data []byte, got answered) {
	line := got.text(t)
	trimmed := bytes.Trim(data, " \t\r\n")
	switch {
	case len(trimmed) == 0:
		require.Equal(t, "Dropped", got.Result)
		require.Empty(t, line)
	case !json.Valid(data) || !utf8.Valid(data) || trimmed[0] != '{':
		require.Equal(t, "ProcessingFailed", got.Result)
		require.Empty(t, line)
	default:
		require.Equal(t, "Ok", got.Result)
		require.True(t, json.Valid([]byte(line)))
		require.Equal(t, len(line)-1, strings.IndexByte(line, '\n'))
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, data))
		require.True(t, strings.HasPrefix(line, strings.TrimSuffix(compact.String(), "}")))
	}
}

// FuzzRequest gives the function any bytes as a request: it never panics, and
// what aws-lambda-go can read of Firehose's event is read the same.
func FuzzRequest(f *testing.F) {
	for _, file := range []string{"kinesis-source.json", "direct-put.json", "samples.json"} {
		f.Add(readFile(f, file))
	}
	f.Add([]byte(`{"records":[{"recordId":"\u0061","data":"\u0065\/","x":[{"y":"]"}]},{"recordId":"","data":null}],"z":1e9}`))
	f.Add([]byte(`{"records":[{"recordId":"1","data":"a\"b"}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if output, err := quiet(transformer.ToLine).Invoke(t.Context(), payload); err == nil {
			require.True(t, json.Valid(output), "%s", output)
		}
		var want events.KinesisFirehoseEvent
		if json.Unmarshal(payload, &want) != nil {
			return
		}
		written, err := json.Marshal(want) // exact names, each once
		if err != nil {
			return // a time that JSON has no year for
		}
		want = events.KinesisFirehoseEvent{} // its times do not all survive being written
		require.NoError(t, json.Unmarshal(written, &want))
		var seen []transformer.Record
		got := invoke(t, quiet(func(_ context.Context, r transformer.Record) (transformer.Result, error) {
			r.Payload = bytes.Clone(r.Payload)
			seen = append(seen, r)
			return transformer.Result{}, nil
		}), written)
		require.Len(t, got, len(want.Records))
		for i, r := range want.Records {
			require.Equal(t, r.RecordID, got[i].RecordID)
			source := r.KinesisFirehoseRecordMetadata
			arrived := source.ApproximateArrivalTimestamp.UnixMilli()
			if arrived <= 0 {
				arrived = r.ApproximateArrivalTimestamp.UnixMilli()
			}
			if arrived <= 0 || source.SubsequenceNumber < 0 {
				require.Equal(t, "ProcessingFailed", got[i].Result)
				continue
			}
			require.Equal(t, "Dropped", got[i].Result)
			read := seen[0]
			seen = seen[1:]
			require.Equal(t, string(r.Data), string(read.Payload))
			require.Equal(t, arrived, read.ArrivedAt.UnixMilli())
			require.Equal(t, source.PartitionKey, read.PartitionKey)
			if source.SequenceNumber == "" {
				require.Equal(t, r.RecordID, read.Origin.Sequence)
				continue
			}
			require.Equal(t, source.SequenceNumber, read.Origin.Sequence)
			require.Equal(t, source.ShardID, read.Origin.Shard)
			require.Equal(t, source.SubsequenceNumber, read.Origin.SubSequence)
		}
	})
}

// FuzzBase64 holds the assembly of segmentio/asm to the standard library: the
// same verdict, the same bytes, and not a byte written past them.
func FuzzBase64(f *testing.F) {
	f.Add([]byte("")) // every length of block and rest
	for n := range 200 {
		f.Add(bytes.Repeat([]byte{byte(n * 7)}, n))
	}
	f.Add([]byte("YQ==\n"))
	f.Add([]byte("YR=="))
	f.Fuzz(func(t *testing.T, data []byte) {
		const guard = 64
		encoded := bytes.Repeat([]byte{'#'}, base64.StdEncoding.EncodedLen(len(data))+guard)
		fastbase64.StdEncoding.Encode(encoded[:len(encoded)-guard], data)
		require.Equal(t, base64.StdEncoding.EncodeToString(data)+strings.Repeat("#", guard), string(encoded))

		want := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
		n, wantErr := base64.StdEncoding.Decode(want, data)
		got := bytes.Repeat([]byte{'#'}, len(want)+guard)
		m, err := fastbase64.StdEncoding.Decode(got[:len(want)], data)
		require.Equal(t, wantErr == nil, err == nil, "%v, %v", wantErr, err)
		if err == nil {
			require.Equal(t, string(want[:n]), string(got[:m]))
		}
		require.Equal(t, strings.Repeat("#", guard), string(got[len(want):]))
	})
}
