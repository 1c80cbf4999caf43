package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"golang.org/x/term"

	"github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/cmd/millrace/status"
	"github.com/millrace-cdk/millrace/local/cloud"
)

type statusCmd struct {
	Env  string `help:"The environment." default:"local"`
	JSON bool   `help:"Print the report as JSON." name:"json"`
	// Names is for: eval "$(millrace status --names)".
	Names bool `help:"Only print what the runbook's commands call the parts, as a shell reads it."`
}

// errNotLooked is status's and diagnose's: not what they found is wrong, they could not look.
var errNotLooked = errors.New("could not look")

// Run looks and prints. It fails if something is red.
func (c *statusCmd) Run(ctx context.Context, cli *CLI) error {
	d, err := findLine(ctx, cli.Root, c.Env)
	if err != nil {
		return err
	}
	if c.Names {
		for _, name := range slices.Sorted(maps.Keys(d.names)) {
			fmt.Printf("export %s='%s'\n", name, strings.ReplaceAll(d.names[name], "'", `'\''`))
		}
		return nil
	}
	report := status.Run(ctx, status.Config{
		AWS: d.aws, Names: d.names, Local: d.local, APIURL: d.names["API_URL"], Health: healthPath, DatabaseURL: d.database,
	})
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(report)
	} else {
		err = report.Print(os.Stdout, term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "")
	}
	if red := report.Count(status.Red); red > 0 {
		err = errors.Join(err, fmt.Errorf("%d red", red))
	}
	return err
}

// lineFound is a deployed line, and how to reach it.
type lineFound struct {
	aws      aws.Config
	names    line.Names
	local    bool
	database string
	environ  []string // for commands that work with it
}

// findLine finds the line of env. Its errors are errNotLooked.
func findLine(ctx context.Context, root, env string) (*lineFound, error) {
	d := &lineFound{local: env == "local", database: os.Getenv("DATABASE_URL"), environ: os.Environ()}
	var err error
	if d.local {
		e, readErr := cloud.ReadEnvironment(root)
		if readErr != nil {
			return nil, fmt.Errorf("%w: %w", errNotLooked, readErr)
		}
		d.aws, d.database = e.AWS(), e.DatabaseURL
		d.environ = append(e.Environ(), "AWS_DEFAULT_REGION="+e.Region) // version 1 of the AWS CLI reads no other
		if d.names, err = line.Find(ctx, cloudformation.NewFromConfig(d.aws), env); err == nil {
			d.names["API_URL"] = e.APIURL
		}
	} else if d.aws, err = config.LoadDefaultConfig(ctx); err == nil {
		d.names, err = line.Find(ctx, cloudformation.NewFromConfig(d.aws), env)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotLooked, err)
	}
	for name, value := range d.names {
		d.environ = append(d.environ, name+"="+value)
	}
	// The directory of this very program first: the runbook's commands call it by its name.
	if self, err := os.Executable(); err == nil {
		d.environ = append(d.environ, "PATH="+filepath.Dir(self)+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	return d, nil
}
