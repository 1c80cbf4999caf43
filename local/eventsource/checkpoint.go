package eventsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/millrace-cdk/millrace/internal/wholefile"
	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// checkpoint is how far a mapping has got. It outlives the mapping's being
// disabled and, with a file, the process.
type checkpoint struct {
	// polling holds one value while the mapping is polled for: when it is enabled
	// again at once, its last invocations may not have ended.
	polling chan struct{}

	mu     sync.Mutex
	file   string // "": in memory only
	saving *trouble.Log
	saved  progress
	// waiting are each shard's records after its position, in order, by the shard's key.
	waiting map[string][]*place
}

// progress is a checkpoint's file.
type progress struct {
	// Started is when the mapping was first polled for: LATEST means then for ever after.
	Started time.Time `json:"started"`
	// Shards are by the shard's key.
	Shards map[string]position `json:"shards"`
}

// position is what is done of one shard.
type position struct {
	// Sequence is the last of the records that are processed without a gap.
	Sequence string `json:"sequence"`
	// Window is the tumbling window that is open after that record.
	Window *window `json:"window,omitempty"`
}

// place is one record of a shard.
type place struct {
	sequence string
	done     bool
}

// loadCheckpoint reads a checkpoint; a file that is not there is one without progress.
func loadCheckpoint(file string, log *slog.Logger) (*checkpoint, error) {
	c := &checkpoint{
		polling: make(chan struct{}, 1), file: file, saving: trouble.New(log),
		saved: progress{Shards: map[string]position{}}, waiting: map[string][]*place{},
	}
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a checkpoint: %w", err)
	}
	if err := json.Unmarshal(text, &c.saved); err != nil {
		return nil, fmt.Errorf("reading the checkpoint %s: %w", file, err)
	}
	return c, nil
}

// begin forgets what was read and not processed, and returns when the mapping
// was first polled for.
func (c *checkpoint) begin() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.waiting)
	if c.saved.Started.IsZero() {
		c.saved.Started = time.Now().Truncate(time.Millisecond) // as exact as an arrival
		c.save()
	}
	return c.saved.Started
}

// position returns what is done of a shard.
func (c *checkpoint) position(shard string) position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saved.Shards[shard]
}

// after returns where to go on reading a shard, "" at its start.
func (c *checkpoint) after(shard string) string { return c.position(shard).Sequence }

// track takes in a shard's next record.
func (c *checkpoint) track(shard, sequence string) *place {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &place{sequence: sequence}
	c.waiting[shard] = append(c.waiting[shard], p)
	return p
}

// finish says that places of a shard need not be processed again.
func (c *checkpoint) finish(shard string, places ...*place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.move(shard, c.saved.Shards[shard].Window, places)
}

// finishIn is finish, and says at once which window is open afterwards: a
// restart must not find one without the other.
func (c *checkpoint) finishIn(shard string, open *window, places ...*place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open != nil {
		kept := *open
		open = &kept
	}
	c.move(shard, open, places)
}

func (c *checkpoint) move(shard string, open *window, places []*place) {
	for _, p := range places {
		p.done = true
	}
	now := position{Sequence: c.saved.Shards[shard].Sequence, Window: open}
	waiting := c.waiting[shard]
	for len(waiting) > 0 && waiting[0].done {
		now.Sequence, waiting = waiting[0].sequence, waiting[1:]
	}
	c.waiting[shard], c.saved.Shards[shard] = waiting, now
	c.save()
}

// save writes the file. Trouble costs no record, only processing some again.
func (c *checkpoint) save() {
	if c.file != "" {
		c.saving.Report(write(c.file, c.saved))
	}
}

func write(file string, p progress) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding a checkpoint: %w", err)
	}
	if err := wholefile.Write(file, text, 0o600); err != nil {
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	return nil
}

// remove forgets the checkpoint for good.
func (c *checkpoint) remove() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	file := c.file
	c.file = "" // an invocation may still be at its end
	if file == "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a checkpoint: %w", err)
	}
	return nil
}
