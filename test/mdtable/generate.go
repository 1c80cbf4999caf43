package mdtable

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Table is head, which is written as in Markdown, with the rows under it.
func Table(head string, rows [][]string) string {
	var text strings.Builder
	text.WriteString(head + "\n" + strings.Repeat("|---", strings.Count(head, "|")-1) + "|\n")
	for _, row := range rows {
		text.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return text.String()
}

// Hold fails unless the document at path has each part, by its name, between <!-- name --> and
// <!-- /name -->. With update it writes them there; command is how a reader does that.
func Hold(t *testing.T, path string, parts map[string]string, command string, update bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	got := string(text)
	for name, part := range parts {
		between := regexp.MustCompile(`(?s)<!-- ` + name + ` -->\n.*?<!-- /` + name + ` -->`)
		require.Len(t, between.FindAllString(got, -1), 1, "%s has one place for %s", path, name)
		want := "<!-- " + name + " -->\n" + part + "<!-- /" + name + " -->"
		if !update {
			assert.Equal(t, want, between.FindString(got), "%s is stale: %s", path, command)
		}
		got = between.ReplaceAllLiteralString(got, want)
	}
	if update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
}
