// Command millrace synthesizes millrace's stacks for one environment: the CDK
// CLI runs it (cdk.json). It is the only place of the app that reads the
// process's environment, recovers and exits.
package main

import (
	"fmt"
	"os"
	"path/filepath"
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
	if name == stacks.ReleaseName {
		stacks.NewRelease(app, stacks.Releases())
		return stacks.CheckReferences(app.Synth(nil))
	}
	env, err := stacks.EnvironmentNamed(name, os.Getenv)
	if err != nil {
		return err
	}
	millrace := stacks.NewMillrace(app, env)
	assembly := app.Synth(nil)
	if err := stacks.CheckReferences(assembly); err != nil {
		return err
	}
	return writeContract(millrace.Pipeline, *assembly.Directory())
}

// writeContract puts the API's OpenAPI document beside the templates, as STACK.openapi.json.
func writeContract(pipeline *stacks.Pipeline, folder string) error {
	document, err := pipeline.API.OpenAPI()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, *pipeline.Stack.StackName()+".openapi.json"), document, 0o644)
}
