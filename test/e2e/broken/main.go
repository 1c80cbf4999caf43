// Command broken is the transformer with a fault, as a bad day may bring one: the test of rollouts deploys it.
package main

import (
	"context"
	"os"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
)

// how it is broken, by the linker.
var how string

func main() {
	transformer.Start(func(ctx context.Context, r transformer.Record) (transformer.Result, error) {
		switch how {
		case "drops":
			return transformer.Result{}, nil
		case "crashes":
			os.Exit(3)
		case "passes on":
			return transformer.Result{Data: append(append(r.Buffer, r.Payload...), '\n')}, nil
		}
		return transformer.ToLine(ctx, r)
	})
}
