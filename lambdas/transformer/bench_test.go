package transformer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
)

// BenchmarkTransform hands one Firehose event of 3,000 records of 1 KB, bytes in
// and bytes out, to our function and to its peer in turn: Go as it is usually
// written, with aws-lambda-go's types and a map[string]any. "x-peer" is how many
// times as fast as the peer ours is.
func BenchmarkTransform(b *testing.B) {
	const records = 3000
	input := firehoseEvent(b, records)
	ours := lambda.NewHandler(transformer.Handler{Transform: transformer.ToLine}.Handle)
	peer := lambda.NewHandler(idiomatic)
	var oursTook, peerTook time.Duration
	b.ReportAllocs()
	for b.Loop() {
		oursTook += timed(b, ours, input)
		peerTook += timed(b, peer, input)
	}
	b.ReportMetric(float64(records*b.N)/oursTook.Seconds(), "records/s")
	b.ReportMetric(float64(records*b.N)/peerTook.Seconds(), "peer-records/s")
	b.ReportMetric(peerTook.Seconds()/oursTook.Seconds(), "x-peer")
}

func timed(b *testing.B, handler lambda.Handler, input []byte) time.Duration {
	b.Helper()
	start := time.Now()
	_, err := handler.Invoke(b.Context(), input)
	took := time.Since(start)
	require.NoError(b, err)
	return took
}

func firehoseEvent(b *testing.B, records int) []byte {
	b.Helper()
	request := events.KinesisFirehoseEvent{InvocationID: "bench", DeliveryStreamArn: "arn:aws:firehose:eu-west-1:111122223333:deliverystream/bench", Region: "eu-west-1"}
	for i := range records {
		request.Records = append(request.Records, events.KinesisFirehoseEventRecord{
			RecordID: fmt.Sprint(i), ApproximateArrivalTimestamp: events.MilliSecondsEpochTime{Time: time.UnixMilli(1767323045678)},
			Data: fmt.Appendf(nil, `{"event_id":"%d","event_type":"bench","occurred_at":1767323045678,"n":1.10,"tags":["a","b"],"text":%q}`, i, strings.Repeat("0123456789", 90)),
		})
	}
	input, err := json.Marshal(request)
	require.NoError(b, err)
	return input
}

// idiomatic decodes each record, changes two members and encodes it.
func idiomatic(_ context.Context, request events.KinesisFirehoseEvent) (events.KinesisFirehoseResponse, error) {
	var response events.KinesisFirehoseResponse
	for _, record := range request.Records {
		answer := events.KinesisFirehoseResponseRecord{RecordID: record.RecordID, Result: events.KinesisFirehoseTransformedStateProcessingFailed}
		var event map[string]any
		if json.Unmarshal(record.Data, &event) == nil {
			event["id"], event["arrived_at"] = event["event_id"], record.ApproximateArrivalTimestamp.Time
			if data, err := json.Marshal(event); err == nil {
				answer.Result, answer.Data = events.KinesisFirehoseTransformedStateOk, append(data, '\n')
			}
		}
		response.Records = append(response.Records, answer)
	}
	return response, nil
}
