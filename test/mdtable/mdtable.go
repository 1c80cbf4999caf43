// Package mdtable reads tables of Markdown documents, for the tests that hold them to what is there.
package mdtable

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Rows are the rows, without its head, of the table that stands between
// <!-- name --> and <!-- /name --> in the document at path. A cell that is nothing but code is without its backticks.
func Rows(t *testing.T, path, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "<!-- "+name+" -->")
	require.True(t, found, "%s has no <!-- %s -->", path, name)
	table, _, found := strings.Cut(rest, "<!-- /"+name+" -->")
	require.True(t, found, "%s has no <!-- /%s -->", path, name)
	var rows [][]string
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			if inner := strings.Trim(cells[i], "`"); !strings.Contains(inner, "`") && len(inner) == len(cells[i])-2 {
				cells[i] = inner
			}
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 2, "%s: the table %s is empty", path, name)
	return rows[2:] // after the head and the line below it
}
