package scan

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkovBinary is what `make .tools/checkov/.done` installs: in a place of its own, since it
// is 290 MB that only this test uses, and pins versions that the tools of .venv outgrew.
const checkovBinary = "../../.tools/checkov/bin/checkov"

// checkov is what checkov finds.
func checkov(t *testing.T, templates []template) []finding {
	t.Helper()
	binary, err := filepath.Abs(checkovBinary)
	require.NoError(t, err)
	require.FileExists(t, binary, "run `make .tools/checkov/.done`")
	folder := t.TempDir()
	for _, one := range templates {
		require.NoError(t, os.WriteFile(filepath.Join(folder, one.stack+".json"), one.text, 0o644))
	}
	run := exec.CommandContext(t.Context(), binary, "--directory", ".", "--framework", "cloudformation",
		"--output", "json", "--quiet", "--compact", "--soft-fail", "--skip-download")
	run.Dir = folder
	run.Env = append(os.Environ(), "LOG_LEVEL=ERROR")
	said, err := run.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		t.Fatalf("checkov: %v: %s", err, failed.Stderr)
	}
	require.NoError(t, err)

	var report struct {
		Results struct {
			FailedChecks []struct {
				ID       string `json:"check_id"`
				File     string `json:"file_path"`
				Resource string `json:"resource"`
			} `json:"failed_checks"`
		} `json:"results"`
		Summary struct {
			ParsingErrors int `json:"parsing_errors"`
			Resources     int `json:"resource_count"`
		} `json:"summary"`
	}
	require.NoError(t, json.Unmarshal(said, &report))
	require.Zero(t, report.Summary.ParsingErrors)
	require.Positive(t, report.Summary.Resources)
	var all []finding
	for _, failed := range report.Results.FailedChecks {
		_, id, _ := strings.Cut(failed.Resource, ".")
		all = append(all, finding{strings.TrimSuffix(strings.TrimPrefix(failed.File, "/"), ".json"), id, failed.ID})
	}
	return all
}
