//go:build !linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing: only Linux can promise it.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

func keepCapabilities(*syscall.SysProcAttr) error { return nil }

func inspect(pid int) (started, command string, err error) {
	ps := exec.Command("ps", "-o", "stat=,lstart=,command=", "-p", strconv.Itoa(pid))
	ps.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := ps.Output()
	if err != nil {
		return "", "", fmt.Errorf("running ps: %w", err)
	}
	// lstart is five words: Mon Jan  2 15:04:05 2006.
	fields := strings.Fields(string(out))
	if len(fields) < 7 || strings.HasPrefix(fields[0], "Z") {
		return "", "", os.ErrProcessDone
	}
	return strings.Join(fields[1:6], " "), strings.Join(fields[6:], " "), nil
}
