package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/millrace-cdk/millrace/cmd/millrace/fault"
	"github.com/millrace-cdk/millrace/internal/wholefile"
)

type breakCmd struct {
	N      int    `arg:"" optional:"" help:"Which of the five faults: 1 to 5, in an order of their own in each folder."`
	Env    string `help:"The environment. There is only one that is broken on purpose." default:"local"`
	Reveal bool   `help:"Say what is broken."`
	Mend   bool   `help:"Mend what is broken."`
}

// Validate is kong's: what it returns is a wrong usage.
func (c *breakCmd) Validate() error {
	chosen := 0
	for _, given := range []bool{c.N != 0, c.Reveal, c.Mend} {
		if given {
			chosen++
		}
	}
	switch {
	case c.Env != "local":
		return fmt.Errorf("only the local environment is broken on purpose, and not %s", c.Env)
	case chosen != 1:
		return errors.New("one of a number, --reveal and --mend must be given")
	case c.N < 0 || c.N > 5:
		return fmt.Errorf("the fault must be 1 to 5, got %d", c.N)
	}
	return nil
}

// breakState is .millrace/break.json.
type breakState struct {
	Seed   uint64        `json:"seed"`
	Broken *fault.Broken `json:"broken,omitempty"`
	// Of is the API_ID of the environment that is broken.
	Of string `json:"of,omitempty"`
}

// Run breaks, mends or tells.
func (c *breakCmd) Run(ctx context.Context, cli *CLI) error {
	path := filepath.Join(cli.Root, ".millrace", "break.json")
	state, err := readBreak(path)
	if err != nil {
		return err
	}
	d, err := findLine(ctx, cli.Root, c.Env)
	if err != nil {
		return err
	}
	if state.Broken != nil && state.Of != d.names["API_ID"] {
		state.Broken = nil // that environment is gone, and what was broken with it
	}
	if c.N != 0 && state.Broken != nil {
		return errors.New("it is broken already: mend it first, by yourself or with --mend")
	}
	if c.N == 0 && state.Broken == nil {
		return errors.New("nothing is broken, or none of its doing")
	}
	if c.Reveal {
		fmt.Println(state.Broken.Kind)
		return nil
	}
	what := fault.Line{AWS: d.aws, Names: d.names, DatabaseURL: d.database}
	if c.Mend {
		if err := state.Broken.Mend(ctx, what); err != nil {
			return err
		}
		fmt.Println("mended:", state.Broken.Kind)
		state.Broken = nil
		return state.write(path)
	}
	broken, err := fault.Look(ctx, what, fault.Shuffled(state.Seed)[c.N-1])
	if err != nil {
		return err
	}
	state.Broken, state.Of = &broken, d.names["API_ID"]
	if err := state.write(path); err != nil { // before it is broken: a crash must not leave it so without a way back
		return err
	}
	if err := broken.Break(ctx, what); err != nil {
		return err
	}
	fmt.Println("Broken. Send something (millrace check), then: millrace status, docs/runbook.md.")
	fmt.Println("Once you have mended it, or given up: millrace break --mend")
	return nil
}

// readBreak gives a folder its seed when there is none yet.
func readBreak(path string) (breakState, error) {
	state := breakState{Seed: rand.Uint64()}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return state, fmt.Errorf("reading %s: %w", path, err)
	}
	return state, nil
}

func (s breakState) write(path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return wholefile.Write(path, append(text, '\n'), 0o600)
}
