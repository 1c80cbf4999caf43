// Package duckdb has tests compute independently what the product computes.
package duckdb

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Rows runs SQL by the DuckDB of the repository at root and returns the rows of its last statement.
func Rows(t *testing.T, root, sql string) (rows [][]any) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(root, ".venv", "bin", "python"), "-c",
		"import duckdb, json, sys; print(json.dumps(duckdb.execute(sys.stdin.read()).fetchall(), default=str))")
	command.Stdin = strings.NewReader(sql)
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	require.NoError(t, err, "%s\n%s", sql, problems.String())
	require.NoError(t, json.Unmarshal(output, &rows))
	return rows
}
