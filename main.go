// Command millrace synthesizes millrace's stacks for one environment: the CDK
// CLI runs it (cdk.json). It is the only place of the app that reads the
// process's environment, recovers and exits.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/millrace-cdk/millrace/stacks"
)

func main() {
	if err := synth(); err != nil {
		fmt.Fprintln(os.Stderr, "millrace:", err)
		os.Exit(1)
	}
}

func synth() (err error) {
	// CDK reports trouble by panics: they become one line. A runtime error is a
	// fault of ours and keeps its trace.
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			panic(r)
		default:
			err = fmt.Errorf("synthesizing: %v", r)
		}
	}()

	app := awscdk.NewApp(nil)
	name, _ := app.Node().TryGetContext(new("env")).(string)
	env, err := stacks.EnvironmentNamed(name, os.Getenv)
	if err != nil {
		return err
	}
	stacks.NewMillrace(app, env)
	return stacks.CheckReferences(app.Synth(nil))
}
