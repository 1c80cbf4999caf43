package notifier

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
)

// Handle answers a batch of Kinesis with the first record that could not be published, from which Lambda goes on.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
func (n *Notifier) Handle(ctx context.Context, batch events.KinesisEvent) (events.KinesisEventResponse, error) {
	records := make([]record, len(batch.Records))
	for i, r := range batch.Records {
		records[i] = record{r.Kinesis.SequenceNumber, r.Kinesis.Data}
	}
	answer := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	if failed := n.notify(ctx, records); failed != "" {
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: failed})
	}
	return answer, nil
}
