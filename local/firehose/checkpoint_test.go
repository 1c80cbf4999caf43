package firehose

import (
	"context"
	"crypto/md5" //nolint:gosec // the format's checksum, no protection
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

var objectNameForm = regexp.MustCompile(`lake-\d+-[\d-]+-[0-9a-f-]{36}.*`)

func kinesisRecord(sequence string, data []byte) types.Record {
	key := "p"
	return types.Record{SequenceNumber: &sequence, Data: data, PartitionKey: &key, ApproximateArrivalTimestamp: &august}
}

// aggregate packs records as the KPL does.
func aggregate(t *testing.T, texts ...string) []byte {
	t.Helper()
	var message []byte
	for _, text := range texts {
		message = protowire.AppendTag(message, 1, protowire.BytesType)
		message = protowire.AppendString(message, text+"'s key")
	}
	for i, text := range texts {
		var one []byte
		one = protowire.AppendVarint(protowire.AppendTag(one, 1, protowire.VarintType), uint64(i))
		one = protowire.AppendString(protowire.AppendTag(one, 3, protowire.BytesType), text)
		message = protowire.AppendBytes(protowire.AppendTag(message, 3, protowire.BytesType), one)
	}
	sum := md5.Sum(message) //nolint:gosec // see above
	return append(append([]byte("\xF3\x89\x9A\xC2"), message...), sum[:]...)
}

// remembering is a stream without a processor whose partitions are {"t": …}, with a checkpoint.
func remembering(t *testing.T, folder string) (*stream, *fakeS3) {
	t.Helper()
	d, store := testStream(t, nil, partitioned(t, "!{partitionKeyFromQuery:t}/", jq("{t: .t}")))
	again := newStream(*d.settings.Load(), d.services, folder, slog.New(slog.DiscardHandler))
	return again, store
}

func TestCheckpointStandsAtTheLastRecordBeforeWhichAllAreAtRest(t *testing.T) {
	folder := t.TempDir()
	d, _ := remembering(t, folder)
	take := func(sequence, data string) {
		d.take(t.Context(), batch{shard: "s", key: "s@1"}, kinesisRecord(sequence, []byte(data)))
	}
	deliver := func(partition string) {
		d.flushDue(t.Context()) // from incoming to the partitions
		d.putOutgoing(t.Context(), d.outgoing[partition])
		require.NoError(t, d.checkpoint.save())
	}
	remembered := func() string {
		again, _ := remembering(t, folder)
		return again.after()("s@1")
	}
	take("1", `{"t":"a"}`)
	take("2", `{"t":"b"}`)
	take("3", `{"t":"a"}`)
	deliver("a")
	assert.Equal(t, "1", remembered(), "2 is still in a buffer")
	take("4", string(aggregate(t, `{"t":"a"}`, `{"t":"b"}`)))
	deliver("b")
	assert.Equal(t, "3", remembered(), "one part of 4 is still in a buffer")
	deliver("a")
	assert.Equal(t, "4", remembered())
}

func TestRecordsWithoutARestingPlaceOfTheirOwnHoldNothingUp(t *testing.T) {
	folder := t.TempDir()
	d, _ := remembering(t, folder)
	d.take(t.Context(), batch{key: "s@1"}, kinesisRecord("1", []byte("cannot be partitioned")))
	flush(t.Context(), d)
	require.NoError(t, d.checkpoint.save())
	assert.Equal(t, "1", d.after()("s@1"))
}

func TestObjectThatS3RefusesHoldsTheCheckpointBack(t *testing.T) {
	folder := t.TempDir()
	d, store := remembering(t, folder)
	ctx, cancel := context.WithCancel(t.Context())
	store.refuse = func() error { cancel(); return errors.New("503 Slow Down") }
	d.take(ctx, batch{key: "s@1"}, kinesisRecord("1", []byte(`{"t":"a"}`)))
	flush(ctx, d)
	require.NoError(t, d.checkpoint.save())
	again, _ := remembering(t, folder)
	assert.Empty(t, again.after()("s@1"))
}

func TestUnreadableCheckpointIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lake.checkpoint.json")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err := loadCheckpoint(file)
	assert.ErrorContains(t, err, "reading the checkpoint "+file)
}

func TestCheckpointsOfDeliveryStreamsThatAreNoMoreAreRemoved(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "firehose")
	s := settings{name: "lake", created: august}
	require.NoError(t, prepareState(folder, nil))
	kept, other := checkpointFile(folder, s), filepath.Join(folder, "lake-1.checkpoint.json")
	for _, file := range []string{kept, other} {
		require.NoError(t, os.WriteFile(file, []byte("{}"), 0o600))
	}
	require.NoError(t, prepareState(folder, map[string]settings{s.key(): s}))
	assert.FileExists(t, kept)
	assert.NoFileExists(t, other)
}
