package e2e

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheCheckOfAReleasePassesOnWhatIsDeployedAndKeepsNoRow(t *testing.T) {
	onlyLocal(t)
	run := exec.CommandContext(t.Context(), "build/millrace", "check", "--env=local", "--timeout=1m", "--json")
	run.Dir = root
	output, err := run.CombinedOutput()
	require.NoError(t, err, "%s", output)
	var report struct {
		Run     string
		Removed int
		Steps   []struct{ Name, Problem string }
	}
	require.NoError(t, json.Unmarshal(output, &report))
	assert.Len(t, report.Steps, 6)
	assert.Equal(t, 3, report.Removed)

	var rows int
	require.NoError(t, database(t).QueryRow(t.Context(), "SELECT count(*) FROM events WHERE event_id LIKE $1", "%"+report.Run+"%").Scan(&rows))
	assert.Zero(t, rows)
}
