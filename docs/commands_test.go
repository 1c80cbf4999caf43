package docs

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/commands"
)

func TestEveryCommandOfTheAWSCLIIsOne(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	require.NoError(t, err)
	found, wrong := commands.Read(t, documents...)
	assert.NotEmpty(t, found)
	assert.Empty(t, wrong)
}
