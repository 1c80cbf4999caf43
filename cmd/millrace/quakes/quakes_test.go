package quakes_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/quakes"
)

func TestReportsBecomeEvents(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, quakes.Path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(
		`{"type":"FeatureCollection","features":[{"id":"nc1","properties":{"mag":1.10,"place":"<a & b>","time":1517443200000}}]}`), 0o600))

	events, err := quakes.Load(root)
	require.NoError(t, err)
	require.Len(t, events, 1)
	text, err := events[0].JSON()
	require.NoError(t, err)
	assert.Equal(t, `{"event_id":"nc1","event_type":"earthquake","occurred_at":1517443200000,"feature":{"id":"nc1","properties":{"mag":1.10,"place":"<a & b>","time":1517443200000}}}`, string(text))
}

func TestMissingReportsSayHowToGetThem(t *testing.T) {
	_, err := quakes.Load(t.TempDir())
	assert.ErrorContains(t, err, "npm ci")
}
