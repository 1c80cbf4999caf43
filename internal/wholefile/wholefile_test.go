package wholefile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/wholefile"
)

func TestAFileIsReplacedWithItsModeAndNothingIsLeftBeside(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "state.json")
	require.NoError(t, wholefile.Write(path, []byte("old and longer"), 0o644))
	require.NoError(t, wholefile.Write(path, []byte("new"), 0o600))

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "new", string(content))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

func TestWhatCannotBeReplacedStaysAndNothingIsLeftBeside(t *testing.T) {
	folder := t.TempDir()
	taken := filepath.Join(folder, "taken")
	require.NoError(t, os.Mkdir(taken, 0o755))
	assert.Error(t, wholefile.Write(taken, []byte("x"), 0o600))
	assert.Error(t, wholefile.Write(filepath.Join(folder, "no such folder", "file"), []byte("x"), 0o600))

	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}
