package cloud

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// emulator is a running ministack.
type emulator struct {
	endpoint string
	process  *process.Process
}

// startEmulator starts ministack by its launcher on a free port of loopback and
// waits until it answers.
func startEmulator(ctx context.Context, root string) (*emulator, error) {
	dir := stateFolder(root)
	if err := os.MkdirAll(dir.path("tmp"), 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(dir.log("emulator"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	e := &emulator{endpoint: "http://127.0.0.1:" + strconv.Itoa(port)}
	cmd := exec.Command(python(root), filepath.Join(root, "local", "cloud", "ministack.py"))
	cmd.Dir = root
	// AWS_ENDPOINT_URL is handed on to the functions that the emulator runs.
	cmd.Env = environ(e.endpoint,
		"GATEWAY_PORT="+strconv.Itoa(port),
		"BIND_HOST=127.0.0.1",
		"MINISTACK_HOST=localhost",
		"MINISTACK_REGION="+Region,
		"MINISTACK_ACCOUNT_ID="+Account,
		"TMPDIR="+dir.path("tmp"),
		"PYTHONDONTWRITEBYTECODE=1",
		// What it would do beside serving AWS's APIs: listen on more ports, and
		// remove containers of a Docker that is none of ours.
		"IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "DOCKER_HOST=unix://"+dir.path("no-docker"),
		"PERSIST_STATE=0", "S3_PERSIST=0")
	cmd.Stdout, cmd.Stderr = log, log
	// It keeps nothing on disk, so an orphan is simply killed. Its functions end
	// by themselves when their runtime API is gone.
	if e.process, err = process.Start(cmd, syscall.SIGKILL); err != nil {
		return nil, err
	}
	if err := e.ready(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = e.process.Stop(stop, syscall.SIGTERM) // the first error tells more
		return nil, fmt.Errorf("starting the emulator: %w; %s ends with:\n%s", err, dir.log("emulator"), tail(dir.log("emulator")))
	}
	return e, nil
}

func (e *emulator) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !e.healthy(ctx) {
		select {
		case <-e.process.Done():
			return fmt.Errorf("it ended at once: %w", e.process.Err())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (e *emulator) healthy(ctx context.Context) bool { return answers(ctx, e.endpoint) }

// answers says whether an emulator serves endpoint.
func answers(ctx context.Context, endpoint string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_ministack/health", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
