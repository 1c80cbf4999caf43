package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/cmd/millrace/rollback"
	"github.com/millrace-cdk/millrace/local/cloud"
)

type rollbackCmd struct {
	API rollbackAPICmd `cmd:"" name:"api" help:"List the deployments of the REST API, or point its stage to one of them."`
}

type rollbackAPICmd struct {
	Env  string `help:"The environment." default:"local"`
	To   string `help:"The deployment to serve. Default: they are listed, and nothing is changed." placeholder:"ID"`
	JSON bool   `help:"Print JSON." name:"json"`
}

// Run lists, or points and says what to point back to.
func (c *rollbackAPICmd) Run(ctx context.Context, cli *CLI) error {
	stage, err := stageOf(ctx, cli.Root, c.Env)
	if err != nil {
		return err
	}
	if c.To != "" {
		from, err := stage.Point(ctx, c.To)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(os.Stdout).Encode(map[string]string{"from": from, "to": c.To})
		}
		_, err = fmt.Printf("%s serves deployment %s in place of %s. The next deploy that changes the API serves its own.\n", stage.Name, c.To, from)
		return err
	}
	all, err := stage.Deployments(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	for _, d := range all {
		served := ""
		if d.Served {
			served = "  served"
		}
		fmt.Printf("%s  %s%s  %s\n", d.ID, d.Created.Format(time.RFC3339), served, d.Description)
	}
	return nil
}

// stageOf is the stage of the environment's API.
func stageOf(ctx context.Context, root, env string) (rollback.Stage, error) {
	loaded, err := configOf(ctx, root, env)
	if err != nil {
		return rollback.Stage{}, err
	}
	outputs, err := line.Outputs(ctx, cloudformation.NewFromConfig(loaded), "Millrace-"+env+"-Pipeline", "ApiId", "ApiStage")
	if err != nil {
		return rollback.Stage{}, err
	}
	return rollback.Stage{Client: apigateway.NewFromConfig(loaded), API: outputs["ApiId"], Name: outputs["ApiStage"]}, nil
}

// configOf reaches the environment's AWS APIs.
func configOf(ctx context.Context, root, env string) (aws.Config, error) {
	if env == "local" {
		e, err := cloud.ReadEnvironment(root)
		if err != nil {
			return aws.Config{}, err
		}
		return e.AWS(), nil
	}
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return loaded, nil
}
