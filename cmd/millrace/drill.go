package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/millrace-cdk/millrace/cmd/millrace/drill"
	"github.com/millrace-cdk/millrace/local/cloud"
)

type drillCmd struct {
	Names     []string `arg:"" optional:"" name:"drill" help:"What to break: ${drills}. Default: all, one after the other."`
	TimeScale float64  `help:"How many seconds of AWS's pass in one of this machine's: alarms' periods and deliveries' buffers are shortened by it." default:"${time_scale}"`
	Keep      bool     `help:"Leave the environment up afterwards."`
	Write     bool     `help:"Write the table into docs/disaster-recovery.md."`
	JSON      bool     `help:"Print the results as JSON." name:"json"`
}

// Validate is kong's: what it returns is a wrong usage.
func (c *drillCmd) Validate() error {
	var errs []error
	for _, name := range c.Names {
		if !slices.Contains(drill.Names(), name) {
			errs = append(errs, fmt.Errorf("no drill is called %q: %s", name, strings.Join(drill.Names(), ", ")))
		}
	}
	return errors.Join(append(errs, drill.ValidateScale(c.TimeScale))...)
}

// Run does the drills in a fresh environment, or in the one that is up, prints what came of them,
// and fails if something was lost or is there twice, or no alarm fired.
func (c *drillCmd) Run(ctx context.Context, cli *CLI) (err error) {
	progress := io.Discard
	if term.IsTerminal(int(os.Stderr.Fd())) {
		progress = os.Stderr
	}
	wasUp, err := cloud.Running(ctx, cli.Root)
	if err != nil {
		return err
	}
	var environment *cloud.Environment
	if wasUp {
		environment, err = cloud.ReadEnvironment(cli.Root)
	} else {
		environment, err = cloud.Up(ctx, cloud.UpConfig{Root: cli.Root, TimeScale: c.TimeScale, Progress: progress})
	}
	if err != nil {
		return err
	}
	if !wasUp && !c.Keep {
		defer func() { err = errors.Join(err, cloud.Down(context.WithoutCancel(ctx), cli.Root)) }()
	}
	results := []drill.Result{}
	ran := drill.Run(ctx, drill.Config{
		Environment: environment, TimeScale: c.TimeScale, Names: c.Names, Progress: progress,
		Millrace: func(ctx context.Context, args ...string) error { return cli.again(ctx, args...) },
	}, func(r drill.Result) { results = append(results, r) })
	if c.Write && ran == nil {
		if err := drill.Write(filepath.Join(cli.Root, "docs", "disaster-recovery.md"), results, c.TimeScale); err != nil {
			return err
		}
	}
	if c.JSON {
		return errors.Join(ran, json.NewEncoder(os.Stdout).Encode(results))
	}
	return errors.Join(ran, drill.Print(os.Stdout, results))
}

// again runs this program once more, as the person on call would.
func (cli *CLI) again(ctx context.Context, args ...string) error {
	own, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, own, append([]string{"--root=" + cli.Root}, args...)...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		return fmt.Errorf("millrace %s: %w:\n%s", strings.Join(args, " "), err, said.Bytes())
	}
	return nil
}
