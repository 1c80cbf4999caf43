package kpl_test

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/kpl"
	"github.com/millrace-cdk/millrace/lambdas/kpl/kpltest"
)

// bytesOf reads hexadecimal digits with spaces between them.
func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err)
	return data
}

// vector is a message written by hand from the format's document: two partition
// keys, one explicit hash key, three records, the last with a tag.
const vector = `
	0a 01 61              partition_key_table: "a"
	0a 02 62 63           partition_key_table: "bc"
	12 02 34 32           explicit_hash_key_table: "42"
	1a 05 08 00 1a 01 78  records: partition_key_index 0, data "x"
	1a 06 08 01 10 00 1a 00  records: partition_key_index 1, explicit_hash_key_index 0, data ""
	1a 0c 08 01 1a 03 7b 7d 0a 22 03 0a 01 6b  records: partition_key_index 1, data "{}\n", tags {key "k"}
`

// message leaves the words of vector out.
func message(t testing.TB) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(vector) {
		hexadecimal, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		digits.WriteString(hexadecimal + " ")
	}
	return bytesOf(t, digits.String())
}

func TestAggregatedRecordIsTakenApart(t *testing.T) {
	records, aggregated := kpl.Split(kpltest.Frame(message(t)))
	require.True(t, aggregated)
	assert.Equal(t, []kpl.Record{
		{PartitionKey: "a", Data: []byte("x")},
		{PartitionKey: "bc", ExplicitHashKey: "42", Data: []byte{}},
		{PartitionKey: "bc", Data: []byte("{}\n")},
	}, records)
}

func TestChecksumIsThatOfTheMessage(t *testing.T) {
	// The whole record, written out: a check on kpltest.
	data := bytesOf(t, "f3899ac2 0a0161 1a0508001a0178")
	sum := md5.Sum(data[4:])
	records, aggregated := kpl.Split(append(data, sum[:]...))
	assert.True(t, aggregated)
	assert.Equal(t, []kpl.Record{{PartitionKey: "a", Data: []byte("x")}}, records)
}

// TestWhatAmazonsOwnAggregatorPacks is held to bytes that aws-kinesis-agg 1.2.3,
// Amazon's library for Python, made of these three records.
func TestWhatAmazonsOwnAggregatorPacks(t *testing.T) {
	records, aggregated := kpl.Split(bytesOf(t, `
		f3899ac20a086465766963652d310a086465766963652d3212273137303134313138333436303436393233313733313638373330333731353838343130353732
		381a1408001a107b226576656e745f6964223a2261227d1a17080110001a117b226576656e745f6964223a22c3a9227d1a0608001a027b7d
		39338268a33747df22650b07bb6f36b6`))
	require.True(t, aggregated)
	assert.Equal(t, []kpl.Record{
		{PartitionKey: "device-1", Data: []byte(`{"event_id":"a"}`)},
		{PartitionKey: "device-2", ExplicitHashKey: "170141183460469231731687303715884105728", Data: []byte(`{"event_id":"é"}`)},
		{PartitionKey: "device-1", Data: []byte("{}")},
	}, records)
}

func TestWhatIsNoAggregateIsARecordAsItIs(t *testing.T) {
	good := kpltest.Frame(message(t))
	flipped := append([]byte{}, good...)
	flipped[9] ^= 1
	for name, data := range map[string][]byte{
		"nothing":                         nil,
		"JSON":                            []byte(`{"event_id":"a"}`),
		"the magic number alone":          []byte("\xF3\x89\x9A\xC2"),
		"no message":                      kpltest.Frame(nil),
		"a flipped bit":                   flipped,
		"a cut end":                       good[:len(good)-1],
		"a longer end":                    append(append([]byte{}, good...), 0),
		"a message that is none":          kpltest.Frame([]byte{0xff}),
		"a record that is none":           kpltest.Frame(bytesOf(t, "0a0161 1a01ff")),
		"a record without a key":          kpltest.Frame(bytesOf(t, "0a0161 1a031a0178")),
		"a record without data":           kpltest.Frame(bytesOf(t, "0a0161 1a020800")),
		"a key that is not in the table":  kpltest.Frame(bytesOf(t, "0a0161 1a0508011a0178")),
		"a hash that is not in the table": kpltest.Frame(bytesOf(t, "0a0161 1a070800 1000 1a0178")),
		"a key that is not text":          kpltest.Frame(bytesOf(t, "0a01ff 1a0508001a0178")),
		"data that is a number":           kpltest.Frame(bytesOf(t, "0a0161 1a0408001801")),
		"a second record that is none":    kpltest.Frame(bytesOf(t, "0a0161 1a0508001a0178 1a01ff")),
		"a length that wraps around":      kpltest.Frame(append(bytesOf(t, "0a"), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)),
	} {
		t.Run(name, func(t *testing.T) {
			records, aggregated := kpl.Split(data)
			assert.False(t, aggregated)
			assert.Empty(t, records)
		})
	}
}

func TestFieldsOfALaterFormatArePassedOver(t *testing.T) {
	records, aggregated := kpl.Split(kpltest.Frame(bytesOf(t, "0a0161 2801 1a0a08001a01783500000000")))
	assert.True(t, aggregated)
	assert.Equal(t, []kpl.Record{{PartitionKey: "a", Data: []byte("x")}}, records)
}

// FuzzSplit holds Split to what it promises of any data: what it takes apart was
// framed as the format has it, and packed anew says the same.
func FuzzSplit(f *testing.F) {
	f.Add(message(f))
	f.Add(bytesOf(f, "0a01611a0508001a0178"))
	f.Add(bytesOf(f, "0a01611a0508011a0178"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, message []byte) {
		if _, aggregated := kpl.Split(message); aggregated {
			sum := md5.Sum(message[4 : len(message)-md5.Size])
			assert.Equal(t, sum[:], message[len(message)-md5.Size:])
		}
		records, aggregated := kpl.Split(kpltest.Frame(message))
		if !aggregated {
			assert.Empty(t, records)
			return
		}
		again, aggregated := kpl.Split(kpltest.Frame(kpltest.Message(records)))
		assert.Equal(t, len(records) > 0, aggregated)
		require.Len(t, again, len(records))
		for i := range again {
			assert.Equal(t, records[i].PartitionKey, again[i].PartitionKey)
			assert.Equal(t, records[i].ExplicitHashKey, again[i].ExplicitHashKey)
			assert.Equal(t, string(records[i].Data), string(again[i].Data))
		}
	})
}
