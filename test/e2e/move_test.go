package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// As docs/change-strategy.md has it, with a loader for all that reads.
func TestAStreamIsReplacedAndNoEventIsLost(t *testing.T) {
	onlyLocal(t)
	app := newSchemaApp(t)
	app.generate(t, readings())
	app.mustDeploy(t, readings())
	old := app.outputs["CoreStream"]
	posts := func(load *schemaLoad) func() bool {
		return func() bool { return load.posted() > 0 }
	}

	load := app.startLoad(t)
	require.Eventually(t, posts(load), time.Minute, 10*time.Millisecond)
	app.streams = "Core,Events" // the new one beside the old, with a reader of its own
	app.mustDeploy(t, readings())
	toTheOld := load.stop(t)

	load = app.startLoad(t) // writers go to the new one
	require.Eventually(t, posts(load), time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		var stored int
		require.NoError(t, app.db.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE stream = $1", old).Scan(&stored))
		return stored == len(toTheOld)
	}, time.Minute, 100*time.Millisecond, "the old one's reader comes to its end")
	app.streams = "Events" // without the old
	app.mustDeploy(t, readings())
	toTheNew := load.stop(t)

	require.NotContains(t, app.outputs, "CoreStream")
	assert.NotEmpty(t, toTheNew)
	app.assertAtRest(t, append(toTheOld, toTheNew...))
}
