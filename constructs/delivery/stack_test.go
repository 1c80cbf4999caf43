package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestADeliveryIsAScopeAndTwoStandInOneStack(t *testing.T) {
	stack := cdktest.NewStack()
	stream := source(stack)
	one := delivery.NewFirehoseToS3(stack, "One", &delivery.FirehoseToS3Props{Source: stream})
	delivery.NewFirehoseToS3(stack, "Two", &delivery.FirehoseToS3Props{Source: stream})
	awss3.NewBucket(one, jsii.String("Bucket"), nil)
	awscdk.Tags_Of(one).Add(jsii.String("team"), jsii.String("ingest"), nil)

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::KinesisFirehose::DeliveryStream"), jsii.Number(2))
	template.ResourceCountIs(jsii.String("AWS::S3::Bucket"), jsii.Number(5))
	tag := map[string]any{"Tags": assertions.Match_ArrayWith(&[]any{map[string]any{"Key": "team", "Value": "ingest"}})}
	template.ResourcePropertiesCountIs(jsii.String("AWS::KinesisFirehose::DeliveryStream"), tag, jsii.Number(1))
	template.ResourcePropertiesCountIs(jsii.String("AWS::S3::Bucket"), tag, jsii.Number(3))
}

func TestTheStackGetsNoMappingThatNothingRefersTo(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "One", nil)
	delivery.NewFirehoseToS3(stack, "Two", nil)
	assert.NotContains(t, *cdktest.Template(stack).ToJSON(), "Mappings")
}

func TestAMappingThatSomeoneElseRefersToStays(t *testing.T) {
	stack := cdktest.NewStack()
	theirs := awskinesisfirehose.NewDeliveryStream(stack, jsii.String("Theirs"), &awskinesisfirehose.DeliveryStreamProps{
		Destination: awskinesisfirehose.NewS3Bucket(awss3.NewBucket(stack, jsii.String("Bucket"), nil), nil),
	})
	delivery.NewFirehoseToS3(stack, "Ours", nil)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{RestrictDefaultSecurityGroup: jsii.Bool(false)})
	group := awsec2.NewSecurityGroup(stack, jsii.String("Warehouse"), &awsec2.SecurityGroupProps{Vpc: vpc})
	group.Connections().AllowFrom(theirs, awsec2.Port_Tcp(jsii.Number(5439)), nil)
	assert.Contains(t, *cdktest.Template(stack).ToJSON(), "Mappings")
}

func TestThePropsAreNotChanged(t *testing.T) {
	props := &delivery.FirehoseToS3Props{Prefix: "raw/"}
	delivery.NewFirehoseToS3(cdktest.NewStack(), "Delivery", props)
	assert.Equal(t, &delivery.FirehoseToS3Props{Prefix: "raw/"}, props)
}

func TestStreamAndBucketMayStandInAnotherStack(t *testing.T) {
	app := cdktest.NewApp()
	foundation := awscdk.NewStack(app, jsii.String("Foundation"), nil)
	pipeline := awscdk.NewStack(app, jsii.String("Pipeline"), nil)
	lake := delivery.NewLakeBucket(foundation, "Lake", nil)
	delivery.NewFirehoseToS3(pipeline, "Delivery", &delivery.FirehoseToS3Props{Source: source(foundation), Bucket: lake.Bucket})

	// Synthesizing would fail on a reference from Foundation back to Pipeline.
	require.NotPanics(t, func() { app.Synth(nil) })
	assert.Empty(t, *foundation.Dependencies())
	cdktest.Template(foundation).ResourceCountIs(jsii.String("AWS::IAM::Policy"), jsii.Number(0))
}
