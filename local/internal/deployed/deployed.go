// Package deployed runs one worker for every deployed resource of a kind: a
// new resource gets a worker, a changed one is told, a deleted one is stopped.
package deployed

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// interval is how often the deployed resources are listed: short, since a
// deleted resource is to stop at once.
const interval = 250 * time.Millisecond

// Worker serves one deployed resource.
type Worker[T any] interface {
	// Update tells the resource's present settings; it is called at every listing.
	Update(T)
	// Run serves the resource until ctx is done.
	Run(ctx context.Context)
}

// Follow lists the deployed resources, by any key that stays theirs for life,
// and keeps a worker running for each, made by start. It returns when ctx is
// done and every worker has ended. When a listing fails the workers stay.
func Follow[T any](ctx context.Context, log *slog.Logger, list func(context.Context) (map[string]T, error), start func(T) Worker[T]) {
	type running struct {
		Worker[T]
		stop context.CancelFunc
	}
	workers := map[string]running{}
	var ended sync.WaitGroup
	defer ended.Wait()
	listing := trouble.New(log)

	for {
		found, err := list(ctx)
		if ctx.Err() != nil {
			return
		}
		listing.Report(err)
		if err == nil {
			for key, worker := range workers {
				if _, stays := found[key]; !stays {
					worker.stop()
					delete(workers, key)
				}
			}
			for key, settings := range found {
				if worker, known := workers[key]; known {
					worker.Update(settings)
					continue
				}
				own, stop := context.WithCancel(ctx)
				worker := running{start(settings), stop}
				workers[key] = worker
				ended.Go(func() {
					defer stop()
					worker.Run(own)
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
	}
}
