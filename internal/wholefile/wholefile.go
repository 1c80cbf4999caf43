// Package wholefile writes files that are there whole or as they were before.
package wholefile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write puts content into the file at path, with mode, in place of what was there.
// It is written beside it and renamed, so that a crash leaves the one or the
// other, whoever else is writing it. Nothing is synchronized to the disk.
func Write(path string, content []byte, mode os.FileMode) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = fresh.Write(content)
	if err := errors.Join(err, fresh.Chmod(mode), fresh.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	if err := os.Rename(fresh.Name(), path); err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	return nil
}
