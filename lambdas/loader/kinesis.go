package loader

import (
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// origin is where a record arrived: the stream's name is in its event source's
// ARN, the shard's in its event's id.
func origin(r events.KinesisEventRecord) event.Origin {
	// A consumer with enhanced fan-out has an ARN that goes on: …:stream/orders/consumer/loader:1700000000.
	_, name, _ := strings.Cut(r.EventSourceArn, "/")
	name, _, _ = strings.Cut(name, "/")
	shard, _, _ := strings.Cut(r.EventID, ":")
	return event.Origin{Stream: name, Shard: shard, Sequence: r.Kinesis.SequenceNumber}
}

// arrival is when a record arrived. Kinesis gives milliseconds as a fraction of
// seconds, of which a float64 makes 476.999 out of 477.
func arrival(r events.KinesisEventRecord) time.Time {
	return r.Kinesis.ApproximateArrivalTimestamp.Time.Round(time.Millisecond).UTC()
}
