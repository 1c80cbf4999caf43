// Command cmd is the Lambda function of package transformer.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	lambda.Start(transformer.Handler{Transform: transformer.ToLine, Log: log}.Handle)
}
