package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/stacks"
)

// build compiles the app.
func build(t *testing.T) string {
	t.Helper()
	app := filepath.Join(t.TempDir(), "app")
	output, err := exec.Command("go", "build", "-o", app, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return app
}

// run synthesizes env as the CDK CLI has an app do it, and returns what the app printed.
func run(t *testing.T, app, env, out string, variables ...string) (string, error) {
	t.Helper()
	text, err := os.ReadFile("cdk.json")
	require.NoError(t, err)
	var file struct {
		Context map[string]any `json:"context"`
	}
	require.NoError(t, json.Unmarshal(text, &file))
	file.Context["env"] = env
	if env == stacks.ReleaseName { // its functions are the environments', which are built already
		file.Context["aws:cdk:bundling-stacks"] = []string{}
	}
	context, err := json.Marshal(file.Context)
	require.NoError(t, err)

	command := exec.Command(app)
	command.Env = append(os.Environ(), "CDK_OUTDIR="+out, "CDK_CONTEXT_JSON="+string(context),
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	command.Env = append(command.Env, variables...)
	output, err := command.CombinedOutput()
	return string(output), err
}

func TestTheApp(t *testing.T) {
	app := build(t)

	templates := map[string]string{stacks.ReleaseName: "Millrace-Release.template.json"}
	for _, env := range []string{"dev", "staging", "prod", "recovery"} {
		templates[env] = "Millrace-" + env + "-Pipeline.template.json"
	}
	for env, template := range templates {
		t.Run("synthesizes "+env+" the same with credentials and without", func(t *testing.T) {
			t.Parallel() // in a process of its own: constructs of one process share a pipe
			without, with := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "out")
			output, err := run(t, app, env, without)
			require.NoError(t, err, output)
			output, err = run(t, app, env, with,
				"CDK_DEFAULT_ACCOUNT=111122223333", "CDK_DEFAULT_REGION=us-east-1",
				"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
			require.NoError(t, err, output)

			difference, err := exec.Command("diff", "-r", without, with).CombinedOutput()
			assert.NoError(t, err, "%s", difference)
			assert.FileExists(t, filepath.Join(with, template))
		})
	}

	t.Run("describes dev's API as docs/openapi.json does", func(t *testing.T) {
		out := t.TempDir()
		output, err := run(t, app, "dev", out)
		require.NoError(t, err, output)
		want, err := os.ReadFile("docs/openapi.json")
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(out, "Millrace-dev-Pipeline.openapi.json"))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "the contract has changed: is that what clients expect? Then run `make snapshots`")
	})

	t.Run("answers an unknown environment by one line and exit code 1", func(t *testing.T) {
		output, err := run(t, app, "production", t.TempDir())
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, 1, exit.ExitCode())
		assert.Equal(t, "millrace: env must be one of local, dev, staging, prod, recovery or pipeline, got \"production\": say -c env=dev\n", output)
	})
}
