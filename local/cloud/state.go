package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/millrace-cdk/millrace/internal/wholefile"
	"github.com/millrace-cdk/millrace/local/cloud/process"
)

// state is .millrace/state.json: what the supervisor started, written after
// every start, so that a later run finds exactly that and nothing else.
type state struct {
	Supervisor process.Identity `json:"supervisor"`
	Emulator   process.Identity `json:"emulator"`
	Postgres   process.Identity `json:"postgres"`

	// Endpoint is the emulator's URL; Gateway the host:port of the deployed APIs.
	Endpoint string `json:"endpoint"`
	Gateway  string `json:"gateway"`
	// DatabasePort and DatabaseCA are Postgres's port and the path of its authority.
	DatabasePort int    `json:"database_port"`
	DatabaseCA   string `json:"database_ca"`
	// Ready is set when all of it serves.
	Ready bool `json:"ready"`
}

// readState returns the zero state when there is none.
func readState(dir folder) (state, error) {
	var s state
	content, err := os.ReadFile(dir.path("state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w; remove it if nothing of millrace runs", dir.path("state.json"), err)
	}
	return s, nil
}

func (s state) write(dir folder) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Write(dir.path("state.json"), append(content, '\n'), 0o600)
}

// stop ends what s names and still runs: the supervisor, which ends the others,
// and what is left of them where the supervisor could not.
func (s state) stop() error {
	return errors.Join(
		s.Supervisor.Stop(syscall.SIGTERM, 30*time.Second),
		s.Postgres.Stop(syscall.SIGINT, 10*time.Second),
		s.Emulator.Stop(syscall.SIGTERM, 5*time.Second),
	)
}
