// Package flink runs the .sql files of examples/anomalies as Managed Service for Apache Flink does, on this
// machine: the archive that the construct deploys, unpacked, on files in place of streams. `make test-flink` runs
// it, on a Flink of its own in .venv-flink.
package flink

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/flinkapp"
	"github.com/millrace-cdk/millrace/test/duckdb"
)

var update = flag.Bool("update", false, "rewrite the table of docs/analytics.md")

const root = "../.."

// closeEnough is how much two sums of the same numbers may differ, relatively, by the order in which they were added.
const closeEnough = 1e-9

// sql are the files under test, which run unchanged.
var sql = []string{root + "/examples/anomalies/sql/windows.sql", root + "/examples/anomalies/sql/anomalies.sql"}

func TestFlinkComputesWhatDuckDBComputes(t *testing.T) {
	python := installed(t)
	folder := t.TempDir()
	events, series := filepath.Join(folder, "events.json"), realSeries(t)
	writeEvents(t, events)
	injected, episodes := inject(series)
	readings := filepath.Join(folder, "readings.json")
	writeReadings(t, readings, append(slices.Clone(series), injected...))

	started := time.Now()
	out := run(t, python, folder, map[string]string{"events": events, "readings": readings}, "windows", "anomalies")
	t.Logf("Flink %s: both files in %.0f s", flinkVersion(t, python), time.Since(started).Seconds())

	t.Run("windows", func(t *testing.T) { compareWindows(t, out["windows"], events) })
	t.Run("anomalies", func(t *testing.T) {
		found := compareAnomalies(t, out["anomalies"], readings)
		assert.Equal(t, len(found), published(t, out["anomalies"]), "the notifier tells of every one of them")
		table := measure(append(slices.Clone(series), injected...), episodes, found)
		t.Log("\n" + table)
		holdDocument(t, table)
	})
}

// installed is the Python that has Flink.
func installed(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, ".venv-flink", ".done")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no .venv-flink: `make test-flink` makes it, where pip serves apache-flink")
	}
	python, err := filepath.Abs(filepath.Join(root, ".venv-flink", "bin", "python"))
	require.NoError(t, err)
	return python
}

func TestAStatementGoesOnToASemicolonThatIsInNoTextAndNoComment(t *testing.T) {
	python, folder := installed(t), filepath.Join(t.TempDir(), "application")
	unpack(t, flinkapp.Application{}, folder)
	command := exec.CommandContext(t.Context(), python, "-c", "import json, main, sys; print(json.dumps(main.statements(sys.stdin.read())))")
	command.Dir = folder
	command.Stdin = strings.NewReader("-- it's a comment; of one line\nSELECT 'a;''b' -- and; here\n, `c;d`;;\n/* ; */\nINSERT INTO x SELECT \";\" ;\n-- the end;\n")
	said, err := command.Output()
	require.NoError(t, err)
	var got []string
	require.NoError(t, json.Unmarshal(said, &got))
	assert.Equal(t, []string{"SELECT 'a;''b' -- and; here\n, `c;d`", "INSERT INTO x SELECT \";\""}, got)
}

// run unpacks the archive, runs its program with files in place of the tables, and returns the rows of each output.
func run(t *testing.T, python, folder string, inputs map[string]string, outputs ...string) map[string][]map[string]any {
	t.Helper()
	application := filepath.Join(folder, "application")
	unpack(t, flinkapp.Application{SQL: sql}, application)

	groups := []map[string]any{{"PropertyGroupId": "flink", "PropertyMap": map[string]string{"parallelism.default": "1"}}}
	add := func(name, path string) {
		groups = append(groups, map[string]any{"PropertyGroupId": "table." + name, "PropertyMap": map[string]string{
			"connector": "filesystem", "path": path, "format": "json", "json.timestamp-format.standard": "ISO-8601",
		}})
	}
	for name, path := range inputs {
		add(name, path)
	}
	for _, name := range outputs {
		add(name, filepath.Join(folder, name))
	}
	text, err := json.Marshal(groups)
	require.NoError(t, err)
	properties := filepath.Join(folder, "properties.json")
	require.NoError(t, os.WriteFile(properties, text, 0o600))

	said, err := exec.CommandContext(t.Context(), python, filepath.Join(application, flinkapp.Program), "--properties="+properties).CombinedOutput()
	require.NoError(t, err, "%s", said)

	rows := map[string][]map[string]any{}
	for _, name := range outputs {
		rows[name] = readRows(t, filepath.Join(folder, name))
	}
	return rows
}

func unpack(t *testing.T, application flinkapp.Application, folder string) {
	t.Helper()
	var archive bytes.Buffer
	_, err := application.WriteTo(&archive)
	require.NoError(t, err)
	files, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(folder, files))
}

// readRows reads every file of a folder that a sink of Flink wrote and finished.
func readRows(t *testing.T, folder string) (rows []map[string]any) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			var row map[string]any
			if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return errors.Join(lines.Err(), file.Close())
	}))
	return rows
}

func flinkVersion(t *testing.T, python string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), python, "-c", "import importlib.metadata; print(importlib.metadata.version('apache-flink'))").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(said))
}

func compareWindows(t *testing.T, got []map[string]any, events string) {
	want := duckdb.Rows(t, root, fmt.Sprintf(`SELECT event_type, strftime(time_bucket(INTERVAL 10 MINUTES, occurred_at), '%%Y-%%m-%%dT%%H:%%M:%%SZ') AS window_start,
		count(*), sum(measured), min(measured), max(measured)
		FROM read_json('%s', format = 'newline_delimited', columns = {event_type: 'VARCHAR', occurred_at: 'TIMESTAMP', measured: 'DOUBLE'})
		GROUP BY 1, 2`, events))
	key := func(kind, start any) string { return fmt.Sprint(kind, " ", start) }
	flink := map[string]map[string]any{}
	for _, row := range got {
		k := key(row["kind"], row["occurred_at"])
		require.NotContains(t, flink, k, "a window twice")
		flink[k] = row
	}
	require.Len(t, flink, len(want))
	var total float64
	for _, row := range want {
		k := key(row[0], row[1])
		require.Contains(t, flink, k)
		total += row[2].(float64)
		for i, column := range []string{"events", "total", "least", "most"} {
			same(t, row[i+2], flink[k][column], "%s of %s", column, k)
		}
	}
	t.Logf("windows: %d of Flink, %d of DuckDB, the same in events, sum, least and most; %.0f events", len(got), len(want), total)
}

// same fails unless two numbers are, or are close enough.
func same(t *testing.T, want, got any, what ...any) {
	t.Helper()
	w, g := want.(float64), got.(float64)
	assert.LessOrEqual(t, math.Abs(w-g), closeEnough*max(1, math.Abs(w)), what...)
}
