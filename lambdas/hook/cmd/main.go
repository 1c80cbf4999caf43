// Command cmd is the Lambda function of package hook.
package main

import (
	"context"
	"log/slog"
	"os"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-cdk/millrace/lambdas/hook"
	"github.com/millrace-cdk/millrace/spec"
)

// attempts outlast the moments in which all of a loader's reserved concurrency is in use.
const attempts = 10

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	f, err := wire(context.Background(), log)
	if err != nil {
		log.Error("starting the hook", "error", err)
		os.Exit(1)
	}
	awslambda.Start(f.Handle)
}

func wire(ctx context.Context, log *slog.Logger) (*hook.Function, error) {
	var s spec.Hook
	if err := spec.Decode(os.Getenv(spec.Variable), &s); err != nil {
		return nil, err
	}
	aws, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(attempts))
	if err != nil {
		return nil, err
	}
	return &hook.Function{
		Hook:       &hook.Hook{Spec: s, Lambda: lambda.NewFromConfig(aws)},
		CodeDeploy: codedeploy.NewFromConfig(aws),
		Log:        log,
	}, nil
}
