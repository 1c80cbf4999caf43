package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-cdk/millrace/local/cloud"
	"github.com/millrace-cdk/millrace/local/rollout"
)

// rolloutCmd is of the laptop alone: on AWS, CodeDeploy does it in the deploy.
type rolloutCmd struct {
	JSON bool `help:"Print the outcomes as JSON." name:"json"`
}

// Run rolls out what was deployed, and fails if a version is refused.
func (c *rolloutCmd) Run(ctx context.Context, cli *CLI) error {
	e, err := cloud.ReadEnvironment(cli.Root)
	if err != nil {
		return err
	}
	outcomes, err := rollout.Run(ctx, lambda.NewFromConfig(e.AWS()))
	return errors.Join(err, c.print(outcomes), rollout.Refused(outcomes))
}

func (c *rolloutCmd) print(outcomes []rollout.Outcome) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(outcomes)
	}
	for _, o := range outcomes {
		what := "moved from version " + o.From + " to " + o.To
		switch {
		case o.Refused != "":
			what = "stays at version " + o.From
		case o.From == o.To:
			what = "is at version " + o.To + " already"
		}
		fmt.Printf("%s %s\n", o.Function, what)
	}
	return nil
}
