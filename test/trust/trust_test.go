package trust

import (
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

func TestEveryRuleHoldsForEveryEnvironment(t *testing.T) {
	for name, app := range apps(t) {
		for _, finding := range Findings(app, Rules(), Exceptions()) {
			assert.Fail(t, name, finding.String())
		}
	}
}
