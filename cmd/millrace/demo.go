package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/millrace-cdk/millrace/cmd/millrace/demo"
	"github.com/millrace-cdk/millrace/local/cloud"
)

type demoCmd struct {
	Keep      bool          `help:"Leave the environment up afterwards."`
	Fault     demo.Fault    `help:"Break the line first, by what it is to lose: ${enum}." enum:"none,loader,delivery" default:"none"`
	Patience  time.Duration `help:"How long to wait without seeing anything arrive." default:"20s"`
	TimeScale float64       `help:"How many times faster than on AWS the buffer intervals of deliveries pass." default:"${time_scale}"`
}

// Run brings a fresh environment up, sends the demo's events through it and takes it down.
func (c *demoCmd) Run(ctx context.Context, cli *CLI) (err error) {
	if up, err := cloud.Running(ctx, cli.Root); err != nil {
		return err
	} else if up {
		return errors.New("an environment is up already, and the demo counts from nothing: run `make down` first")
	}
	environment, err := cloud.Up(ctx, cloud.UpConfig{Root: cli.Root, TimeScale: c.TimeScale, Progress: os.Stderr})
	if err != nil {
		return err
	}
	if !c.Keep {
		// After the summary, whose line is the last on standard output; also after Ctrl-C.
		defer func() { err = errors.Join(err, cloud.Down(context.WithoutCancel(ctx), cli.Root)) }()
	}
	return demo.Run(ctx, demo.Config{
		Root:   cli.Root,
		APIURL: environment.APIURL, APIKey: environment.APIKey,
		StreamName: environment.StreamName, LakeBucket: environment.LakeBucket, DatabaseURL: environment.DatabaseURL,
		AWS: environment.AWS(), Fault: c.Fault, Patience: c.Patience, Out: os.Stdout,
	})
}
