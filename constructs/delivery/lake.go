package delivery

import (
	"cmp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DefaultRemovalPolicy is what becomes of buckets, keys and log groups that leave their stack.
const DefaultRemovalPolicy = awscdk.RemovalPolicy_RETAIN

// abortMultipartDays is how long the parts of an upload that was never finished are paid for.
const abortMultipartDays = 7

// LakeBucketProps says how a LakeBucket is encrypted and what becomes of it.
type LakeBucketProps struct {
	// Key encrypts the objects.
	//
	// Default: a new customer-managed key, rotated every year, with the bucket's removal policy.
	Key awskms.IKey
	// RemovalPolicy says what becomes of the bucket, and of its key unless Key is
	// given, when they leave the stack. CloudFormation deletes only an empty bucket.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// Configure edits the L2 props last, after every default is set.
	//
	// Default: no change.
	Configure func(*awss3.BucketProps)
}

func (p *LakeBucketProps) withDefaults() *LakeBucketProps {
	q := LakeBucketProps{}
	if p != nil {
		q = *p
	}
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}

// LakeBucket is a private, versioned bucket whose objects are encrypted with a
// customer-managed key and reached by TLS alone.
type LakeBucket struct {
	constructs.Construct

	Bucket awss3.IBucket
	Key    awskms.IKey
}

// NewLakeBucket defines a LakeBucket in scope; props may be nil.
func NewLakeBucket(scope constructs.Construct, id string, props *LakeBucketProps) *LakeBucket {
	p := props.withDefaults()

	lake := new(LakeBucket)
	constructs.NewConstruct_Override(lake, scope, &id)
	lake.Key = lake.key(p)
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
		LifecycleRules: &[]*awss3.LifecycleRule{{
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(abortMultipartDays)),
		}},
		RemovalPolicy: p.RemovalPolicy,
	}
	if p.Configure != nil {
		p.Configure(props)
	}
	return awss3.NewBucket(l, jsii.String("Bucket"), props)
}
