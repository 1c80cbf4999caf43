package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/millrace-cdk/millrace/local/cloud/process"
)

type openapiCmd struct {
	Env string `help:"The environment whose API is described." default:"dev"`
}

// Run synthesizes the app as `make synth` does, into a folder of its own, and prints the
// document that the app puts beside the templates.
func (c *openapiCmd) Run(ctx context.Context, cli *CLI) (err error) {
	cdk := filepath.Join(cli.Root, "node_modules", ".bin", "cdk")
	if _, err := os.Stat(cdk); err != nil {
		return fmt.Errorf("the CDK CLI is not in %s: run `make setup`", filepath.Join(cli.Root, "node_modules"))
	}
	assembly, err := os.MkdirTemp("", "millrace-openapi")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(assembly)) }()

	var output bytes.Buffer
	command := exec.Command(cdk, "synth", "--quiet", "--no-color", "--no-notices", "--output", assembly, "-c", "env="+c.Env)
	command.Dir = cli.Root
	command.Env = append(os.Environ(), "CDK_DISABLE_CLI_TELEMETRY=1", "CDK_DISABLE_VERSION_CHECK=1", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	command.Stdout, command.Stderr = &output, &output
	if err := process.Run(ctx, command); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return errors.New(reason(output.String(), err))
	}
	found, err := filepath.Glob(filepath.Join(assembly, "*.openapi.json"))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("the app must describe one API of env=%s, got %d", c.Env, len(found))
	}
	document, err := os.ReadFile(found[0])
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(document)
	return err
}

// reason is what the app said, else the last that the CLI said: it says more around that than helps.
func reason(output string, err error) string {
	last := ""
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if said, ok := strings.CutPrefix(line, "millrace: "); ok {
			return strings.ReplaceAll(said, "-c env=", "--env=") // the app knows the CDK CLI's way only
		}
		last = cmp.Or(line, last)
	}
	return cmp.Or(last, fmt.Sprintf("synthesizing: %v", err))
}
