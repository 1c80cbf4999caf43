package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/millrace-cdk/millrace/local/cloud/postgres"
	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// DefaultTimeScale is how many times faster than on AWS a delivery stream's
// buffer interval passes (60 s become 3 s), and the wait between retries of an
// event source mapping.
const DefaultTimeScale = 20

// Config says what a supervisor holds.
type Config struct {
	// Root is the repository's root. Required.
	Root string
	// GatewayPort is the port of the deployed REST APIs. Default: a free one.
	GatewayPort int
	// TimeScale divides the buffer intervals of delivery streams. Default: [DefaultTimeScale].
	TimeScale float64
	// Log gets what is worth knowing. Default: silence.
	Log *slog.Logger
}

// Run starts everything, serves until ctx ends, and stops everything again in
// the reverse order. It returns an error if something did not start, ended
// before it should, or did not stop cleanly.
func Run(ctx context.Context, config Config) error {
	s := &supervisor{Config: config, dir: stateFolder(config.Root)}
	s.Log = cmp.Or(s.Log, slog.New(slog.DiscardHandler))
	err := s.start(ctx)
	if err == nil {
		err = s.serve(ctx)
	}
	return errors.Join(err, s.stop())
}

type supervisor struct {
	Config
	dir      folder
	state    state
	emulator *emulator
	postgres *postgres.Server
	stops    []func(context.Context) error
}

func (s *supervisor) start(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.dir.path("log"), 0o755); err != nil {
		return err
	}
	if s.state.Supervisor, err = process.Of(os.Getpid()); err != nil {
		return err
	}
	if err := s.startEmulator(ctx); err != nil {
		return err
	}
	if err := s.startPostgres(ctx); err != nil {
		return err
	}
	if err := s.startDataPlanes(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.state.Ready = true
	return s.state.write(s.dir)
}

func (s *supervisor) startEmulator(ctx context.Context) error {
	running, err := startEmulator(ctx, s.Root)
	if err != nil {
		return err
	}
	s.emulator = running
	s.stops = append(s.stops, func(ctx context.Context) error { return running.process.Stop(ctx, syscall.SIGTERM) })
	s.state.Endpoint = running.endpoint
	return s.record(&s.state.Emulator, running.process)
}

func (s *supervisor) startPostgres(ctx context.Context) error {
	running, err := postgres.Start(ctx, postgres.Config{Dir: s.dir.path("postgres"), LogFile: s.dir.log("postgres")})
	if err != nil {
		return err
	}
	s.postgres = running
	s.stops = append(s.stops, running.Stop)
	s.state.DatabasePort, s.state.DatabaseCA = running.Port, running.CAFile
	return s.record(&s.state.Postgres, running.Process)
}

// restarted writes Postgres's new identity down.
func (s *supervisor) restarted() error { return s.record(&s.state.Postgres, s.postgres.Process) }

// record writes a child's identity down at once: a crash may be next.
func (s *supervisor) record(where *process.Identity, child *process.Process) error {
	identity, err := child.Identity()
	if err != nil {
		return err
	}
	*where = identity
	return s.state.write(s.dir)
}

// serve waits until ctx ends, or until a child does, which is trouble.
func (s *supervisor) serve(ctx context.Context) error {
	s.Log.Info("serving", "endpoint", s.state.Endpoint, "gateway", s.state.Gateway, "postgres", s.state.DatabasePort)
	select {
	case <-ctx.Done():
		return nil
	case <-s.emulator.process.Done():
		return fmt.Errorf("the emulator ended: %w; see %s", orExit(s.emulator.process.Err()), s.dir.log("emulator"))
	case <-s.postgres.Ended():
		return fmt.Errorf("the Postgres server ended: %w; see %s", orExit(s.postgres.Process.Err()), s.dir.log("postgres"))
	}
}

func orExit(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (s *supervisor) stop() error {
	var errs []error
	for _, stop := range slices.Backward(s.stops) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		errs = append(errs, stop(ctx))
		cancel()
	}
	// Nothing runs any more that a later run would have to find.
	if err := os.Remove(s.dir.path("state.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
