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

// pinned are the lines NAME==VERSION of requirements.txt, by name.
func pinned(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for line := range strings.Lines(content(t, "requirements.txt")) {
		line, _, _ = strings.Cut(line, "#")
		requirement, _, _ := strings.Cut(line, " ") // options and markers follow
		if name, version, ok := strings.Cut(strings.TrimSpace(requirement), "=="); ok {
			versions[name] = version
		}
	}
	require.NotEmpty(t, versions)
	return versions
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
