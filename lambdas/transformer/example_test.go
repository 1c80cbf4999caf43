package transformer_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
)

// A transformation of one's own; its main calls transformer.Start(american).
func ExampleFunc() {
	american := func(ctx context.Context, r transformer.Record) (transformer.Result, error) {
		r.Payload = bytes.ReplaceAll(r.Payload, []byte("colour"), []byte("color"))
		return transformer.ToLine(ctx, r)
	}
	result, err := american(context.Background(), transformer.Record{Payload: []byte(`{"event_id":"e-1","colour":"red"}`), ArrivedAt: time.UnixMilli(1767323045678)})
	fmt.Print(string(result.Data), err)
	// Output:
	// {"event_id":"e-1","color":"red","_millrace":{"id":"e-1","arrived_at":"2026-01-02T03:04:05.678Z"}}
	// <nil>
}
