package deployed_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/local/internal/deployed"
)

type worker struct {
	name   string
	events chan<- string
}

func (w worker) Update(setting string) { w.events <- w.name + " updated to " + setting }

func (w worker) Run(ctx context.Context) {
	w.events <- w.name + " runs"
	<-ctx.Done()
	w.events <- w.name + " stops"
}

func TestWorkersFollowWhatIsDeployed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listings := []map[string]string{{"a": "1"}, {"a": "2"}, nil, {}, {"b": "1"}}
		events := make(chan string, 100)
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1900*time.Millisecond, cancel)
		deployed.Follow(ctx, slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) (map[string]string, error) {
			if len(listings) == 0 {
				return map[string]string{"b": "1"}, nil
			}
			now := listings[0]
			listings = listings[1:]
			if now == nil {
				return nil, errors.New("connection refused")
			}
			return now, nil
		}, func(setting string) deployed.Worker[string] {
			return worker{"worker " + setting, events}
		})
		close(events) // every worker has stopped by now
		var got []string
		for event := range events {
			got = append(got, event)
		}
		updates := slices.Repeat([]string{"worker 1 updated to 1"}, 3)
		assert.Equal(t, slices.Concat([]string{"worker 1 runs", "worker 1 updated to 2", "worker 1 stops", "worker 1 runs"}, updates, []string{"worker 1 stops"}), got)
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	})
}
