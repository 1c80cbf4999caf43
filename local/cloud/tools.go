package cloud

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What the tools must at least be; local/preflight.sh says the same before
// anything of ours is built.
const (
	leastNode = 20
	leastDisk = 2 << 30 // bytes: the CDK assets, Postgres's files and the emulator's copies of the functions
)

// python is the interpreter that the emulator is installed for.
func python(root string) string { return filepath.Join(root, ".venv", "bin", "python") }

// cdk is the CDK CLI.
func cdk(root string) string { return filepath.Join(root, "node_modules", ".bin", "cdk") }

// node returns the path of Node.js.
func node() (string, error) {
	path, err := exec.LookPath("node")
	if err != nil {
		return "", fmt.Errorf("node is not on the PATH: install Node.js %d or later, https://nodejs.org", leastNode)
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("running %s --version: %w", path, err)
	}
	text := strings.TrimSpace(string(version))
	major, _, _ := strings.Cut(strings.TrimPrefix(text, "v"), ".")
	if number, err := strconv.Atoi(major); err != nil || number < leastNode {
		return "", fmt.Errorf("node is %s: install Node.js %d or later, https://nodejs.org", text, leastNode)
	}
	return path, nil
}

// checkTools reports everything that is missing at once.
func checkTools(root string) error {
	var errs []error
	if _, err := node(); err != nil {
		errs = append(errs, err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		errs = append(errs, errors.New("go is not on the PATH: install Go 1.26 or later, https://go.dev/dl"))
	}
	if output, err := exec.Command(python(root), "-c", "import sys; sys.exit(sys.version_info < (3, 10) and 'Python is %d.%d: 3.10 or later is needed' % sys.version_info[:2])").CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(output))
		if text == "" {
			text = err.Error()
		}
		errs = append(errs, fmt.Errorf("the emulator's Python environment %s does not work (%s): run `make setup`", filepath.Join(root, ".venv"), text))
	}
	if _, err := os.Stat(cdk(root)); err != nil {
		errs = append(errs, fmt.Errorf("the CDK CLI is not in %s: run `make setup`", filepath.Join(root, "node_modules")))
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(root, &disk); err != nil {
		errs = append(errs, fmt.Errorf("reading the free space of %s: %w", root, err))
	} else if free := disk.Bavail * uint64(disk.Bsize); free < leastDisk {
		errs = append(errs, fmt.Errorf("%s has %.1f GB free: free at least %d GB", root, float64(free)/(1<<30), leastDisk>>30))
	}
	return errors.Join(errs...)
}

// checkPort says which flag to change when a port that was asked for is taken.
func checkPort(port int) error {
	if port == 0 {
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return fmt.Errorf("port %d is not to be had (%w): free it, or choose another for the API by --port (without it, a free one is taken)", port, err)
	}
	return listener.Close()
}

// tail is the end of a log file, for an error message.
func tail(path string) string {
	const lines, bytes = 20, 16 << 10
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > bytes {
		if _, err := file.Seek(-bytes, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
