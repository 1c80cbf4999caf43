package cloud

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-cdk/millrace/local/rollout"
)

// rollOut moves the aliases to what was deployed. It fails if a version is refused, of which
// the old one then goes on.
func rollOut(ctx context.Context, config aws.Config, progress func(string)) error {
	outcomes, err := rollout.Run(ctx, lambda.NewFromConfig(config))
	moved := 0
	for _, o := range outcomes {
		if o.Refused == "" && o.From != o.To {
			moved++
		}
	}
	progress(fmt.Sprintf("%d of %d functions changed", moved, len(outcomes)))
	return errors.Join(err, rollout.Refused(outcomes))
}
