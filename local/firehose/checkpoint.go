package firehose

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace-cdk/millrace/internal/wholefile"
)

// checkpoint remembers in a file up to where each shard is at rest, so that a
// restart delivers every record at least once. It is not safe for concurrent use.
type checkpoint struct {
	file    string // empty: nothing is remembered
	lanes   map[string]*lane
	changed bool
}

// lane is one shard's progress.
type lane struct {
	sequence string   // everything up to it is at rest
	waiting  []*place // after it, in the shard's order
}

// place is one Kinesis record: it is at rest when nothing is left of it.
type place struct {
	sequence string
	left     int
}

// hold says that n more records have come of what p stands for.
func (p *place) hold(n int) {
	if p != nil {
		p.left += n
	}
}

// rest says that a record is delivered, failed or dropped for good.
func (p *place) rest() { p.hold(-1) }

const checkpointSuffix = ".checkpoint.json"

// checkpointFile is the file of a delivery stream, which a later one of the same name does not share.
func checkpointFile(folder string, s settings) string {
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, fmt.Sprintf("%s-%d%s", s.name, s.created.UnixMilli(), checkpointSuffix))
}

// loadCheckpoint reads a checkpoint; a file that is not there is one without progress.
func loadCheckpoint(file string) (*checkpoint, error) {
	c := &checkpoint{file: file, lanes: map[string]*lane{}}
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading a checkpoint: %w", err)
	}
	sequences := map[string]string{}
	if err := json.Unmarshal(text, &sequences); err != nil {
		return c, fmt.Errorf("reading the checkpoint %s: %w", file, err)
	}
	for shard, sequence := range sequences {
		c.lanes[shard] = &lane{sequence: sequence}
	}
	return c, nil
}

// sequences is the checkpoint as its file has it.
func (c *checkpoint) sequences() map[string]string {
	sequences := map[string]string{}
	for shard, l := range c.lanes {
		if l.sequence != "" {
			sequences[shard] = l.sequence
		}
	}
	return sequences
}

// track takes in a shard's next record, of which nothing is left to do as yet.
func (c *checkpoint) track(shard, sequence string) *place {
	l := c.lanes[shard]
	if l == nil {
		l = &lane{}
		c.lanes[shard] = l
	}
	p := &place{sequence: sequence}
	l.waiting = append(l.waiting, p)
	return p
}

// save writes the file if a shard has got on since the last time.
func (c *checkpoint) save() error {
	for _, l := range c.lanes {
		for len(l.waiting) > 0 && l.waiting[0].left == 0 {
			l.sequence, l.waiting = l.waiting[0].sequence, l.waiting[1:]
			c.changed = true
		}
	}
	if c.file == "" || !c.changed {
		return nil
	}
	text, err := json.Marshal(c.sequences())
	if err != nil {
		return fmt.Errorf("encoding a checkpoint: %w", err)
	}
	if err := wholefile.Write(c.file, text, 0o600); err != nil {
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	c.changed = false
	return nil
}

// prepareState makes the folder of the checkpoints, and removes those of
// delivery streams that are no more.
func prepareState(folder string, deployed map[string]settings) error {
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("firehose: making the folder of checkpoints: %w", err)
	}
	kept := map[string]bool{}
	for _, s := range deployed {
		kept[checkpointFile(folder, s)] = true
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("firehose: listing checkpoints: %w", err)
	}
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		if strings.HasSuffix(file, checkpointSuffix) && !kept[file] {
			if err := os.Remove(file); err != nil {
				return fmt.Errorf("firehose: removing a checkpoint: %w", err)
			}
		}
	}
	return nil
}
