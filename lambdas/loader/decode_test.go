package loader

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plain returns records with their data decoded, to compare.
func plain(t testing.TB, records []record) []record {
	t.Helper()
	decoded := make([]record, len(records))
	for i, r := range records {
		data, err := r.appendData(nil)
		require.NoError(t, err)
		r.data, r.encoded = data, false
		decoded[i] = r
	}
	return decoded
}

func TestScannerReadsWhatLambdaSends(t *testing.T) {
	text, err := os.ReadFile("testdata/kinesis.json")
	require.NoError(t, err)
	var batch events.KinesisEvent
	require.NoError(t, json.Unmarshal(text, &batch))
	for name, payload := range map[string]string{
		"as it stands in the file": string(text),
		"without whitespace":       strings.Join(strings.Fields(string(text)), ""),
	} {
		s := scanner{text: []byte(payload)}
		records, ok := s.event()
		require.True(t, ok, name)
		assert.Equal(t, plain(t, fromEvent(batch)), plain(t, records), name)
	}
}

func TestEscapesAndOtherShapesAreLeftToTheStandardLibrary(t *testing.T) {
	for _, payload := range []string{
		`{"Records":[{"kinesis":{"data":"e30\u003d","sequenceNumber":"7","approximateArrivalTimestamp":1.5},"eventID":"s:7","eventSourceARN":"arn:aws:kinesis:r:a:stream/x"}]}`,
		`{"Records":[{"kinesis":{"DATA":"e30=","sequenceNumber":"7","approximateArrivalTimestamp":1.5},"eventID":"s:7","eventSourceARN":"arn:aws:kinesis:r:a:stream/x"}]}`,
		`{"more":{"a":[1,null]},"Records":[{"kinesis":{"data":"e30=","sequenceNumber":"7","approximateArrivalTimestamp":1.5},"eventID":"s:7","eventSourceARN":"arn:aws:kinesis:r:a:stream/x","x":{}}]}`,
	} {
		s := scanner{text: []byte(payload)}
		_, ok := s.event()
		assert.False(t, ok)
		records, err := decode([]byte(payload))
		require.NoError(t, err)
		require.Len(t, records, 1)
		assert.Equal(t, "{}", string(plain(t, records)[0].data))
		assert.Equal(t, []string{"x", "s", "7"}, []string{records[0].stream, records[0].shard, records[0].sequence})
	}
	for _, payload := range []string{``, `{`, `[]x`, `{"Records":7}`, `{"Records":[]} x`} {
		_, err := decode([]byte(payload))
		assert.ErrorContains(t, err, "decoding the Kinesis event", payload)
	}
}

// FuzzDecode holds the scanner to the standard library: what it takes, it reads as that does.
func FuzzDecode(f *testing.F) {
	text, err := os.ReadFile("testdata/kinesis.json")
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"Records":[]}`))
	f.Add([]byte(`{"Records":[{"kinesis":{"data":"e30=","sequenceNumber":"7","approximateArrivalTimestamp":1.545084650987E9},"eventID":"s:7","eventSourceARN":"a/x/y"}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := scanner{text: payload}
		records, ok := s.event()
		if !ok || !json.Valid(payload) {
			return
		}
		var batch events.KinesisEvent
		if json.Unmarshal(payload, &batch) != nil {
			return // base64 that is none: the scanner leaves it for later
		}
		want := fromEvent(batch)
		require.Len(t, records, len(want))
		for i := range want {
			assert.Equal(t, want[i].stream+"|"+want[i].shard+"|"+want[i].sequence, records[i].stream+"|"+records[i].shard+"|"+records[i].sequence)
			assert.True(t, want[i].arrivedAt.Equal(records[i].arrivedAt))
			data, err := records[i].appendData(nil)
			assert.NoError(t, err)
			assert.Equal(t, string(want[i].data), string(data))
		}
	})
}
