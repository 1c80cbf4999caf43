package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/millrace-cdk/millrace/cmd/millrace/guard"
	"github.com/millrace-cdk/millrace/internal/wholefile"
)

type guardCmd struct {
	Base string `arg:"" help:"What is deployed: a git revision, or the folder of a cloud assembly."`
	Head string `arg:"" help:"What is to be deployed, likewise." default:"HEAD" optional:""`

	Env     []string `help:"The environments that are synthesized of a revision." default:"dev,staging,prod,recovery"`
	Label   []string `help:"What a reviewer let through: iam-broadens, network-broadens, may-be-replaced. Other labels, as a pull request has them, mean nothing." env:"MILLRACE_GUARD_LABELS"`
	JSON    bool     `help:"Print the findings as JSON." name:"json"`
	Comment string   `help:"Write the comment for a pull request into this file, too." type:"path"`
}

var (
	// errFindings ends the command with 1; what was found is on standard output.
	errFindings = errors.New("this must not be deployed like this")
	// errNotCompared ends it with 2, so that a script does not take it for findings.
	errNotCompared = errors.New("not compared")
)

// Run compares the two sides and prints what must not be deployed.
func (c *guardCmd) Run(ctx context.Context, cli *CLI) error {
	base, head, err := c.sides(ctx, cli.Root)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotCompared, err)
	}
	differences, err := guard.Compare(ctx, cli.Root, base.Stacks, head.Stacks)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotCompared, err)
	}
	findings := append(guard.Judge(base.Stacks, head.Stacks, differences, c.Label), guard.Migrations(base, head)...)
	if c.Comment != "" {
		if err := c.comment(ctx, cli.Root, guard.Comment{Base: base, Head: head, Findings: findings, Differences: differences}); err != nil {
			return err
		}
	}
	if err := c.print(findings); err != nil {
		return err
	}
	if len(findings) > 0 {
		return errFindings
	}
	return nil
}

// sides opens both at once: most of it is the linker, which uses one core.
func (c *guardCmd) sides(ctx context.Context, root string) (base, head guard.Side, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { base, err = guard.Open(ctx, root, c.Base, c.Env); return err })
	group.Go(func() (err error) { head, err = guard.Open(ctx, root, c.Head, c.Env); return err })
	return base, head, group.Wait()
}

func (c *guardCmd) print(findings []guard.Finding) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(append([]guard.Finding{}, findings...))
	}
	colour := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
	return guard.Table(os.Stdout, findings, colour)
}

// comment writes the pull request's comment.
func (c *guardCmd) comment(ctx context.Context, root string, comment guard.Comment) error {
	comment.Replacements = guard.Replacements(comment.Base.Stacks, comment.Differences)
	for _, f := range guard.Judge(comment.Base.Stacks, comment.Head.Stacks, comment.Differences, nil) {
		if f.Kind == guard.IAMBroadens || f.Kind == guard.NetworkOpens {
			comment.Broadening = append(comment.Broadening, f)
		}
	}
	if comment.Base.Commit != "" && comment.Head.Commit != "" {
		arguments := []string{"diff", "--no-color", "--unified=0", comment.Base.Commit, comment.Head.Commit, "--"}
		for _, name := range c.Env {
			arguments = append(arguments, "test/snapshot/testdata/"+name+".summary.md")
		}
		var err error
		if comment.Summaries, err = guard.Git(ctx, root, arguments...); err != nil {
			return err
		}
	}
	if err := wholefile.Write(c.Comment, []byte(comment.String()), 0o644); err != nil {
		return fmt.Errorf("writing the comment: %w", err)
	}
	return nil
}

// Validate is kong's: what it returns is a wrong usage.
func (c *guardCmd) Validate() error {
	if len(c.Env) == 0 || slices.ContainsFunc(c.Env, func(name string) bool { return strings.TrimSpace(name) == "" }) {
		return errors.New("--env must name environments, as in --env=staging,prod")
	}
	return nil
}
