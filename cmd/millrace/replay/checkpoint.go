package replay

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// CheckpointName names the file of a replay: another one for another source,
// stream, loader or choice of records.
func CheckpointName(c Config) (string, error) {
	var arn string
	var created time.Time
	if c.Loader != nil {
		arn, created = c.Loader.Function, c.Loader.Created.UTC()
	} else {
		arn, created = c.Stream.ARN, c.Stream.Created.UTC()
	}
	text, err := json.Marshal(struct {
		Source, Stream string
		Created        time.Time
		Filter         Filter
		AsIs, AsNew    bool
	}{c.Source.Name(), arn, created, c.Filter, c.AsIs, c.AsNew})
	if err != nil {
		return "", fmt.Errorf("naming the checkpoint: %w", err)
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%x.jsonl", sum[:8]), nil
}

// checkpoint keeps positions in a file: a line each, of a place's lines the last counts.
type checkpoint struct {
	positions map[string]string
	file      *os.File // nil: nothing is kept
}

type checkpointLine struct {
	Place    string `json:"place"`
	Position string `json:"position"`
}

func openCheckpoint(c Config) (*checkpoint, error) {
	k := &checkpoint{positions: map[string]string{}}
	if c.Checkpoint == "" {
		return k, nil
	}
	kept, err := k.load(c.Checkpoint)
	if err != nil {
		return nil, err
	}
	if c.DryRun {
		return k, nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Checkpoint), 0o700); err != nil {
		return nil, fmt.Errorf("making the checkpoint's folder: %w", err)
	}
	if k.file, err = os.OpenFile(c.Checkpoint, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	}
	// What a crash left of a line goes.
	if err := k.file.Truncate(kept); err != nil {
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	}
	if _, err := k.file.Seek(kept, io.SeekStart); err != nil {
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	}
	return k, nil
}

// load reads the whole lines of a file, and returns how many bytes they are.
func (k *checkpoint) load(path string) (kept int64, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewReader(file)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return kept, nil
		}
		if err != nil {
			return kept, fmt.Errorf("reading the checkpoint: %w", err)
		}
		var line checkpointLine
		if err := json.Unmarshal(text, &line); err != nil {
			return kept, fmt.Errorf("reading the checkpoint %s: %w", path, err)
		}
		k.positions[line.Place] = line.Position
		kept += int64(len(text))
	}
}

// keep adds positions to the file.
func (k *checkpoint) keep(reached map[string]string) error {
	if k.file == nil || len(reached) == 0 {
		return nil
	}
	var text bytes.Buffer
	for place, position := range reached {
		if err := json.NewEncoder(&text).Encode(checkpointLine{place, position}); err != nil {
			return fmt.Errorf("encoding the checkpoint: %w", err)
		}
	}
	if _, err := k.file.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	return nil
}

func (k *checkpoint) close() error {
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}
