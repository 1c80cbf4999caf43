package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir()) // no repository
	assert.Equal(t, usage, run([]string{"no-such-command"}))
	assert.Equal(t, usage, run([]string{"up", "--port=letters"}))
	assert.Equal(t, usage, run([]string{"down"}), "outside a repository")
	assert.Equal(t, ok, run([]string{"down", "--root", "."}), "nothing is up")
	t.Setenv("PATH", "")
	assert.Equal(t, trouble, run([]string{"up", "--root", "."}), "nothing is installed")
}
