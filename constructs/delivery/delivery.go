// Package delivery defines how records get from a stream to where they rest.
//
// Every FirehoseTo… construct is a [Delivery]: source, processing, buffers,
// backup and logging are described and validated once, whatever the destination.
package delivery

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/rollout"
)

// Delivery is what every FirehoseTo… construct has, whatever its destination.
type Delivery struct {
	DeliveryStream awskinesisfirehose.IDeliveryStream
	// Resource is the delivery stream as CloudFormation has it. It is the L1, since
	// CDK's L2 knows no destination of AWS's own but S3.
	Resource    awskinesisfirehose.CfnDeliveryStream
	Bucket      awss3.IBucket       // of the objects; of what failed, where the destination is another
	Key         awskms.IKey         // what the objects are encrypted with; nil when only the bucket knows
	Transformer awslambda.IFunction // nil when skipped
	LogGroup    awslogs.LogGroup    // errors of delivery and transformation
	Role        awsiam.Role         // what Firehose assumes
	Rollout     *rollout.Rollout    // of the transformer; nil unless it is asked for

	self       constructs.Construct // the construct that this is part of
	props      *DeliveryProps
	watched    watched
	alarmScope constructs.Construct
	alarms     []awscloudwatch.Alarm
}

// GrantPutRecords lets grantee put records to the delivery stream itself. It
// panics when there is a Source: Firehose then takes records from it alone.
func (d *Delivery) GrantPutRecords(grantee awsiam.IGrantable) awsiam.Grant {
	if d.props.Source != nil {
		panic(fmt.Errorf("delivery: %s: records come from its source stream: grant writing to that stream", *d.self.Node().Path()))
	}
	return d.DeliveryStream.GrantPutRecords(grantee)
}

// prepare makes what stands before the delivery stream: the transformer, the log
// group and the role with its grants. Bucket and Key are set by then.
func (d *Delivery) prepare(self constructs.Construct, p *DeliveryProps) {
	d.self, d.props = self, p
	d.Transformer = d.transformer()
	d.LogGroup = awslogs.NewLogGroup(self, jsii.String("LogGroup"), &awslogs.LogGroupProps{
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	suppress.Rules(d.LogGroup, "CloudWatch Logs encrypts it with a key of its own; Firehose logs errors and no records", "CKV_AWS_158")
	d.Role = awsiam.NewRole(self, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("firehose.amazonaws.com"), nil),
		// Against the confused deputy: Firehose says the account for which it comes.
		// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#FirehoseExample
		ExternalIds: &[]*string{awscdk.Stack_Of(self).Account()},
	})
	d.allow()
}

// deliver makes the delivery stream of props, which name the destination, below
// id. Its resource is called as CDK's L2 called it, so that the logical id stayed when the L1 took its place.
func (d *Delivery) deliver(id string, props *awskinesisfirehose.CfnDeliveryStreamProps) {
	scope := constructs.NewConstruct(d.self, &id)
	d.from(props)
	d.Resource = awskinesisfirehose.NewCfnDeliveryStream(scope, jsii.String("Resource"), props)
	if d.props.Source != nil {
		suppress.Rules(d.Resource, "Firehose keeps nothing of its own when it reads a stream: what it holds is the stream's, under the stream's key", "AwsSolutions-KDF1")
	}
	// Firehose tries its role while it is being created: the policy must stand before.
	d.Resource.Node().AddDependency(d.Role)
	d.withoutMapping(func() {
		d.DeliveryStream = awskinesisfirehose.DeliveryStream_FromDeliveryStreamAttributes(scope, jsii.String("Import"), &awskinesisfirehose.DeliveryStreamAttributes{
			DeliveryStreamArn:  d.Resource.AttrArn(),
			DeliveryStreamName: d.Resource.Ref(),
		})
	})
}

// withoutMapping takes back a mapping of Firehose's addresses in all regions, which the L2
// adds to the stack for its Connections: most deliveries have no use for it, and
// every synth would warn that nothing refers to it. One that was there before stays.
func (d *Delivery) withoutMapping(define func()) {
	// A slash in an id becomes two hyphens, which TryRemoveChild, unlike TryFindChild, does not do by itself.
	const mapping = "@aws-cdk--aws-kinesisfirehose.CidrBlocks"
	stack := awscdk.Stack_Of(d.self).Node()
	before := stack.TryFindChild(jsii.String(mapping))
	define()
	if before == nil {
		stack.TryRemoveChild(jsii.String(mapping))
	}
}
