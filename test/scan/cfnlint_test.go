package scan

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lint holds the templates to cfn-lint. What it may say anywhere is in .cfnlintrc, each with its reason.
func lint(t *testing.T, templates []template) {
	t.Helper()
	folder := t.TempDir()
	arguments := []string{"--template"}
	for _, one := range templates {
		file := filepath.Join(folder, one.stack+".json")
		require.NoError(t, os.WriteFile(file, one.text, 0o644))
		arguments = append(arguments, file)
	}
	run := exec.CommandContext(t.Context(), ".venv/bin/cfn-lint", arguments...)
	run.Dir = "../.." // where its configuration is
	said, err := run.CombinedOutput()
	assert.NoError(t, err, "cfn-lint: %s", said)
}
