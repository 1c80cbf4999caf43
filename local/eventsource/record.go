package eventsource

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// record is one record of a batch, encoded as the function gets it.
type record struct {
	sequence string
	arrived  time.Time
	event    []byte
}

func newRecord(s *settings, shard string, r types.Record) record {
	data := r.Data
	if data == nil {
		data = []byte{} // "" on the wire, never null
	}
	sequence, arrived := aws.ToString(r.SequenceNumber), aws.ToTime(r.ApproximateArrivalTimestamp)
	event, err := json.Marshal(events.KinesisEventRecord{
		AwsRegion:         s.region,
		EventID:           shard + ":" + sequence,
		EventName:         "aws:kinesis:record",
		EventSource:       "aws:kinesis",
		EventSourceArn:    s.stream,
		EventVersion:      "1.0",
		InvokeIdentityArn: s.role,
		Kinesis: events.KinesisRecord{
			ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: arrived},
			Data:                        data,
			PartitionKey:                aws.ToString(r.PartitionKey),
			SequenceNumber:              sequence,
			KinesisSchemaVersion:        "1.0",
		},
	})
	if err != nil {
		panic(fmt.Sprintf("eventsource: encoding a record of plain values: %v", err))
	}
	return record{sequence: sequence, arrived: arrived, event: event}
}

const eventHead, eventTail = `{"Records":[`, `]}`

// event is what the function gets for a batch.
func event(batch []record) []byte {
	parts := make([][]byte, len(batch))
	for i, r := range batch {
		parts[i] = r.event
	}
	return append(append([]byte(eventHead), bytes.Join(parts, []byte(","))...), eventTail...)
}
