// Package video defines streams for the video of cameras and other devices, on
// Amazon Kinesis Video Streams.
package video

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisvideo"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// VideoIngest is an encrypted Kinesis video stream for each of some devices.
// Each is let into its own stream by [VideoIngest.GrantProducer], and into no other.
type VideoIngest struct {
	constructs.Construct

	Key     awskms.IKey
	Streams map[string]awskinesisvideo.CfnStream // by device

	alarms []awscloudwatch.Alarm
}

// NewVideoIngest defines a VideoIngest in scope; props may be nil. It panics on
// invalid props (see [VideoIngestProps.Validate]).
func NewVideoIngest(scope constructs.Construct, id string, props *VideoIngestProps) *VideoIngest {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("video: %s: %w", id, err))
	}
	p := props.withDefaults()

	v := &VideoIngest{Streams: map[string]awskinesisvideo.CfnStream{}}
	constructs.NewConstruct_Override(v, scope, &id)
	v.Key = v.key(p)
	for _, device := range p.Devices {
		scope := constructs.NewConstruct(v, &device)
		v.Streams[device] = v.stream(p, scope, device)
		v.watch(p, scope, device)
	}
	return v
}

func (v *VideoIngest) key(p *VideoIngestProps) awskms.IKey {
	if p.Key != nil {
		return p.Key
	}
	return awskms.NewKey(v, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the video of " + *v.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.RemovalPolicy,
	})
}

// stream has no fixed name, so that it can be replaced and stand there twice.
func (v *VideoIngest) stream(p *VideoIngestProps, scope constructs.Construct, device string) awskinesisvideo.CfnStream {
	stream := awskinesisvideo.NewCfnStream(scope, jsii.String("Stream"), &awskinesisvideo.CfnStreamProps{
		DataRetentionInHours: p.Retention.ToHours(nil),
		DeviceName:           &device,
		KmsKeyId:             v.Key.KeyArn(),
		MediaType:            &p.MediaType,
	})
	stream.ApplyRemovalPolicy(p.RemovalPolicy, nil)
	return stream
}

// of returns a device's stream; it panics on a device that is none of Devices.
func (v *VideoIngest) of(device string) awskinesisvideo.CfnStream {
	stream, known := v.Streams[device]
	if !known {
		panic(fmt.Errorf("video: %s: device must be one of Devices, got %q", *v.Node().Path(), device))
	}
	return stream
}

// StreamName is the name of a device's stream, which its producer is told. It
// panics on a device that is none of Devices.
func (v *VideoIngest) StreamName(device string) *string { return v.of(device).Ref() }

// What a producer calls, and what it needs of a key of one's own.
// https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/how-iam.html
// https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/how-kms.html
var producerActions = [...]string{"kinesisvideo:DescribeStream", "kinesisvideo:GetDataEndpoint", "kinesisvideo:PutMedia"}

// What a viewer calls: live and stored fragments, and sessions for players.
// https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/how-iam.html
var viewerActions = [...]string{
	"kinesisvideo:DescribeStream", "kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia",
	"kinesisvideo:ListFragments", "kinesisvideo:GetMediaForFragmentList",
	"kinesisvideo:GetHLSStreamingSessionURL", "kinesisvideo:GetDASHStreamingSessionURL", "kinesisvideo:GetClip", "kinesisvideo:GetImages",
}

// GrantProducer lets grantee put video into the stream of device, and into no
// other. Give each device a role of its own (docs/video.md). It panics on a device that is none of Devices.
func (v *VideoIngest) GrantProducer(device string, grantee awsiam.IGrantable) awsiam.Grant {
	return v.grant(device, grantee, "kms:GenerateDataKey", producerActions[:])
}

// GrantViewer lets grantee watch what the stream of device has, live and stored.
// It panics on a device that is none of Devices.
func (v *VideoIngest) GrantViewer(device string, grantee awsiam.IGrantable) awsiam.Grant {
	return v.grant(device, grantee, "kms:Decrypt", viewerActions[:])
}

// grant allows the key for this service alone: with it nothing else can be decrypted or encrypted.
func (v *VideoIngest) grant(device string, grantee awsiam.IGrantable, keyAction string, actions []string) awsiam.Grant {
	stream := v.of(device)
	media := awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee: grantee, Actions: jsii.Strings(actions...), ResourceArns: &[]*string{stream.AttrArn()},
	})
	return media.Combine(awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee: grantee, Actions: &[]*string{&keyAction}, ResourceArns: &[]*string{v.Key.KeyArn()},
		Conditions: &map[string]*map[string]any{"StringEquals": {
			"kms:ViaService": fmt.Sprintf("kinesisvideo.%s.amazonaws.com", *awscdk.Stack_Of(v).Region()),
		}},
	}))
}
