package load

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/poll"
)

// FailuresPrefix is the folder of OnFailure that this loader's failed batches are in.
func (l *PostgresLoader) FailuresPrefix() *string {
	return jsii.String(poll.FailuresFolder + *l.Mapping.Ref() + "/")
}

func (l *PostgresLoader) bucket(p *PostgresLoaderProps) awss3.IBucket {
	if p.OnFailure != nil {
		return p.OnFailure
	}
	return poll.Failures(l, p.Source, p.FailureRetention, p.RemovalPolicy)
}
