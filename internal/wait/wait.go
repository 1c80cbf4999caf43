// Package wait waits.
package wait

import (
	"context"
	"time"
)

// For returns nil after d, or ctx's error as soon as it is done.
func For(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
