// Package demo runs `millrace demo` as its user does, in a process of its own,
// with every arrow whole and with each of two broken.
package demo

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// environment is the file that says that one is up.
var environment = filepath.Join(root, ".millrace", "local.env")

func TestDemoBringsEveryEventToRest(t *testing.T) {
	demo := run(t)
	assert.Equal(t, 0, demo.code, demo)
	assert.Equal(t, "demo: posted=1707 accepted=1707 lake=1707 rows=1707 failed=0", demo.lastLine())
	assert.Contains(t, demo.output, "the lake holds 3,414 lines of 1,707 events, the table 1,707 rows")
	assert.NoFileExists(t, environment, "the environment is taken down")
}

func TestDemoFailsWhenTheLoaderThrows(t *testing.T) {
	demo := run(t, "--fault=loader", "--patience=8s")
	assert.Equal(t, 1, demo.code, demo)
	assert.Equal(t, "demo: posted=1707 accepted=1707 lake=1707 rows=0 failed=1707", demo.lastLine())
}

func TestDemoFailsWhenTheDeliveryIsStopped(t *testing.T) {
	demo := run(t, "--fault=delivery", "--patience=8s")
	assert.Equal(t, 1, demo.code, demo)
	assert.Equal(t, "demo: posted=1707 accepted=1707 lake=0 rows=1707 failed=1707", demo.lastLine())
}

func TestDemoRefusesAnUnknownFault(t *testing.T) {
	demo := run(t, "--fault=gremlins")
	assert.Equal(t, 2, demo.code, demo)
	assert.Contains(t, demo.errors, "loader")
	assert.Contains(t, demo.errors, "delivery")
}

type result struct {
	code           int
	output, errors string
}

func run(t *testing.T, args ...string) result {
	t.Helper()
	require.NoFileExists(t, environment, "an environment is up: make down")
	command := exec.Command("build/millrace", append([]string{"demo"}, args...)...)
	command.Dir = root
	var output, errors strings.Builder
	command.Stdout, command.Stderr = &output, &errors
	if err := command.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return result{command.ProcessState.ExitCode(), output.String(), errors.String()}
}

func (r result) lastLine() string {
	lines := strings.Split(strings.TrimSpace(r.output), "\n")
	return lines[len(lines)-1]
}
