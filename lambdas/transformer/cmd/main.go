// Command cmd is the Lambda function of package transformer: the steps that its
// spec declares.
package main

import (
	"context"
	"log/slog"
	"os"
	_ "time/tzdata" // provided.al2023 need not have the zones that a Timestamp step names

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/lambdas/transformer/steps"
	"github.com/millrace-cdk/millrace/spec"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	f, err := assemble(context.Background())
	if err != nil {
		slog.Error("starting the transformer", "error", err)
		os.Exit(1)
	}
	transformer.Start(f)
}

// assemble returns what the spec declares; without a spec, [transformer.ToLine].
func assemble(ctx context.Context) (transformer.Func, error) {
	var s spec.Transformer
	if text := os.Getenv(spec.Variable); text != "" {
		if err := spec.Decode(text, &s); err != nil {
			return nil, err
		}
	}
	var key []byte
	if s.HashKeyARN != "" {
		aws, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		if key, err = steps.ReadKey(ctx, secretsmanager.NewFromConfig(aws), s.HashKeyARN); err != nil {
			return nil, err
		}
	}
	return steps.New(s, key)
}
