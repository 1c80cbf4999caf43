package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/millrace-cdk/millrace/local/cloud"
	"github.com/millrace-cdk/millrace/local/gateway"
)

type upCmd struct {
	Port      int     `help:"The port of the deployed API on this machine. Default: a free one."`
	TimeScale float64 `help:"How many times faster than on AWS the buffer intervals of deliveries pass." default:"${time_scale}"`
	Assembly  string  `help:"Deploy this cloud assembly. Default: the app, synthesized with env=local." type:"existingdir"`
}

// Run brings the environment up and says how to use it.
func (c *upCmd) Run(ctx context.Context, cli *CLI) error {
	environment, err := cloud.Up(ctx, cloud.UpConfig{
		Root: cli.Root, GatewayPort: c.Port, TimeScale: c.TimeScale, Assembly: c.Assembly, Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	fmt.Printf("The API is at %s; .millrace/local.env has this and the rest.\n", environment.APIURL)
	fmt.Println(limits())
	return nil
}

// limits names what the deployed API does on AWS and does not here, in one line.
func limits() string {
	var names []string
	for _, limit := range gateway.Limits() {
		names = append(names, limit.Name)
	}
	return "It does not have, as it would on AWS: " + strings.Join(names, ", ") + " (docs/local.md)."
}

// superviseCmd is what [cloud.Up] starts in the background.
type superviseCmd struct {
	Port      int
	TimeScale float64
}

// Run holds the cloud until it is told to stop.
func (c *superviseCmd) Run(ctx context.Context, cli *CLI) error {
	return cloud.Run(ctx, cloud.Config{
		Root: cli.Root, GatewayPort: c.Port, TimeScale: c.TimeScale,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}
