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
	place    *place // in the checkpoint
}

func newRecord(s *settings, shard string, r types.Record, p *place) record {
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
		EventSourceArn:    s.source,
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
	return record{sequence: sequence, arrived: arrived, event: event, place: p}
}

// event is what the function gets for a batch, in a tumbling window if there is one.
func (l *lane) event(batch []record, w *window, final bool) []byte {
	parts := make([][]byte, len(batch))
	for i, r := range batch {
		parts[i] = r.event
	}
	text := append(append([]byte(`{"Records":[`), bytes.Join(parts, []byte(","))...), ']')
	if w == nil {
		return append(text, '}')
	}
	properties, err := json.Marshal(windowProperties{
		Window: events.Window{Start: events.RFC3339EpochTime{Time: w.Start}, End: events.RFC3339EpochTime{Time: w.End}},
		State:  w.State, ShardID: l.shard, EventSourceARN: l.settings.Load().source,
		IsFinalInvokeForWindow: final, IsWindowTerminatedEarly: final && w.isTooBig(),
	})
	if err != nil {
		panic(fmt.Sprintf("eventsource: encoding a window whose state was read as JSON: %v", err))
	}
	text = append(text, ',')
	return append(text, properties[1:]...) // without its "{"
}

// places returns where records are in the checkpoint.
func places(records []record) []*place {
	all := make([]*place, len(records))
	for i, r := range records {
		all[i] = r.place
	}
	return all
}
