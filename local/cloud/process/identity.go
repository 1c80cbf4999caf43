package process

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Identity tells one process from every other, also from a later one with the
// same id.
type Identity struct {
	Pid int `json:"pid"`
	// Started is when the process started, in the system's own notation.
	Started string `json:"started"`
	// Command is its command line.
	Command string `json:"command"`
}

// Of returns the identity of the running process pid.
func Of(pid int) (Identity, error) {
	started, command, err := inspect(pid)
	if err != nil {
		return Identity{}, fmt.Errorf("inspecting process %d: %w", pid, err)
	}
	return Identity{Pid: pid, Started: started, Command: command}, nil
}

// Alive says whether exactly this process still runs.
func (i Identity) Alive() bool {
	now, err := Of(i.Pid)
	return err == nil && now == i
}

// Stop sends exactly this process signal, waits up to patience for it to end,
// and kills it after that. A process that does not run any more is no error.
func (i Identity) Stop(signal syscall.Signal, patience time.Duration) error {
	if i.Pid <= 0 {
		return nil
	}
	// The handle first, the check second: on Linux the handle is a pidfd, so
	// what is signalled is what was checked even if the id is reused between.
	handle, err := os.FindProcess(i.Pid)
	if err != nil {
		return nil
	}
	defer func() { _ = handle.Release() }()
	if !i.Alive() {
		return nil
	}
	if err := handle.Signal(signal); err != nil && i.Alive() {
		return fmt.Errorf("signalling process %d (%s): %w", i.Pid, i.Command, err)
	}
	if i.gone(patience) {
		return nil
	}
	if err := handle.Kill(); err != nil && i.Alive() {
		return fmt.Errorf("killing process %d (%s): %w", i.Pid, i.Command, err)
	}
	if !i.gone(5 * time.Second) {
		return fmt.Errorf("process %d (%s) does not end, not even by SIGKILL", i.Pid, i.Command)
	}
	return nil
}

func (i Identity) gone(within time.Duration) bool {
	deadline := time.Now().Add(within)
	for i.Alive() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
	return true
}
