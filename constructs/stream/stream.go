// Package stream defines the stream that every event goes through, between the
// ways in and whatever reads it.
package stream

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// StreamingCore is an encrypted Kinesis data stream with its alarms.
type StreamingCore struct {
	constructs.Construct

	Stream awskinesis.IStream
	Key    awskms.IKey

	props     *StreamingCoreProps // with defaults
	alarms    []awscloudwatch.Alarm
	consumers []awskinesis.StreamConsumer
}

// NewStreamingCore defines a StreamingCore in scope; props may be nil. It panics
// on invalid props (see [StreamingCoreProps.Validate]).
func NewStreamingCore(scope constructs.Construct, id string, props *StreamingCoreProps) *StreamingCore {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("stream: %s: %w", id, err))
	}
	p := props.withDefaults()

	core := &StreamingCore{props: p}
	constructs.NewConstruct_Override(core, scope, &id)
	core.Key = core.key(p)
	core.Stream = core.stream(p)
	core.watch()
	core.sayLimits(p)
	core.countReaders()
	return core
}

func (c *StreamingCore) key(p *StreamingCoreProps) awskms.IKey {
	if p.Key != nil {
		return p.Key
	}
	return awskms.NewKey(c, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the stream " + *c.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.RemovalPolicy,
	})
}

func (c *StreamingCore) stream(p *StreamingCoreProps) awskinesis.IStream {
	props := &awskinesis.StreamProps{
		StreamMode:      awskinesis.StreamMode_ON_DEMAND,
		Encryption:      awskinesis.StreamEncryption_KMS,
		EncryptionKey:   c.Key,
		RetentionPeriod: p.Retention,
		RemovalPolicy:   p.RemovalPolicy,
	}
	if shards := p.shards(); shards > 0 {
		props.StreamMode = awskinesis.StreamMode_PROVISIONED
		props.ShardCount = jsii.Number(shards)
	}
	if len(p.ShardLevelMetrics) > 0 {
		props.ShardLevelMetrics = &p.ShardLevelMetrics
	}
	if p.StreamName != "" {
		props.StreamName = jsii.String(p.StreamName)
	}
	stream := awskinesis.NewStream(c, jsii.String("Stream"), props)
	if p.MaxRecordSize != nil {
		// The L2 has no prop for it: https://github.com/aws/aws-cdk/issues/38719
		stream.Node().DefaultChild().(awskinesis.CfnStream).SetMaxRecordSizeInKiB(p.MaxRecordSize.ToKibibytes(nil))
	}
	suppress.Rules(stream, "The key is the customer's, so that its policy says who reads and CloudTrail says who read", "AwsSolutions-KDS3")
	return stream
}
