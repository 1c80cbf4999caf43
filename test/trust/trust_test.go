package trust

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// apps are the environments' templates, as the tests of test/snapshot hold them.
func apps(t *testing.T) map[string]*App {
	t.Helper()
	apps, err := Load("../snapshot/testdata")
	require.NoError(t, err)
	return apps
}

// every are the environments' and those of what stands in none (test/everything).
func every(t *testing.T) map[string]*App {
	t.Helper()
	all, err := Load("../snapshot/testdata/everything")
	require.NoError(t, err)
	maps.Copy(all, apps(t))
	return all
}

func TestEveryRuleHoldsForEveryEnvironment(t *testing.T) {
	for name, app := range every(t) {
		for _, finding := range Findings(app, Rules(), Exceptions()) {
			assert.Fail(t, name, finding.String())
		}
	}
}
