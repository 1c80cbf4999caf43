// Command cmd is the Lambda function of package aggregator.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/millrace-cdk/millrace/lambdas/aggregator"
	"github.com/millrace-cdk/millrace/lambdas/emf"
	"github.com/millrace-cdk/millrace/spec"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	a, err := wire(context.Background(), log)
	if err != nil {
		log.Error("starting the aggregator", "error", err)
		os.Exit(1)
	}
	lambda.Start(a)
}

func wire(ctx context.Context, log *slog.Logger) (*aggregator.Aggregator, error) {
	var s spec.Windows
	if err := spec.Decode(os.Getenv(spec.Variable), &s); err != nil {
		return nil, err
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	a, err := aggregator.New(s)
	if err != nil {
		return nil, err
	}
	a.Log = log
	a.Sink = &aggregator.Stream{Kinesis: kinesis.NewFromConfig(aws), ARN: s.Results}
	a.Metrics = &emf.Writer{
		Output: os.Stdout, Namespace: aggregator.MetricNamespace,
		Dimensions: map[string]string{aggregator.MetricDimension: lambdacontext.FunctionName},
	}
	return a, nil
}
