package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/millrace-cdk/millrace/local/cloud/postgres"
)

// SuperviseCommand is the command of the millrace program that calls [Run]. Its
// flags are --root, --port and --time-scale.
const SuperviseCommand = "supervise"

// UpConfig says what [Up] brings up.
type UpConfig struct {
	// Root is the repository's root. Required.
	Root string
	// GatewayPort is the port of the deployed REST APIs. Default: a free one.
	GatewayPort int
	// TimeScale divides the buffer intervals of delivery streams. Default: [DefaultTimeScale].
	TimeScale float64
	// Progress gets a line a step. Default: nothing.
	Progress io.Writer
	// Executable is the millrace program. Default: the running program, which
	// then must know [SuperviseCommand].
	Executable string
	// Assembly is the folder of a cloud assembly to deploy. Default: Root's app
	// is synthesized with env=local.
	Assembly string
}

// Up starts the laptop's cloud, deploys the app into it and writes
// .millrace/local.env. If the cloud is up already, it only deploys again, which
// changes nothing when nothing has changed. When Up fails or ctx ends, whatever
// it started is stopped before it returns; the logs stay.
func Up(ctx context.Context, config UpConfig) (*Environment, error) {
	root, err := filepath.Abs(config.Root)
	if err != nil {
		return nil, err
	}
	config.Root = root
	if err := checkTools(root); err != nil {
		return nil, err
	}
	u := &up{UpConfig: config, dir: stateFolder(root), progress: newProgress(config.Progress)}
	unlock, err := lock(u.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()

	started, err := u.start(ctx)
	if err == nil {
		var environment *Environment
		if environment, err = u.deploy(ctx); err == nil {
			return environment, nil
		}
	}
	if started {
		err = errors.Join(err, takeDown(u.dir))
	}
	return nil, err
}

type up struct {
	UpConfig
	dir      folder
	progress progress
	state    state
}

// start makes sure that a healthy cloud runs, and says whether it started one.
func (u *up) start(ctx context.Context) (started bool, err error) {
	if u.state, err = readState(u.dir); err != nil {
		return false, err
	}
	if u.state.healthy(ctx) {
		if u.GatewayPort != 0 && u.state.Gateway != u.gatewayAddress() {
			return false, fmt.Errorf("the API is up already on %s: run `make down` before choosing another port", u.state.Gateway)
		}
		return false, u.progress.step("the emulator and Postgres are up already", func(func(string)) error { return nil })
	}
	// What a crash left over goes first.
	if err := errors.Join(u.state.stop(), u.dir.clear()); err != nil {
		return false, err
	}
	if err := checkPort(u.GatewayPort); err != nil {
		return false, err
	}
	if !postgres.Installed() {
		err := u.progress.step("downloading Postgres "+postgres.Version+" (once)", func(func(string)) error {
			_, err := postgres.Install(ctx)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return true, u.progress.step("starting the emulator and Postgres", func(func(string)) error { return u.supervise(ctx) })
}

func (u *up) gatewayAddress() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(u.GatewayPort))
}

// Running says whether the environment of the repository's root is up: its
// supervisor runs and what it holds answers. A crashed one is not.
func Running(ctx context.Context, root string) (bool, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return false, err
	}
	s, err := readState(stateFolder(root))
	return err == nil && s.healthy(ctx), err
}

// healthy says whether the supervisor runs and what it holds answers.
func (s state) healthy(ctx context.Context) bool {
	if !s.Ready || !s.Supervisor.Alive() || !answers(ctx, s.Endpoint) {
		return false
	}
	for _, address := range []string{s.Gateway, net.JoinHostPort("127.0.0.1", strconv.Itoa(s.DatabasePort))} {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil || conn.Close() != nil {
			return false
		}
	}
	return true
}

// supervise starts the supervisor in a session of its own, so that it outlives
// this process and its terminal, and waits until it is ready.
func (u *up) supervise(ctx context.Context) error {
	executable := u.Executable
	if executable == "" {
		own, err := os.Executable()
		if err != nil {
			return err
		}
		executable = own
	}
	log, err := os.Create(u.dir.log("supervisor"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(executable, SuperviseCommand, "--root="+u.Root, "--port="+strconv.Itoa(u.GatewayPort),
		"--time-scale="+strconv.FormatFloat(cmp.Or(u.TimeScale, DefaultTimeScale), 'g', -1, 64))
	cmd.Dir = u.Root
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	for {
		if u.state, err = readState(u.dir); err != nil {
			return err
		}
		if u.state.Ready && u.state.Supervisor.Pid == cmd.Process.Pid {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("starting the cloud: %w; %s ends with:\n%s", orExit(err), u.dir.log("supervisor"), tail(u.dir.log("supervisor")))
		case <-ctx.Done():
			// Not yet waited for, so the id is still the supervisor's.
			return errors.Join(context.Cause(ctx), cmd.Process.Signal(syscall.SIGTERM), await(ended))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// await waits for a supervisor that was told to stop.
func await(ended <-chan error) error {
	select {
	case <-ended: //nolint:errcheck // it was told to stop: however it ended, it did
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("the supervisor does not stop")
	}
}

func (u *up) deploy(ctx context.Context) (*Environment, error) {
	d := &deployment{root: u.Root, dir: u.dir, state: u.state, assembly: u.Assembly}
	err := u.progress.step("bootstrapping and synthesizing", func(func(string)) error { return d.prepare(ctx) })
	if err != nil {
		return nil, err
	}
	if err := u.progress.step("deploying", func(detail func(string)) error { return d.deploy(ctx, detail) }); err != nil {
		return nil, err
	}
	environment, err := d.environment(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what was deployed: %w", err)
	}
	if err := environment.write(u.dir); err != nil {
		return nil, err
	}
	return environment, u.progress.step("rolling out", func(detail func(string)) error { return rollOut(ctx, environment.AWS(), detail) })
}
