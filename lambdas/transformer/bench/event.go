package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// workload is one event of Firehose: as many records of a size as are 3 MB.
type workload struct {
	name    string
	records int
	size    int // of the first record, in bytes
	event   []byte
}

func newWorkload(name string, records, size int) (workload, error) {
	request := events.KinesisFirehoseEvent{
		InvocationID:           "3e7b1d0c-bench",
		DeliveryStreamArn:      "arn:aws:firehose:eu-west-1:111122223333:deliverystream/lake",
		SourceKinesisStreamArn: "arn:aws:kinesis:eu-west-1:111122223333:stream/events",
		Region:                 "eu-west-1",
	}
	arrived := events.MilliSecondsEpochTime{Time: time.UnixMilli(1767323045678)}
	w := workload{name: name, records: records}
	for i := range records {
		data := order(i, size)
		w.size = len(data)
		sequence := fmt.Sprintf("495469866831355442865074579363216256757001924711%08d", i)
		request.Records = append(request.Records, events.KinesisFirehoseEventRecord{
			RecordID: sequence + "000000000000", ApproximateArrivalTimestamp: arrived, Data: data,
			KinesisFirehoseRecordMetadata: events.KinesisFirehoseRecordMetadata{
				ShardID: "shardId-000000000000", PartitionKey: fmt.Sprintf("customer-%d", i%500), SequenceNumber: sequence,
				ApproximateArrivalTimestamp: arrived,
			},
		})
	}
	var err error
	w.event, err = json.Marshal(request)
	return w, err
}

// order is an event of about size bytes: an order with as many items as it takes.
func order(i, size int) []byte {
	data := fmt.Appendf(nil, `{"event_id":"order-%08d","event_type":"order.placed","occurred_at":"2026-01-02T03:04:05.678Z",`+
		`"customer":{"id":%d,"name":"Zoë Müller","email":"zoe.mueller@example.com","country":"DE","newsletter":false},"items":[`, i, 100_000+i)
	for n := 0; n == 0 || len(data) < size-200; n++ {
		if n > 0 {
			data = append(data, ',')
		}
		data = fmt.Appendf(data, `{"sku":"A-%05d","title":"Bicycle lamp, front, 60 lux, with stand light","quantity":%d,"unit_price":%d.90,"tags":["light","front"],"gift":null}`,
			n*37%99_999, 1+n%3, 19+n%80)
	}
	return fmt.Appendf(data, `],"total":%d.40,"currency":"EUR","address":{"street":"Hauptstraße 1","city":"Köln","zip":"50667"},"ip":"192.0.2.%d","mobile":true}`, 100+i%900, i%256)
}
