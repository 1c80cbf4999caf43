package recovery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// TimeControlMinutes is within which S3 Replication Time Control replicates 99.9 % of
// objects by its service level agreement, and the only value that it takes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html
const TimeControlMinutes = 15

// Replica is the bucket that a [Replication] fills. It is named and not taken as a
// resource: it stands in another region's stack, which is there before.
type Replica struct {
	// BucketName is the bucket, which must be versioned. Required.
	BucketName string
	// Region is the AWS region that it is in. Required.
	Region string
	// KeyArn is the ARN of the key there that encrypts the replicas, or of an alias of it. Required.
	KeyArn string
}

// ReplicationProps says what is replicated where.
type ReplicationProps struct {
	// Bucket is the source. It must be versioned and defined in this app. Required.
	Bucket awss3.IBucket
	// Key is what its objects are encrypted with.
	//
	// Default: the bucket's own.
	Key awskms.IKey
	// To is where the replicas go. Required.
	To Replica
	// SkipTimeControl leaves S3 Replication Time Control out, which is paid by GB: most objects are
	// then replicated within 15 minutes too, and nobody promises it. The metrics stay.
	//
	// Default: false.
	SkipTimeControl bool
	// DeleteMarkers are replicated too: what is deleted here is then deleted there, though not its versions.
	//
	// Default: false, so that the replica outlasts a mistake.
	DeleteMarkers bool
}

// Validate reports every problem of the props in one error.
func (p *ReplicationProps) Validate() error {
	if p == nil {
		p = new(ReplicationProps)
	}
	var errs []error
	problem := func(bad bool, message string) {
		if bad {
			errs = append(errs, errors.New(message))
		}
	}
	if p.Bucket == nil {
		errs = append(errs, errors.New("bucket is required: pass the bucket to replicate"))
	} else {
		_, ours := p.Bucket.Node().DefaultChild().(awss3.CfnBucket)
		problem(!ours, "bucket must be defined in this app, got one that is imported: its replication is a property of it")
		problem(p.Key == nil && p.Bucket.EncryptionKey() == nil, "key is required: the bucket has none of its own")
	}
	problem(p.To.BucketName == "", "to: bucket name is required")
	problem(p.To.Region == "", "to: region is required")
	problem(p.To.KeyArn == "", "to: key ARN is required: replicas of encrypted objects are encrypted with a key of their region")
	return errors.Join(errs...)
}

// Replication copies every new object of a bucket to a bucket in another region as
// soon as it is there, and measures how far behind it is: the metrics ReplicationLatency,
// BytesPendingReplication and OperationsFailedReplication of AWS/S3. What was there before it is not copied:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html
type Replication struct {
	constructs.Construct

	Role awsiam.Role // what S3 assumes

	dimensions map[string]*string // of its metrics
}

// MetricLatency is by how many seconds the replica is behind, by default the greatest in 5 minutes.
// The metrics are explained in https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-metrics.html
func (r *Replication) MetricLatency(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return r.metric("ReplicationLatency", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricPending is how many bytes are not replicated yet, by default the greatest in 5 minutes.
func (r *Replication) MetricPending(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return r.metric("BytesPendingReplication", awscloudwatch.Stats_MAXIMUM(), options)
}

// MetricFailed is how many objects could not be replicated and will not be, by default their sum in 5 minutes.
func (r *Replication) MetricFailed(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return r.metric("OperationsFailedReplication", awscloudwatch.Stats_SUM(), options)
}

func (r *Replication) metric(name string, statistic *string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String("AWS/S3"), MetricName: &name, DimensionsMap: &r.dimensions,
	}).With(watch.Options(statistic, options)).AttachTo(r)
}

// NewReplication defines a Replication in scope. It panics on invalid props (see
// [ReplicationProps.Validate]).
func NewReplication(scope constructs.Construct, id string, props *ReplicationProps) *Replication {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("recovery: %s: %w", id, err))
	}
	p := *props
	if p.Key == nil {
		p.Key = p.Bucket.EncryptionKey()
	}

	r := &Replication{dimensions: map[string]*string{"SourceBucket": p.Bucket.BucketName(), "DestinationBucket": &p.To.BucketName, "RuleId": &id}}
	constructs.NewConstruct_Override(r, scope, &id)
	r.Role = awsiam.NewRole(r, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("s3.amazonaws.com"), nil),
	})
	r.allow(&p)
	p.Bucket.Node().DefaultChild().(awss3.CfnBucket).SetReplicationConfiguration(&awss3.CfnBucket_ReplicationConfigurationProperty{
		Role:  r.Role.RoleArn(),
		Rules: &[]any{p.rule(id)},
	})
	return r
}

func (p *ReplicationProps) rule(id string) *awss3.CfnBucket_ReplicationRuleProperty {
	minutes := &awss3.CfnBucket_ReplicationTimeValueProperty{Minutes: jsii.Number(TimeControlMinutes)}
	enabled := jsii.String("Enabled")
	destination := &awss3.CfnBucket_ReplicationDestinationProperty{
		Bucket:                  jsii.String(p.arn("s3", "", p.To.BucketName)),
		EncryptionConfiguration: &awss3.CfnBucket_EncryptionConfigurationProperty{ReplicaKmsKeyId: &p.To.KeyArn},
		Metrics:                 &awss3.CfnBucket_MetricsProperty{Status: enabled},
	}
	if !p.SkipTimeControl {
		destination.Metrics = &awss3.CfnBucket_MetricsProperty{Status: enabled, EventThreshold: minutes}
		destination.ReplicationTime = &awss3.CfnBucket_ReplicationTimeProperty{Status: enabled, Time: minutes}
	}
	markers := "Disabled"
	if p.DeleteMarkers {
		markers = "Enabled"
	}
	return &awss3.CfnBucket_ReplicationRuleProperty{
		Id:                      &id,
		Status:                  enabled,
		Priority:                jsii.Number(1),
		Filter:                  &awss3.CfnBucket_ReplicationRuleFilterProperty{Prefix: jsii.String("")},
		DeleteMarkerReplication: &awss3.CfnBucket_DeleteMarkerReplicationProperty{Status: &markers},
		SourceSelectionCriteria: &awss3.CfnBucket_SourceSelectionCriteriaProperty{
			SseKmsEncryptedObjects: &awss3.CfnBucket_SseKmsEncryptedObjectsProperty{Status: enabled},
		},
		Destination: destination,
	}
}

// arn is the ARN of a resource of the replica's region in the bucket's account and partition.
func (p *ReplicationProps) arn(service, region, resource string) string {
	stack := awscdk.Stack_Of(p.Bucket)
	if region == "" { // a bucket's has neither
		return fmt.Sprintf("arn:%s:%s:::%s", *stack.Partition(), service, resource)
	}
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", *stack.Partition(), service, region, *stack.Account(), resource)
}

// allow is what S3 documents for the role, of encrypted objects too.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
func (r *Replication) allow(p *ReplicationProps) {
	source, replica := *p.Bucket.BucketArn(), p.arn("s3", "", p.To.BucketName)
	iam.Allow(r.Role, source, "s3:ListBucket", "s3:GetReplicationConfiguration")
	iam.Allow(r.Role, source+"/*", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")
	iam.Allow(r.Role, replica+"/*", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")

	// The context is the bucket where it has a bucket key, else the object.
	r.cipher(*awscdk.Stack_Of(p.Bucket).Region(), source, *p.Key.KeyArn(), "", "kms:Decrypt")
	key, name := p.To.KeyArn, ""
	if _, alias, ok := strings.Cut(p.To.KeyArn, ":alias/"); ok {
		key, name = p.arn("kms", p.To.Region, "key/*"), "alias/"+alias
	}
	r.cipher(p.To.Region, replica, key, name, "kms:Encrypt", "kms:GenerateDataKey")
	suppress.Rules(suppress.Policy(r.Role), "Objects are named when they are written, and the replica's key is known by its alias, which the condition asks for",
		`AwsSolutions-IAM5[/^Resource::.+\/\*$/]`)
}

// cipher allows actions with key, or with that one of several keys which has the alias, for S3 and the objects of bucket.
func (r *Replication) cipher(region, bucket, key, alias string, actions ...string) {
	statement := iam.Statement([]string{key}, actions...)
	statement.AddCondition(jsii.String("StringEquals"), map[string]any{"kms:ViaService": "s3." + region + ".amazonaws.com"})
	statement.AddCondition(jsii.String("StringLike"), map[string]any{"kms:EncryptionContext:aws:s3:arn": []string{bucket, bucket + "/*"}})
	if alias != "" {
		statement.AddCondition(jsii.String("ForAnyValue:StringEquals"), map[string]any{"kms:ResourceAliases": []string{alias}})
	}
	r.Role.AddToPolicy(statement)
}
