// Command cmd is the Lambda function of package migrator.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/spec"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	m, err := wire(context.Background())
	if err != nil {
		// Ending here would leave CloudFormation waiting for an answer for an hour.
		slog.Error("starting the migrator", "error", err)
		lambda.Start(cfn.LambdaWrap(migrator.Refuse(err)))
	}
	lambda.Start(cfn.LambdaWrap(m.Handle))
}

func wire(ctx context.Context) (migrator.Migrator, error) {
	var s spec.Migrator
	if err := spec.Decode(os.Getenv(spec.Variable), &s); err != nil {
		return migrator.Migrator{}, err
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return migrator.Migrator{}, err
	}
	return migrator.New(s, aws)
}
