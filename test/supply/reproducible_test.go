package supply

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// functions are the folders of the functions' main packages.
func functions(t *testing.T) (folders []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "lambdas/*/cmd/main.go"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		folder, err := filepath.Rel(root, filepath.Dir(path))
		require.NoError(t, err)
		folders = append(folders, folder)
	}
	return folders
}

// A function's asset is its executable alone, and is named by the hash of that: the
// same bytes are the same asset, which no deploy replaces. Its zip has one date,
// 1980-01-01, which the CDK CLI gives to whatever it zips.
func TestAFunctionBuildsToTheSameBytesInAnyFolder(t *testing.T) {
	recipe := compileFlags(t)
	here, there := clone(t, t.TempDir()), clone(t, filepath.Join(t.TempDir(), "a", "longer path"))
	for _, function := range functions(t) {
		t.Run(function, func(t *testing.T) {
			first, second := hash(t, recipe, here, function), hash(t, recipe, there, function)
			assert.Equal(t, first, second, "the executable knows the folder that it was built in")
			t.Log("sha256", first)
		})
	}
}

// environment is what gofunc gives to the go command for arm64, as [hash] does.
const environment = `"GOFLAGS=-trimpath", "GOOS=linux", "GOARCH="+b.goarch, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0"`

// compileFlags are the flags that gofunc builds with, read from its source: a
// flag that is dropped there is dropped here.
func compileFlags(t *testing.T) []string {
	t.Helper()
	source := content(t, "constructs/gofunc/build.go")
	require.Contains(t, source, environment)
	_, call, found := strings.Cut(source, `"build", `)
	require.True(t, found)
	call, _, found = strings.Cut(call, `"-o"`)
	require.True(t, found)
	var flags []string
	for argument := range strings.SplitSeq(call, ", ") {
		if argument != "" {
			flags = append(flags, strings.Trim(argument, `"`))
		}
	}
	require.Contains(t, flags, "-buildvcs=false")
	return flags
}

// clone copies what the functions are built from to folder.
func clone(t *testing.T, folder string) string {
	t.Helper()
	for _, path := range []string{"go.mod", "go.sum", "lambdas", "spec"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, path), func(from string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			relative, err := filepath.Rel(root, from)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			to := filepath.Join(folder, relative)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			return os.WriteFile(to, text, 0o644)
		}))
	}
	return folder
}

// hash is the SHA-256 of the function's executable, built in module as gofunc builds it.
func hash(t *testing.T, flags []string, module, function string) string {
	t.Helper()
	output := filepath.Join(t.TempDir(), "bootstrap")
	command := exec.CommandContext(t.Context(), "go", append(append([]string{"build"}, flags...), "-o", output, "./"+function)...)
	command.Dir = module
	command.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOARM64=v8.0", "GOWORK=off")
	said, err := command.CombinedOutput()
	require.NoError(t, err, "%s", said)
	executable, err := os.ReadFile(output)
	require.NoError(t, err)
	assert.False(t, bytes.Contains(executable, []byte(module)), "it has %s in it", module)
	return fmt.Sprintf("%x", sha256.Sum256(executable))
}
