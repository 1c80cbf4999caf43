package firehose

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type fakeLambda struct {
	answer   func(events.KinesisFirehoseEvent) (any, error) // any: a response, or raw bytes
	payloads [][]byte
	failing  string // FunctionError of every answer
}

func (f *fakeLambda) Invoke(_ context.Context, input *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	f.payloads = append(f.payloads, input.Payload)
	var event events.KinesisFirehoseEvent
	if err := json.Unmarshal(input.Payload, &event); err != nil {
		return nil, err
	}
	answer, err := f.answer(event)
	if err != nil {
		return nil, err
	}
	payload, raw := answer.([]byte)
	if !raw {
		payload, err = json.Marshal(answer)
	}
	output := &lambda.InvokeOutput{Payload: payload, StatusCode: 200}
	if f.failing != "" {
		output.FunctionError = &f.failing
	}
	return output, err
}

type object struct{ key, encoding, body string }

type fakeS3 struct {
	mu      sync.Mutex
	refuse  func() error
	objects []object
}

func (f *fakeS3) PutObject(_ context.Context, input *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		if err := f.refuse(); err != nil {
			return nil, err
		}
	}
	body, err := io.ReadAll(input.Body)
	f.objects = append(f.objects, object{*input.Key, aws.ToString(input.ContentEncoding), string(body)})
	return &s3.PutObjectOutput{}, err
}

// upper answers every record with Ok and its data in capitals.
func upper(event events.KinesisFirehoseEvent) (any, error) {
	var response events.KinesisFirehoseResponse
	for _, r := range event.Records {
		response.Records = append(response.Records, events.KinesisFirehoseResponseRecord{
			RecordID: r.RecordID, Result: "Ok", Data: bytes.ToUpper(r.Data),
		})
	}
	return response, nil
}

func testStream(t *testing.T, processor *fakeLambda, edit func(*settings)) (*stream, *fakeS3) {
	t.Helper()
	lake, err := newPrefix("lake/", time.UTC, false)
	require.NoError(t, err)
	failures, err := newErrorPrefix("errors/", "", time.UTC)
	require.NoError(t, err)
	s := settings{
		name: "lake", version: "1", arn: "arn:aws:firehose:eu-west-1:000000000000:deliverystream/lake",
		source: source{stream: "arn:aws:kinesis:eu-west-1:000000000000:stream/events"},
		target: target{bucket: "lake", prefix: lake, errorPrefix: failures, size: megabyte, interval: time.Hour},
	}
	if processor != nil {
		s.processor = &processorSettings{arn: "arn:f", retries: 3, size: megabyte, interval: time.Hour}
	}
	if edit != nil {
		edit(&s)
	}
	store := &fakeS3{}
	return newStream(s, services{lambda: processor, s3: store, region: "eu-west-1"}, "", slog.New(slog.DiscardHandler)), store
}

func testRecord(n int, data string) record {
	return record{
		id: fmt.Sprintf("%03d000000", n), shard: "shardId-000000000001", partition: "p", sequence: fmt.Sprintf("%03d", n),
		arrived: august.Add(time.Duration(n) * time.Millisecond), data: []byte(data),
	}
}

// run accepts the records and then ends every buffer's interval.
func run(t *testing.T, d *stream, records ...record) {
	t.Helper()
	for _, r := range records {
		d.accept(t.Context(), r)
	}
	flush(t.Context(), d)
}

// flush ends every buffer's interval, those that are filled by it too.
func flush(ctx context.Context, d *stream) {
	for range 3 { // incoming, outgoing, failed
		for _, b := range d.buffers() {
			if len(b.records) > 0 {
				b.flush(ctx, b)
			}
		}
	}
}

func failures(t *testing.T, body string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(body) {
		var values map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &values))
		lines = append(lines, values)
	}
	return lines
}

func TestRecordsAreConcatenatedIntoOneObjectUnderThePrefix(t *testing.T) {
	d, store := testStream(t, nil, nil)
	run(t, d, testRecord(2, "two"), testRecord(1, "one"))
	require.Len(t, store.objects, 1)
	assert.Equal(t, "twoone", store.objects[0].body)
	assert.Empty(t, store.objects[0].encoding)
	assert.Regexp(t, `^lake/2018/08/07/09/lake-1-2018-08-07-09-05-03-[0-9a-f-]{36}$`, store.objects[0].key)
}

func TestDelimiterStandsBetweenRecordsAndNotAfterTheLast(t *testing.T) {
	d, store := testStream(t, nil, func(s *settings) { s.delimiter = "\n" })
	run(t, d, testRecord(1, "one"), testRecord(2, "two"))
	require.Len(t, store.objects, 1)
	assert.Equal(t, "one\ntwo", store.objects[0].body)
}

func TestGzipObjectHasItsExtensionAndEncoding(t *testing.T) {
	d, store := testStream(t, nil, func(s *settings) {
		s.compression, s.extension = compressions[types.CompressionFormatGzip], ".gz"
	})
	run(t, d, testRecord(1, "one\n"))
	require.Len(t, store.objects, 1)
	assert.True(t, strings.HasSuffix(store.objects[0].key, ".gz"))
	assert.Equal(t, "gzip", store.objects[0].encoding)
	reader, err := gzip.NewReader(strings.NewReader(store.objects[0].body))
	require.NoError(t, err)
	body, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Equal(t, "one\n", string(body))
}

func TestDeliveryWhenTheBufferSizeIsReachedFirst(t *testing.T) {
	d, store := testStream(t, nil, func(s *settings) { s.size = 10 })
	for n := range 5 {
		d.accept(t.Context(), testRecord(n, "12345"))
	}
	d.flushDue(t.Context())
	var sizes []int
	for _, o := range store.objects {
		sizes = append(sizes, len(o.body))
	}
	assert.Equal(t, []int{10, 10}, sizes)
	assert.Len(t, d.outgoing[""].records, 1, "the rest waits for its interval")
}

func TestDeliveryWhenTheBufferIntervalIsReachedFirst(t *testing.T) {
	d, store := testStream(t, nil, func(s *settings) { s.interval = 20 * time.Millisecond })
	assert.Nil(t, d.due(), "nothing buffered: nothing to wait for")
	d.accept(t.Context(), testRecord(1, "one"))
	d.flushDue(t.Context())
	assert.Empty(t, store.objects)
	<-d.due()
	d.flushDue(t.Context())
	assert.Len(t, store.objects, 1)
}

func TestObjectThatS3RefusesIsPutAgainToTheDestinationThenInForce(t *testing.T) {
	d, store := testStream(t, nil, nil)
	calls := 0
	store.refuse = func() error {
		if calls++; calls == 1 {
			mended := *d.settings.Load()
			mended.version = "2"
			d.Update(mended)
			return errors.New("NoSuchBucket")
		}
		return nil
	}
	run(t, d, testRecord(1, "one"))
	require.Len(t, store.objects, 1)
	assert.Equal(t, "one", store.objects[0].body)
	assert.Contains(t, store.objects[0].key, "lake-2-")
}

func TestStoppingLeavesWhatIsNotDeliveredInTheBuffers(t *testing.T) {
	processor := &fakeLambda{answer: upper}
	d, store := testStream(t, processor, nil)
	store.refuse = func() error { return errors.New("no") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.accept(ctx, testRecord(1, "one"))
	d.deliver(ctx, testRecord(2, "two"))
	flush(ctx, d)
	assert.Len(t, d.incoming.records, 1)
	assert.Len(t, d.outgoing[""].records, 1)
	assert.Empty(t, store.objects)
}
