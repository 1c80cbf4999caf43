package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/spec"
)

// The ARNs are of nobody's: the metric of failed records is of the delivery stream in the event,
// so that samples that fail on purpose raise no alarm of a real one.
const (
	streamARN   = "arn:aws:kinesis:us-east-1:000000000000:stream/" + streamName
	deliveryARN = "arn:aws:firehose:us-east-1:000000000000:deliverystream/" + streamName
)

// transformation is Firehose's request with the samples.
func transformation(samples []spec.Sample) ([]byte, error) {
	request := events.KinesisFirehoseEvent{
		InvocationID: streamName, DeliveryStreamArn: deliveryARN, SourceKinesisStreamArn: streamARN, Region: "us-east-1",
	}
	at := events.MilliSecondsEpochTime{Time: arrival}
	for i, sample := range samples {
		request.Records = append(request.Records, events.KinesisFirehoseEventRecord{
			RecordID: recordID(i), ApproximateArrivalTimestamp: at, Data: []byte(sample.In),
			KinesisFirehoseRecordMetadata: events.KinesisFirehoseRecordMetadata{
				ShardID: shard, PartitionKey: streamName, SequenceNumber: sequence(i), ApproximateArrivalTimestamp: at,
			},
		})
	}
	payload, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encoding a transformation request: %w", err)
	}
	return payload, nil
}

func recordID(i int) string { return "record-" + sequence(i) }

func sequence(i int) string { return strconv.Itoa(i + 1) }

// judgeTransformation compares a transformer's answer with what has to come of the samples.
func judgeTransformation(samples []spec.Sample, keys []string, answer []byte) error {
	var response events.KinesisFirehoseResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	answers := map[string][]events.KinesisFirehoseResponseRecord{}
	for _, record := range response.Records {
		answers[record.RecordID] = append(answers[record.RecordID], record)
	}
	var errs []error
	if len(response.Records) != len(samples) {
		errs = append(errs, fmt.Errorf("%d records came back of %d", len(response.Records), len(samples)))
	}
	for i, sample := range samples {
		if got := answers[recordID(i)]; len(got) != 1 {
			errs = append(errs, fmt.Errorf("sample %d: it was answered %d times", i+1, len(got)))
		} else if err := judgeRecord(sample, keys, got[0]); err != nil {
			errs = append(errs, fmt.Errorf("sample %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func judgeRecord(sample spec.Sample, keys []string, got events.KinesisFirehoseResponseRecord) error {
	want := sample.Result
	if want == "" {
		want = spec.Ok
	}
	if got.Result != string(want) {
		return fmt.Errorf("the result must be %s, got %q", want, got.Result)
	}
	if want != spec.Ok {
		return nil // Firehose reads no data of it
	}
	var errs []error
	if string(got.Data) != sample.Out {
		errs = append(errs, fmt.Errorf("the data must be %q, got %q", sample.Out, shorten(got.Data)))
	}
	for _, key := range keys {
		if got.Metadata.PartitionKeys[key] == "" {
			errs = append(errs, fmt.Errorf("partition key %s must have a value, got none", key))
		}
	}
	return errors.Join(errs...)
}

// rehearsal is the samples as Lambda passes records of a stream, for a loader to rehearse.
func rehearsal(samples []spec.Sample) ([]byte, error) {
	var batch events.KinesisEvent
	for i, sample := range samples {
		batch.Records = append(batch.Records, events.KinesisEventRecord{
			EventID: shard + ":" + sequence(i), EventSourceArn: streamARN, EventSource: "aws:kinesis", AwsRegion: "us-east-1",
			Kinesis: events.KinesisRecord{
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: arrival}, Data: []byte(sample.In),
				PartitionKey: streamName, SequenceNumber: sequence(i),
			},
		})
	}
	payload, err := json.Marshal(map[string]any{spec.RehearsalMember: batch})
	if err != nil {
		return nil, fmt.Errorf("encoding a rehearsal: %w", err)
	}
	return payload, nil
}

// judgeRehearsal compares a loader's answer with what would have become of the samples.
func judgeRehearsal(samples []spec.Sample, answer []byte) error {
	var response struct {
		Rehearsal *spec.Rehearsal `json:"rehearsal"`
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	got := response.Rehearsal
	if got == nil {
		return fmt.Errorf("it does not know a rehearsal: it answers %s", shorten(answer))
	}
	var want spec.Rehearsal
	for _, sample := range samples {
		if sample.Result == spec.Quarantined {
			want.Quarantined++
		} else {
			want.Stored++
		}
	}
	if *got != want {
		return fmt.Errorf("of the samples %d must be stored and %d quarantined, got %d and %d", want.Stored, want.Quarantined, got.Stored, got.Quarantined)
	}
	return nil
}
