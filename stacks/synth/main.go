// Command synth writes the cloud assemblies of several environments in one process,
// each to a folder of its name: most of what a synth takes is the start of Node. It is
// for `millrace guard`, which reads templates only: what the app of main.go adds, it leaves out.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/stacks"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: synth FOLDER ENVIRONMENT…, with the context in CDK_CONTEXT_JSON")
		os.Exit(2)
	}
	for _, name := range os.Args[2:] {
		env, err := stacks.EnvironmentNamed(name, os.Getenv)
		if err != nil {
			fmt.Fprintln(os.Stderr, "synth:", err)
			os.Exit(1)
		}
		app := awscdk.NewApp(&awscdk.AppProps{Outdir: new(filepath.Join(os.Args[1], name))})
		stacks.NewMillrace(app, env)
		app.Synth(nil)
	}
	jsii.Close()
}
