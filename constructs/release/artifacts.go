package release

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// ArtifactDays is how long artifacts, caches and lists of changes are kept. A stage can be
// rolled back to a release whose artifacts are still there.
const ArtifactDays = 90

func (r *Pipeline) key(p *PipelineProps) awskms.IKey {
	if p.Key != nil {
		return p.Key
	}
	return awskms.NewKey(r, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the artifacts and notifications of " + *r.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.RemovalPolicy,
	})
}

// artifacts is what a lake's bucket is too: private, versioned, reached by TLS alone, every use logged.
func (r *Pipeline) artifacts(p *PipelineProps) awss3.IBucket {
	return delivery.NewLakeBucket(r, "Artifacts", &delivery.LakeBucketProps{
		Key:           r.Key,
		ExpireAfter:   awscdk.Duration_Days(jsii.Number(ArtifactDays)),
		RemovalPolicy: p.RemovalPolicy,
	}).Bucket
}

// logGroup is one for all: those that CodeBuild makes by itself are kept for ever.
func (r *Pipeline) logGroup(p *PipelineProps) awslogs.LogGroup {
	group := awslogs.NewLogGroup(r, jsii.String("LogGroup"), &awslogs.LogGroupProps{
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	suppress.Rules(group, "CloudWatch Logs encrypts it with a key of its own; builds print no secret", "CKV_AWS_158")
	return group
}
