// Package supply holds what millrace is made of to rules: licences, pinned
// versions, pinned actions, functions that build to the same bytes anywhere, and
// parsers that keep what a fuzzer has found.
package supply

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite docs/licences.md")

// root is the repository's, from this package's folder.
const root = "../.."

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}

// golist calls each with what `go list` says of the packages, as JSON. It is
// asked for one platform, whatever the host: what is listed must not depend on it.
func golist[T any](t *testing.T, each func(T), arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"list"}, arguments...)...)
	command.Dir = root
	command.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, "go list: %s", stderr.String())
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var item T
		err := decoder.Decode(&item)
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		each(item)
	}
}

// virtualenvs are the folders of Python's packages, by the requirements that are installed there.
var virtualenvs = map[string]string{
	"requirements":             ".venv",
	"test/scan/requirements":   ".tools/checkov",
	"test/supply/requirements": ".tools/supply",
}

// optional are requirements that are installed only where they can be had, for a test that is then left out: their
// licences are in no list, and nothing of them is delivered.
const optional = "test/flink/requirements"

// pin is a line NAME==VERSION of requirements, and the hashes of the files that it may be installed from.
type pin struct {
	version string
	hashes  []string
}

// pinned are those of requirements, by name.
func pinned(t *testing.T, requirements string) map[string]pin {
	t.Helper()
	pins := map[string]pin{}
	text := strings.ReplaceAll(content(t, requirements+".txt"), "\\\n", " ")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		name, version, ok := strings.Cut(fields[0], "==")
		require.True(t, ok, "%s.txt: %s is of no one version", requirements, fields[0])
		pins[name] = pin{version, fields[1:]}
	}
	require.NotEmpty(t, pins)
	return pins
}

// locked is what package-lock.json says of a package, by its folder.
type locked struct {
	Version, Resolved, Integrity, License string
}

func lock(t *testing.T) map[string]locked {
	t.Helper()
	var file struct{ Packages map[string]locked }
	require.NoError(t, json.Unmarshal([]byte(content(t, "package-lock.json")), &file))
	delete(file.Packages, "") // ourselves
	require.NotEmpty(t, file.Packages)
	return file.Packages
}
