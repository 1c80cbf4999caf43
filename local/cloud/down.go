package cloud

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Down stops all that [Up] started, also after a crash, and removes its data. It
// never signals a process that is not exactly the one that was started. The
// caches and the logs stay. Nothing up is no error. It runs to its end even when
// ctx is done, as it is after an interrupt.
func Down(_ context.Context, root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	dir := stateFolder(root)
	if _, err := os.Stat(string(dir)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	return takeDown(dir)
}

func takeDown(dir folder) error {
	s, err := readState(dir)
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	return dir.clear()
}
