package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func dieWithParent(attr *syscall.SysProcAttr, death syscall.Signal) { attr.Pdeathsig = death }

// noSetuidFixup is SECBIT_NO_SETUID_FIXUP of capabilities(7).
const noSetuidFixup = 1 << 2

// keepCapabilities makes the ambient capabilities of the child that this thread
// forks next count from its change of user on, and for access(2) too, which
// initdb asks: by default both forget the capabilities of who is not root. The
// thread is changed as well and must not be used for anything else.
func keepCapabilities(attr *syscall.SysProcAttr) error {
	if len(attr.AmbientCaps) == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noSetuidFixup, 0, 0, 0); err != nil {
		return fmt.Errorf("keeping capabilities for an unprivileged child: %w", err)
	}
	return nil
}

// inspect reads /proc: ps is not on every Linux.
func inspect(pid int) (started, command string, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", err
	}
	// The second field is the program's name in parentheses and may hold
	// anything; the state is field 3 and the start, in ticks since boot, 22.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", "", fmt.Errorf("/proc/%d/stat has an unknown form: %q", pid, stat)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", "", os.ErrProcessDone
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", "", err
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", "", err
	}
	command = strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	return strings.TrimSpace(string(boot)) + "/" + fields[19], command, nil
}
