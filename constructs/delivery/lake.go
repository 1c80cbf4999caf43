package delivery

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// DefaultRemovalPolicy is what becomes of buckets, keys and log groups that leave their stack.
const DefaultRemovalPolicy = awscdk.RemovalPolicy_RETAIN

// How long a LakeBucket keeps what is not data any more, in days.
const (
	// DefaultNoncurrentDays is how long an object stays that was overwritten or deleted: long
	// enough to notice a mistake, and no copy of everything that ever was.
	DefaultNoncurrentDays = 30
	// AccessLogDays is how long server access logs stay in the bucket that is made for them.
	AccessLogDays = 365

	abortMultipartDays = 7 // the parts of an upload that was never finished are paid for
	// S3's own minimum before STANDARD_IA, and in it before the next class.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
	minInfrequentDays = 30
)

// LakeBucketProps says how a LakeBucket is encrypted, what it costs over the years, and what becomes of it.
type LakeBucketProps struct {
	// Key encrypts the objects.
	//
	// Default: a new customer-managed key, rotated every year, with the bucket's removal policy.
	Key awskms.IKey
	// InfrequentAccessAfter moves objects to STANDARD_IA, which is cheaper to keep and dearer to read: at least 30 days.
	//
	// Default: never.
	InfrequentAccessAfter awscdk.Duration
	// ArchiveAfter moves objects to GLACIER_IR, which is cheaper and dearer again.
	// Athena still reads them at once. At least 30 days after InfrequentAccessAfter.
	//
	// Default: never.
	ArchiveAfter awscdk.Duration
	// ExpireAfter deletes objects.
	//
	// Default: never.
	ExpireAfter awscdk.Duration
	// NoncurrentExpireAfter deletes what was overwritten or deleted, in whole days.
	//
	// Default: [DefaultNoncurrentDays] days.
	NoncurrentExpireAfter awscdk.Duration
	// AccessLogs is the bucket for S3's server access logs. It must allow
	// logging.s3.amazonaws.com to write: to a bucket of this app that is added.
	//
	// Default: a new private bucket, whose objects expire after [AccessLogDays] days.
	AccessLogs awss3.IBucket
	// SkipAccessLogs leaves server access logs off.
	//
	// Default: false.
	SkipAccessLogs bool
	// RemovalPolicy says what becomes of the bucket, of its access logs, and of its key unless Key is
	// given, when they leave the stack. CloudFormation deletes only an empty bucket.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// Configure edits the L2 props last, after every default is set.
	//
	// Default: no change.
	Configure func(*awss3.BucketProps)
}

// Validate reports every problem of the props in one error.
func (p *LakeBucketProps) Validate() error {
	p = p.withDefaults()
	var errs []error
	least := 1.0
	for _, rule := range []struct {
		subject string
		after   awscdk.Duration
		minimum float64
	}{
		{"infrequent access after", p.InfrequentAccessAfter, minInfrequentDays},
		{"archive after", p.ArchiveAfter, 1},
		{"expire after", p.ExpireAfter, 1},
	} {
		if rule.after == nil || *rule.after.IsUnresolved() {
			continue
		}
		got := *rule.after.ToDays(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
		least = max(least, rule.minimum)
		if got < least || got != float64(int(got)) {
			errs = append(errs, fmt.Errorf("%s must be at least %g whole days, got %g", rule.subject, least, got))
		}
		least = got + 1
		if rule.after == p.InfrequentAccessAfter {
			least = got + minInfrequentDays
		}
	}
	if p.AccessLogs != nil && p.SkipAccessLogs {
		errs = append(errs, errors.New("access logs are given and skipped: do one of the two"))
	}
	return errors.Join(errs...)
}

func (p *LakeBucketProps) withDefaults() *LakeBucketProps {
	q := LakeBucketProps{}
	if p != nil {
		q = *p
	}
	if q.NoncurrentExpireAfter == nil {
		q.NoncurrentExpireAfter = days(DefaultNoncurrentDays)
	}
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}

func days(n float64) awscdk.Duration { return awscdk.Duration_Days(&n) }

// LakeBucket is a private, versioned bucket whose objects are encrypted with a
// customer-managed key and reached by TLS alone, and whose every use is logged.
type LakeBucket struct {
	constructs.Construct

	Bucket     awss3.IBucket
	Key        awskms.IKey
	AccessLogs awss3.IBucket // nil when skipped
}

// NewLakeBucket defines a LakeBucket in scope; props may be nil. It panics on
// invalid props (see [LakeBucketProps.Validate]).
func NewLakeBucket(scope constructs.Construct, id string, props *LakeBucketProps) *LakeBucket {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("delivery: %s: %w", id, err))
	}
	p := props.withDefaults()

	lake := new(LakeBucket)
	constructs.NewConstruct_Override(lake, scope, &id)
	lake.Key = lake.key(p)
	lake.AccessLogs = lake.accessLogs(p)
	lake.Bucket = lake.bucket(p)
	return lake
}

// Name is the bucket's name.
func (l *LakeBucket) Name() *string { return l.Bucket.BucketName() }

func (l *LakeBucket) key(p *LakeBucketProps) awskms.IKey {
	if p.Key != nil {
		return p.Key
	}
	return awskms.NewKey(l, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the lake " + *l.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.RemovalPolicy,
	})
}

// accessLogs is encrypted by S3 itself: with a customer-managed key, S3 could
// deliver only if the key's policy let it (https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html).
func (l *LakeBucket) accessLogs(p *LakeBucketProps) awss3.IBucket {
	if p.SkipAccessLogs || p.AccessLogs != nil {
		return p.AccessLogs
	}
	logs := awss3.NewBucket(l, jsii.String("AccessLogs"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		LifecycleRules:    &[]*awss3.LifecycleRule{{Expiration: days(AccessLogDays)}},
		RemovalPolicy:     p.RemovalPolicy,
	})
	suppress.Rules(logs, "It is where access logs go: logs of its own would be logged again", "CKV_AWS_18")
	suppress.Rules(logs, "S3 writes each log object once, under a name of its own", "CKV_AWS_21")
	return logs
}

func (l *LakeBucket) bucket(p *LakeBucketProps) awss3.IBucket {
	props := &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		Encryption:        awss3.BucketEncryption_KMS,
		EncryptionKey:     l.Key,
		BucketKeyEnabled:  jsii.Bool(true), // one call to KMS for many objects
		Versioned:         jsii.Bool(true),
		LifecycleRules:    &[]*awss3.LifecycleRule{p.lifecycle()},
		RemovalPolicy:     p.RemovalPolicy,
	}
	if p.Configure != nil {
		p.Configure(props)
	}
	bucket := awss3.NewBucket(l, jsii.String("Bucket"), props)
	if l.AccessLogs != nil {
		l.logAccess(bucket)
	}
	return bucket
}

// logAccess does what the L2's ServerAccessLogsBucket does under the feature flag
// @aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy. In an app without that flag the L2 would
// set an ACL, which a bucket whose owner is enforced refuses.
func (l *LakeBucket) logAccess(bucket awss3.Bucket) {
	prefix := *l.Node().Id() + "/"
	bucket.Node().DefaultChild().(awss3.CfnBucket).SetLoggingConfiguration(&awss3.CfnBucket_LoggingConfigurationProperty{
		DestinationBucketName: l.AccessLogs.BucketName(),
		LogFilePrefix:         &prefix,
	})
	l.AccessLogs.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logging.s3.amazonaws.com"), nil)},
		Actions:    jsii.Strings("s3:PutObject"),
		Resources:  &[]*string{l.AccessLogs.ArnForObjects(jsii.String(prefix + "*"))},
		// Not by the bucket's ARN too: logs in another stack would then depend on this one, and this one on them.
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(l).Account()}},
	}))
}

func (p *LakeBucketProps) lifecycle() *awss3.LifecycleRule {
	rule := &awss3.LifecycleRule{
		AbortIncompleteMultipartUploadAfter: days(abortMultipartDays),
		NoncurrentVersionExpiration:         p.NoncurrentExpireAfter,
		Expiration:                          p.ExpireAfter,
	}
	var transitions []*awss3.Transition
	if p.InfrequentAccessAfter != nil {
		transitions = append(transitions, &awss3.Transition{StorageClass: awss3.StorageClass_INFREQUENT_ACCESS(), TransitionAfter: p.InfrequentAccessAfter})
	}
	if p.ArchiveAfter != nil {
		transitions = append(transitions, &awss3.Transition{StorageClass: awss3.StorageClass_GLACIER_INSTANT_RETRIEVAL(), TransitionAfter: p.ArchiveAfter})
	}
	if len(transitions) > 0 {
		rule.Transitions = &transitions
	}
	return rule
}
