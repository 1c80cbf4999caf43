// Command cmd is the Lambda function of package notifier.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/millrace-cdk/millrace/lambdas/notifier"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	n, err := wire(context.Background(), log)
	if err != nil {
		log.Error("starting the notifier", "error", err)
		os.Exit(1)
	}
	lambda.Start(n.Handle)
}

func wire(ctx context.Context, log *slog.Logger) (*notifier.Notifier, error) {
	topic := os.Getenv(notifier.TopicVariable)
	if topic == "" {
		return nil, fmt.Errorf("%s is empty: the construct that defines this function sets it", notifier.TopicVariable)
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return &notifier.Notifier{SNS: sns.NewFromConfig(aws), Topic: topic, Log: log}, nil
}
