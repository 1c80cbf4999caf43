package cloud

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// preflight runs local/preflight.sh with exactly these programs, beside the
// shell's own tools, on the PATH.
func preflight(t *testing.T, programs map[string]string) (output string, passed bool) {
	t.Helper()
	bin := t.TempDir()
	awk, err := exec.LookPath("awk")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(awk, filepath.Join(bin, "awk")))
	for name, script := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	script, err := filepath.Abs("../preflight.sh")
	require.NoError(t, err)
	cmd := exec.Command("/bin/sh", script)
	cmd.Env = []string{"PATH=" + bin}
	said, err := cmd.CombinedOutput()
	return string(said), err == nil
}

func machine(changes map[string]string) map[string]string {
	programs := map[string]string{
		"go":      "echo go1.26.0",
		"node":    "echo v20.19.2",
		"npm":     "exit 0",
		"python3": `case "$2" in *version*) echo 3.10 ;; esac`,
		"df":      "echo header; echo disk 9 9 9999999 1% /",
	}
	for name, script := range changes {
		if script == "" {
			delete(programs, name)
		} else {
			programs[name] = script
		}
	}
	return programs
}

func TestPreflightPassesOnTheOldestMachineThatIsGoodEnough(t *testing.T) {
	output, passed := preflight(t, machine(nil))
	assert.True(t, passed)
	assert.Empty(t, output)
}

func TestPreflightSaysWhatToInstallOrFree(t *testing.T) {
	for name, test := range map[string]struct {
		changes map[string]string
		says    string
	}{
		"no Go":                 {map[string]string{"go": ""}, "preflight: go is missing: install Go 1.26 or later"},
		"old Go":                {map[string]string{"go": "echo go1.25.4"}, "preflight: go is too old (go1.25.4): install Go 1.26"},
		"Go that cannot switch": {map[string]string{"go": "echo 'go: go.mod requires go >= 1.26.0' >&2; exit 1"}, "preflight: go is too old (go: go.mod requires go >= 1.26.0)"},
		"no Node":               {map[string]string{"node": ""}, "preflight: node is missing: install Node.js 20"},
		"old Node":              {map[string]string{"node": "echo v18.20.8"}, "preflight: node is too old (v18.20.8): install Node.js 20"},
		"no npm":                {map[string]string{"npm": ""}, "preflight: npm is missing"},
		"no Python":             {map[string]string{"python3": ""}, "preflight: python3 is missing: install Python 3.10"},
		"old Python":            {map[string]string{"python3": "echo 3.9"}, "preflight: python3 is too old (3.9): install Python 3.10"},
		"no venv":               {map[string]string{"python3": `case "$2" in *version*) echo 3.12 ;; *) exit 1 ;; esac`}, "preflight: python3 has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)"},
		"full disk":             {map[string]string{"df": "echo header; echo disk 9 9 1048576 99% /"}, "preflight: only 1024 MB of disk are free here: free at least 2048 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			output, passed := preflight(t, machine(test.changes))
			assert.False(t, passed)
			assert.Contains(t, output, test.says)
			assert.Regexp(t, `\A[^\n]+\n\z`, output, "one line a problem")
		})
	}
}

func TestPreflightReportsEveryProblemAtOnce(t *testing.T) {
	output, passed := preflight(t, map[string]string{"df": "exit 1"})
	assert.False(t, passed)
	for _, name := range []string{"go", "node", "npm", "python3"} {
		assert.Contains(t, output, "preflight: "+name+" is missing")
	}
}

func TestUpReportsEveryMissingToolAtOnce(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Up(t.Context(), UpConfig{Root: t.TempDir()})
	for _, says := range []string{
		"node is not on the PATH: install Node.js 20", "go is not on the PATH: install Go 1.26",
		"Python environment", "the CDK CLI is not in", "run `make setup`",
	} {
		assert.ErrorContains(t, err, says)
	}
}
