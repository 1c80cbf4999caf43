package stream

import (
	"reflect"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// fewReaders may share a shard that is written at its full rate: it gives twice what it takes.
const fewReaders = 2

// countReaders warns at synth, when everything is there, of readers that throttle each other.
func (c *StreamingCore) countReaders() { c.Node().AddValidation(&readerCount{c}) }

type readerCount struct{ core *StreamingCore }

// Validate is what CDK calls at synth. It is not for an Aspect, since those come
// before references between stacks are resolved.
func (r *readerCount) Validate() *[]*string {
	if names, calls := r.core.readers(); len(names) > fewReaders {
		awscdk.Annotations_Of(r.core).AddWarningV2(jsii.String("millrace:stream-readers"), jsii.Sprintf(
			"%d readers poll this stream (%s): of each shard they share %d MB/s, %.2f MB/s each while it takes up to %d MB/s, and %d calls of GetRecords a second, of which they make at least %d. "+
				"Above that they throttle each other and fall behind: give some a consumer of their own (AddConsumer)",
			len(names), strings.Join(names, ", "), shardRead/1_000_000, float64(shardRead)/1_000_000/float64(len(names)), shardBytes/1_000_000, shardReads, calls))
	}
	return &[]*string{}
}

// readers are the names of all that poll the stream, and how often a second they do it at each shard.
func (c *StreamingCore) readers() (names []string, calls int) {
	names, calls = append(names, c.props.SharedReaders...), len(c.props.SharedReaders)
	// Of one app: what stands in another stage is deployed by itself, and refers to nothing here.
	for _, node := range *awscdk.Stage_Of(c).Node().FindAll(constructs.ConstructOrder_PREORDER) {
		n := 0
		switch node := node.(type) {
		case awslambda.CfnEventSourceMapping:
			// Several batches of a shard at a time (parallelization factor) are one poller's.
			// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
			// Of a broker of one's own there is no ARN.
			if arn := node.EventSourceArn(); arn != nil && c.isReadBy(node, awscdk.Stack_Of(node).Resolve(arn)) {
				n = 1
			}
		case awskinesisfirehose.CfnDeliveryStream:
			n = c.deliveryCalls(node)
		}
		if n > 0 {
			names, calls = append(names, strings.TrimSuffix(*node.Node().Path(), "/Resource")), calls+n
		}
	}
	return names, calls
}

// deliveryCalls is once a second for what is delivered and once for a backup of the source records.
// https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html
func (c *StreamingCore) deliveryCalls(delivery awskinesisfirehose.CfnDeliveryStream) int {
	stack := awscdk.Stack_Of(delivery)
	// What is not there cannot be resolved: jsii panics.
	from := delivery.KinesisStreamSourceConfiguration()
	if from == nil {
		return 0
	}
	source, ok := stack.Resolve(from).(map[string]any)
	if !ok || !c.isReadBy(delivery, source["kinesisStreamArn"]) {
		return 0
	}
	if to := delivery.ExtendedS3DestinationConfiguration(); to != nil {
		if s3, ok := stack.Resolve(to).(map[string]any); ok && s3["s3BackupMode"] == "Enabled" {
			return 2
		}
	}
	return 1
}

// isReadBy tells whether arn, as it is in reader's template, is the stream's.
func (c *StreamingCore) isReadBy(reader constructs.IConstruct, arn any) bool {
	stack := awscdk.Stack_Of(reader)
	if *stack.Environment() != *awscdk.Stack_Of(c).Environment() {
		return false // CDK refuses to say how another account or region would refer to the stream
	}
	if !reflect.DeepEqual(arn, stack.Resolve(c.Stream.StreamArn())) {
		return false
	}
	// A stack that does not refer to this stream has the stream's logical id for its ARN,
	// which in that stack may be another stream's.
	reference, ok := arn.(map[string]any)
	return !ok || reference["Fn::GetAtt"] == nil || *stack.Node().Path() == *awscdk.Stack_Of(c).Node().Path()
}
