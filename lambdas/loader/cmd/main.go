// Command cmd is the Lambda function of package loader.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/millrace-cdk/millrace/lambdas/emf"
	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/spec"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	l, err := wire(context.Background(), log)
	if err != nil {
		log.Error("starting the loader", "error", err)
		os.Exit(1)
	}
	lambda.Start(l)
}

func wire(ctx context.Context, log *slog.Logger) (*loader.Loader, error) {
	var s spec.Loader
	if err := spec.Decode(os.Getenv(spec.Variable), &s); err != nil {
		return nil, err
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	l, err := loader.New(s, aws, log)
	if err != nil {
		return nil, err
	}
	l.Metrics = &emf.Writer{
		Output: os.Stdout, Namespace: loader.MetricNamespace,
		Dimensions: map[string]string{loader.MetricDimension: lambdacontext.FunctionName},
	}
	return l, nil
}
