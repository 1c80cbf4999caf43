package cloud

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// lock makes this process the only one that changes the environment of dir; the
// system takes the lock back when the process ends in any way.
func lock(dir folder) (unlock func(), err error) {
	if err := os.MkdirAll(dir.path("log"), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(dir.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(file)
		_ = file.Close()
		return nil, fmt.Errorf("another millrace (process %s) is at work on %s: wait for it or interrupt it", strings.TrimSpace(string(holder)), dir)
	}
	if err := file.Truncate(0); err == nil {
		_, _ = fmt.Fprintln(file, os.Getpid()) // for the message above alone
	}
	return func() { _ = file.Close() }, nil
}
