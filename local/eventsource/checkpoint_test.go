package eventsource

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckpointSurvivesARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uuid.json")
	first, err := loadCheckpoint(file, quiet)
	require.NoError(t, err)
	started := first.begin()
	a, b, c := first.track("shard", "1"), first.track("shard", "2"), first.track("shard", "3")
	first.finish("shard", a, c)
	open := newWindow(time.Unix(65, 0), time.Minute)
	open.State = json.RawMessage(`{"n":"2"}`)

	second, err := loadCheckpoint(file, quiet)
	require.NoError(t, err)
	assert.True(t, started.Equal(second.begin()), "LATEST means what it meant first")
	assert.Equal(t, "1", second.after("shard"), "2 is not processed")
	assert.Empty(t, second.after("another"))

	first.finishIn("shard", open, b)
	third, err := loadCheckpoint(file, quiet)
	require.NoError(t, err)
	assert.Equal(t, "3", third.after("shard"))
	assert.Equal(t, open, third.position("shard").Window)
}

func TestWhatWasReadAndNotProcessedIsForgottenWhenPollingBegins(t *testing.T) {
	c, err := loadCheckpoint("", quiet)
	require.NoError(t, err)
	c.track("shard", "1")
	c.begin()
	c.finish("shard", c.track("shard", "2"))
	assert.Equal(t, "2", c.after("shard"))
}

func TestCheckpointThatCannotBeReadIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uuid.json")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err := loadCheckpoint(file, quiet)
	assert.ErrorContains(t, err, "reading the checkpoint "+file)
	_, err = loadCheckpoint(filepath.Dir(file), quiet)
	assert.ErrorContains(t, err, "reading a checkpoint")
}

func TestCheckpointThatCannotBeWrittenIsSaidAndProcessingGoesOn(t *testing.T) {
	var log bytes.Buffer
	c, err := loadCheckpoint(filepath.Join(t.TempDir(), "missing", "uuid.json"), slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	c.finish("shard", c.track("shard", "1"))
	assert.Equal(t, "1", c.after("shard"))
	assert.Contains(t, log.String(), "writing a checkpoint")
}

func TestCheckpointOfADeletedMappingIsRemovedForGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uuid.json")
	c, err := loadCheckpoint(file, quiet)
	require.NoError(t, err)
	c.begin()
	require.FileExists(t, file)
	require.NoError(t, c.remove())
	c.finish("shard", c.track("shard", "1")) // by an invocation that ends late
	assert.NoFileExists(t, file)
	assert.NoError(t, c.remove())
}
