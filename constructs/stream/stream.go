// Package stream defines the stream that every event goes through, between the
// ways in and whatever reads it.
package stream

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Defaults of [StreamingCoreProps].
const (
	DefaultRetentionHours = 7 * 24
	DefaultRemovalPolicy  = awscdk.RemovalPolicy_RETAIN
)

// Kinesis keeps records for at least a day and at most a year.
// https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
const (
	minRetentionHours = 24
	maxRetentionHours = 8_760
)

// streamName is what Kinesis accepts as a name.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

// StreamingCoreProps says how much the stream takes and how long it keeps it.
type StreamingCoreProps struct {
	// Shards is the number of shards of a provisioned stream. A shard takes
	// 1 MB/s or 1,000 records/s and gives 2 MB/s, whichever is reached first.
	//
	// Default: 0, an on-demand stream, which AWS scales by itself.
	Shards int
	// Retention is how long a record can be read again, whole hours from 24 to 8,760.
	//
	// Default: [DefaultRetentionHours], so that a consumer may stand still for a week.
	Retention awscdk.Duration
	// Key encrypts the records at rest.
	//
	// Default: a new customer-managed key, rotated every year, with the stream's removal policy.
	Key awskms.IKey
	// StreamName is a fixed name, of 1 to 128 letters, digits, dots, hyphens and
	// underscores. A stream with a fixed name cannot be replaced by CloudFormation.
	//
	// Default: a name that CloudFormation makes.
	StreamName string
	// RemovalPolicy says what becomes of the stream, and of its key unless Key
	// is given, when they leave the stack.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *StreamingCoreProps) Validate() error {
	if p == nil {
		return nil
	}
	var errs []error
	if p.Shards < 0 {
		errs = append(errs, fmt.Errorf("shards must be at least 1, or 0 for an on-demand stream, got %d", p.Shards))
	}
	if p.Retention != nil && !*p.Retention.IsUnresolved() {
		hours := *p.Retention.ToHours(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
		if hours < minRetentionHours || hours > maxRetentionHours || hours != float64(int(hours)) {
			errs = append(errs, fmt.Errorf("retention must be %d to %d whole hours, got %g", minRetentionHours, maxRetentionHours, hours))
		}
	}
	if p.StreamName != "" && !*awscdk.Token_IsUnresolved(p.StreamName) && !streamName.MatchString(p.StreamName) {
		errs = append(errs, fmt.Errorf("stream name must be 1 to 128 letters, digits, '.', '-' and '_', got %q", p.StreamName))
	}
	return errors.Join(errs...)
}

func (p *StreamingCoreProps) withDefaults() *StreamingCoreProps {
	q := StreamingCoreProps{}
	if p != nil {
		q = *p
	}
	if q.Retention == nil {
		q.Retention = awscdk.Duration_Hours(jsii.Number(DefaultRetentionHours))
	}
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}

// StreamingCore is an encrypted Kinesis data stream.
type StreamingCore struct {
	constructs.Construct

	Stream awskinesis.IStream
	Key    awskms.IKey
}

// NewStreamingCore defines a StreamingCore in scope; props may be nil. It panics
// on invalid props (see [StreamingCoreProps.Validate]).
func NewStreamingCore(scope constructs.Construct, id string, props *StreamingCoreProps) *StreamingCore {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("stream: %s: %w", id, err))
	}
	p := props.withDefaults()

	core := new(StreamingCore)
	constructs.NewConstruct_Override(core, scope, &id)
	core.Key = core.key(p)
	core.Stream = core.stream(p)
	return core
}

// GrantWrite lets grantee put records, singly and in batches.
func (c *StreamingCore) GrantWrite(grantee awsiam.IGrantable) awsiam.Grant {
	// By hand, as CDK's own grant adds kms:ReEncrypt* and kms:GenerateDataKey*: a
	// producer needs the latter alone, without the wildcard.
	// https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
	return c.grant(grantee, "kinesis:PutRecord", "kinesis:PutRecords", "kinesis:ListShards", "kinesis:DescribeStreamSummary").
		Combine(c.Key.Grant(grantee, jsii.String("kms:GenerateDataKey")))
}

// GrantRead lets grantee read every record that the stream keeps.
func (c *StreamingCore) GrantRead(grantee awsiam.IGrantable) awsiam.Grant {
	return c.grant(grantee, "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords").
		Combine(c.Key.Grant(grantee, jsii.String("kms:Decrypt")))
}

func (c *StreamingCore) grant(grantee awsiam.IGrantable, actions ...string) awsiam.Grant {
	return c.Stream.Grant(grantee, *jsii.Strings(actions...)...)
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
	if p.Shards > 0 {
		props.StreamMode = awskinesis.StreamMode_PROVISIONED
		props.ShardCount = jsii.Number(p.Shards)
	}
	if p.StreamName != "" {
		props.StreamName = jsii.String(p.StreamName)
	}
	return awskinesis.NewStream(c, jsii.String("Stream"), props)
}
