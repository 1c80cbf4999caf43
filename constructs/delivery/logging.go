package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// logTo has Firehose log its errors to a log stream of their own.
func (d *Delivery) logTo(stream string) *awskinesisfirehose.CfnDeliveryStream_CloudWatchLoggingOptionsProperty {
	logStream := awslogs.NewLogStream(d.LogGroup, &stream, &awslogs.LogStreamProps{
		LogGroup:      d.LogGroup,
		RemovalPolicy: d.props.RemovalPolicy,
	})
	return &awskinesisfirehose.CfnDeliveryStream_CloudWatchLoggingOptionsProperty{
		Enabled:       jsii.Bool(true),
		LogGroupName:  d.LogGroup.LogGroupName(),
		LogStreamName: logStream.LogStreamName(),
	}
}
