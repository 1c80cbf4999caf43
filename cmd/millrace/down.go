package main

import (
	"context"

	"github.com/millrace-cdk/millrace/local/cloud"
)

type downCmd struct{}

// Run stops what up started.
func (*downCmd) Run(ctx context.Context, cli *CLI) error { return cloud.Down(ctx, cli.Root) }
