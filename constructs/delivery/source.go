package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/jsii-runtime-go"
)

// from says where the delivery stream's records come from, and by what those
// of direct PUT are encrypted while Firehose holds them back.
func (d *Delivery) from(props *awskinesisfirehose.CfnDeliveryStreamProps) {
	if d.props.Source != nil {
		// No encryption of its own: Firehose keeps nothing at rest that the source does not keep encrypted.
		props.DeliveryStreamType = jsii.String("KinesisStreamAsSource")
		props.KinesisStreamSourceConfiguration = &awskinesisfirehose.CfnDeliveryStream_KinesisStreamSourceConfigurationProperty{
			KinesisStreamArn: d.props.Source.StreamArn(),
			RoleArn:          d.Role.RoleArn(),
		}
		return
	}
	props.DeliveryStreamType = jsii.String("DirectPut")
	encryption := &awskinesisfirehose.CfnDeliveryStream_DeliveryStreamEncryptionConfigurationInputProperty{
		KeyType: jsii.String("AWS_OWNED_CMK"),
	}
	if d.Key != nil {
		encryption.KeyType = jsii.String("CUSTOMER_MANAGED_CMK")
		encryption.KeyArn = d.Key.KeyArn()
	}
	props.DeliveryStreamEncryptionConfigurationInput = encryption
}
