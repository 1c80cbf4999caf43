// Command millrace is the command line of a millrace repository.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/millrace-cdk/millrace/cmd/millrace/drill"
	"github.com/millrace-cdk/millrace/local/cloud"
)

// CLI is every command and what they share.
type CLI struct {
	Up        upCmd        `cmd:"" help:"Start the laptop's cloud, deploy the app into it and write .millrace/local.env. When it is up, deploy again."`
	Down      downCmd      `cmd:"" help:"Stop the laptop's cloud and remove its data."`
	Demo      demoCmd      `cmd:"" help:"Send 1,707 real earthquake reports through a fresh local environment and count them where they come to rest."`
	Openapi   openapiCmd   `cmd:"" name:"openapi" help:"Print the OpenAPI 3.1 document of an environment's API."`
	Check     checkCmd     `cmd:"" help:"Post a few events to a deployed environment, look for them where they come to rest, and remove them (docs/release.md)."`
	Guard     guardCmd     `cmd:"" help:"Find what must not be deployed of a change: protected resources replaced or removed, ids, retentions, rights (docs/guard.md)."`
	Replay    replayCmd    `cmd:"" help:"Send records that were given up, put aside or backed up on to the stream once more; rebuild the database from the lake (docs/replay.md)."`
	Verify    verifyCmd    `cmd:"" help:"Compare the lake and the database, and list by hour what is missing on either side (docs/replay.md)."`
	Cost      costCmd      `cmd:"" help:"Compute what a month of events costs an environment, by stage, from its templates and from list prices (docs/choosing.md)."`
	Break     breakCmd     `cmd:"" help:"Break the local environment in one of five ways, without saying which; to practise docs/runbook.md."`
	Diagnose  diagnoseCmd  `cmd:"" help:"Run the first look of an alarm's section in docs/runbook.md. It changes nothing."`
	Status    statusCmd    `cmd:"" help:"Look at every stage of the deployed line, and at its alarms. Exits 1 if something is red, 2 if it could not look (docs/runbook.md)."`
	Rollout   rolloutCmd   `cmd:"" help:"On the laptop, move the functions' aliases to what was deployed, as CodeDeploy does on AWS: by the hooks, and back if they refuse."`
	Rollback  rollbackCmd  `cmd:"" help:"Point what clients meet back to what it was before (docs/rollout.md)."`
	Drill     drillCmd     `cmd:"" help:"Break the laptop's line in one way after the other under load; measure the alarm, the recovery and the loss (docs/disaster-recovery.md)."`
	Supervise superviseCmd `cmd:"" hidden:"" help:"Hold the laptop's cloud; what 'up' starts in the background."`

	Root string `help:"The repository's root. Default: the nearest folder upwards with a cdk.json." type:"path" env:"MILLRACE_ROOT"`
}

// Exit codes.
const (
	ok      = 0
	trouble = 1
	usage   = 2
)

func main() { os.Exit(run(os.Args[1:])) }

func run(arguments []string) int {
	var cli CLI
	command, err := parse(&cli, arguments)
	if err != nil {
		fmt.Fprintln(os.Stderr, "millrace:", err, "(millrace --help lists what there is)")
		return usage
	}
	if cli.Root == "" {
		if cli.Root, err = findRoot(); err != nil {
			fmt.Fprintln(os.Stderr, "millrace:", err)
			return usage
		}
	}
	// Hanging up a terminal counts as Ctrl-C: nothing half started may stay.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&cli)
	switch {
	case err == nil:
		return ok
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "\nmillrace: interrupted")
	case errors.Is(err, errNotCompared), errors.Is(err, errNotLooked):
		fmt.Fprintln(os.Stderr, "millrace:", err)
		return usage
	default:
		fmt.Fprintln(os.Stderr, "millrace:", err)
	}
	return trouble
}

func parse(cli *CLI, arguments []string) (*kong.Context, error) {
	parser, err := kong.New(cli, kong.Name("millrace"), kong.Description("Streaming ingestion, on a laptop and on AWS."),
		kong.Vars{"time_scale": strconv.Itoa(cloud.DefaultTimeScale), "drills": strings.Join(drill.Names(), ", ")})
	if err != nil {
		panic(err) // the struct above is wrong
	}
	return parser.Parse(arguments)
}

func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "cdk.json")); err == nil {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("no cdk.json in %s or above: run this inside the repository, or pass --root", start)
		}
	}
}
