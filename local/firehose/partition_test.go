package firehose

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func processor(kind types.ProcessorType, parameters map[types.ProcessorParameterName]string) types.Processor {
	p := types.Processor{Type: kind}
	for name, value := range parameters {
		p.Parameters = append(p.Parameters, types.ProcessorParameter{ParameterName: name, ParameterValue: &value})
	}
	return p
}

func jq(query string) types.Processor {
	return processor(types.ProcessorTypeMetadataExtraction, map[types.ProcessorParameterName]string{
		types.ProcessorParameterNameMetadataExtractionQuery: query, types.ProcessorParameterNameJsonParsingEngine: "JQ-1.6",
	})
}

// partitioned edits a stream's settings to those of dynamic partitioning.
func partitioned(t *testing.T, text string, processors ...types.Processor) func(*settings) {
	return func(s *settings) {
		s.partitioning = &partitioning{limit: activePartitions}
		for _, p := range processors {
			require.NoError(t, s.partitioning.read(p))
		}
		var err error
		s.prefix, err = newPrefix(text, time.UTC, true)
		require.NoError(t, err)
	}
}

// bodies are the objects' bodies by their prefixes.
func bodies(store *fakeS3) map[string]string {
	found := map[string]string{}
	for _, o := range store.objects {
		found[objectNameForm.ReplaceAllString(o.key, "")] += o.body
	}
	return found
}

func TestPartitionKeysOfTheProcessorLeadEachPartitionToAPrefixOfItsOwn(t *testing.T) {
	processor := &fakeLambda{answer: func(event events.KinesisFirehoseEvent) (any, error) {
		var response events.KinesisFirehoseResponse
		for _, r := range event.Records {
			response.Records = append(response.Records, events.KinesisFirehoseResponseRecord{
				RecordID: r.RecordID, Result: "Ok", Data: r.Data,
				Metadata: events.KinesisFirehoseResponseRecordMetadata{PartitionKeys: map[string]string{"type": string(r.Data[:1]), "empty": ""}},
			})
		}
		return response, nil
	}}
	d, store := testStream(t, processor, partitioned(t, "type=!{partitionKeyFromLambda:type}/!{timestamp:yyyy}/"))
	run(t, d, testRecord(1, "a1"), testRecord(2, "b1"), testRecord(3, "a2"))
	assert.Equal(t, map[string]string{"type=a/2018/": "a1a2", "type=b/2018/": "b1"}, bodies(store))
	assert.Empty(t, d.outgoing, "a delivered partition is active no more")
}

func TestPartitionKeysByJQLeadToThePrefixOfTheDeveloperGuide(t *testing.T) {
	d, store := testStream(t, nil, partitioned(t,
		"customer_id=!{partitionKeyFromQuery:customer_id}/device=!{partitionKeyFromQuery:device}/year=!{partitionKeyFromQuery:year}/",
		jq(`{customer_id: .customer_id, device: .type.device, year: .event_timestamp|strftime("%Y")}`)))
	run(t, d, testRecord(1, `{"type":{"device":"mobile"},"customer_id":12345678901234567890,"event_timestamp":1565382027}`))
	require.Len(t, store.objects, 1)
	assert.Regexp(t, `^customer_id=12345678901234567890/device=mobile/year=2019/lake-1-`, store.objects[0].key)
}

func TestRecordsThatCannotBePartitionedGoToTheErrorPrefixWithTheirReason(t *testing.T) {
	d, store := testStream(t, nil, partitioned(t, "!{partitionKeyFromQuery:type}/", jq("{type: .type}")))
	run(t, d, testRecord(1, `{"type":"a"}`), testRecord(2, "no JSON"), testRecord(3, `{}`), testRecord(4, `{"type":""}`), testRecord(5, `[]`))
	found := bodies(store)
	assert.Equal(t, `{"type":"a"}`, found["a/"])
	lines := failures(t, found["errors/processing-failed/2018/08/07/09/"])
	require.Len(t, lines, 4)
	for _, line := range lines {
		assert.Equal(t, "DynamicPartitioning.MetadataExtractionFailed", line["errorCode"])
		assert.EqualValues(t, 1, line["attemptsMade"])
		assert.NotContains(t, line, "lambdaArn")
	}
	assert.Equal(t, "bm8gSlNPTg==", lines[0]["rawData"])
	assert.Equal(t, "partition key partitionKeyFromQuery:type is missing, null or empty", lines[1]["errorMessage"])
}

func TestEachPartitionIsDeliveredWhenItsOwnBufferSizeIsReached(t *testing.T) {
	d, store := testStream(t, nil, func(s *settings) {
		partitioned(t, "!{partitionKeyFromQuery:type}/", jq("{type: .type}"))(s)
		s.size = 20
	})
	for n, line := range []string{`{"type":"a"}`, `{"type":"b"}`, `{"type":"a"}`} {
		d.accept(t.Context(), testRecord(n, line))
	}
	d.flushDue(t.Context())
	assert.Equal(t, map[string]string{"a/": `{"type":"a"}{"type":"a"}`}, bodies(store))
	assert.Len(t, d.outgoing, 1)
}

func TestRecordsBeyondTheActivePartitionsGoToTheErrorPrefix(t *testing.T) {
	d, store := testStream(t, nil, partitioned(t, "!{partitionKeyFromQuery:n}/", jq("{n: .n}")))
	var records []record
	for n := range activePartitions + 2 {
		records = append(records, testRecord(n, fmt.Sprintf(`{"n":%d}`, n)))
	}
	run(t, d, append(records, testRecord(0, `{"n":0}`))...)
	lines := failures(t, bodies(store)["errors/processing-failed/2018/08/07/09/"])
	require.Len(t, lines, 2)
	assert.Equal(t, "DynamicPartitioning.ActivePartitionLimitExceeded", lines[0]["errorCode"])
	assert.Equal(t, `{"n":0}{"n":0}`, bodies(store)["0/"], "an active partition takes more")

	run(t, d, testRecord(1, `{"n":501}`))
	assert.Equal(t, `{"n":501}`, bodies(store)["501/"], "delivered partitions make room")
}

func TestSubRecordsArePartitionedOneByOne(t *testing.T) {
	for name, test := range map[string]struct {
		data       string
		processor  map[types.ProcessorParameterName]string
		one, other string
	}{
		"JSON": {
			`{"t":"a"}` + "\n" + `{"t":"b"}[{"t":"a"}]`,
			map[types.ProcessorParameterName]string{types.ProcessorParameterNameSubRecordType: "JSON"},
			`{"t":"a"}{"t":"a"}`, `{"t":"b"}`,
		},
		"DELIMITED": {`{"t":"a"}###{"t":"b"}###`, map[types.ProcessorParameterName]string{
			types.ProcessorParameterNameSubRecordType: "DELIMITED", types.ProcessorParameterNameDelimiter: "IyMj",
		}, `{"t":"a"}`, `{"t":"b"}`},
	} {
		t.Run(name, func(t *testing.T) {
			d, store := testStream(t, nil, partitioned(t, "!{partitionKeyFromQuery:t}/", jq("{t: .t}"),
				processor(types.ProcessorTypeRecordDeAggregation, test.processor)))
			run(t, d, testRecord(1, test.data))
			assert.Equal(t, map[string]string{"a/": test.one, "b/": test.other}, bodies(store))
		})
	}
}

func TestPartitioningOutsideTheRulesIsRefused(t *testing.T) {
	for want, p := range map[string]types.Processor{
		"must be JQ":           jq("{type: "),
		"JSON or DELIMITED":    processor(types.ProcessorTypeRecordDeAggregation, nil),
		"delimiter of sub-rec": processor(types.ProcessorTypeRecordDeAggregation, map[types.ProcessorParameterName]string{types.ProcessorParameterNameSubRecordType: "DELIMITED"}),
	} {
		assert.ErrorContains(t, new(partitioning).read(p), want)
	}
}

func TestSourceRecordsAreBackedUpAsTheyCameUnderAPrefixOfTheirOwn(t *testing.T) {
	raw, err := newPrefix("raw/", time.UTC, false)
	require.NoError(t, err)
	processor := &fakeLambda{answer: func(event events.KinesisFirehoseEvent) (any, error) {
		return events.KinesisFirehoseResponse{Records: []events.KinesisFirehoseResponseRecord{
			{RecordID: event.Records[0].RecordID, Result: "Ok", Data: []byte("ONE")}, {RecordID: event.Records[1].RecordID, Result: "Dropped"},
		}}, nil
	}}
	d, store := testStream(t, processor, func(s *settings) {
		s.backup = &target{bucket: "backup", prefix: raw, size: megabyte, interval: time.Hour}
	})
	run(t, d, testRecord(1, "one\n"), testRecord(2, "two\n"))
	assert.Equal(t, map[string]string{"lake/2018/08/07/09/": "ONE", "raw/2018/08/07/09/": "one\ntwo\n"}, bodies(store))
}

func TestDescriptionOfPartitioningBackupAndTimeZoneIsRead(t *testing.T) {
	s, err := newSettings(description(func(d *types.ExtendedS3DestinationDescription) {
		d.Prefix = aws.String("!{partitionKeyFromLambda:type}/!{partitionKeyFromQuery:day}/")
		d.ErrorOutputPrefix = aws.String("errors/!{firehose:error-output-type}/")
		d.CustomTimeZone = aws.String("Asia/Tokyo")
		d.DynamicPartitioningConfiguration = &types.DynamicPartitioningConfiguration{Enabled: aws.Bool(true)}
		d.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{jq("{day: .day}")}}
		d.S3BackupMode = types.S3BackupModeEnabled
		d.S3BackupDescription = &types.S3DestinationDescription{
			BucketARN: aws.String("arn:aws:s3:::backup"), Prefix: aws.String("raw/"), CompressionFormat: types.CompressionFormatZip,
			BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(7), IntervalInSeconds: aws.Int32(70)},
		}
	}), 10)
	require.NoError(t, err)
	assert.Equal(t, []string{"partitionKeyFromLambda:type", "partitionKeyFromQuery:day"}, s.prefix.keys)
	assert.Equal(t, 500, s.partitioning.limit)
	assert.Equal(t, "Asia/Tokyo", s.prefix.zone.String())
	assert.Equal(t, "backup", s.backup.bucket)
	assert.Equal(t, ".zip", s.backup.extension)
	assert.Equal(t, 7*time.Second, s.backup.interval)
}

func TestKPLRecordsAreDeAggregatedBeforeTheProcessor(t *testing.T) {
	lambda := &fakeLambda{answer: upper}
	d, store := testStream(t, lambda, nil)
	d.take(t.Context(), batch{shard: "shardId-000000000001", key: "k"}, kinesisRecord("7", aggregate(t, "one", "two")))
	run(t, d)
	require.Len(t, store.objects, 1)
	assert.Equal(t, "ONETWO", store.objects[0].body)
	var event events.KinesisFirehoseEvent
	require.NoError(t, json.Unmarshal(lambda.payloads[0], &event))
	require.Len(t, event.Records, 2)
	assert.Equal(t, "7000001", event.Records[1].RecordID)
	assert.Equal(t, events.KinesisFirehoseRecordMetadata{
		ShardID: "shardId-000000000001", PartitionKey: "two's key", SequenceNumber: "7", SubsequenceNumber: 1,
		ApproximateArrivalTimestamp: event.Records[1].ApproximateArrivalTimestamp,
	}, event.Records[1].KinesisFirehoseRecordMetadata)
}
