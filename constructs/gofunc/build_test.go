package gofunc

import (
	"debug/elf"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const hello = "package main\n\nfunc main() { println(\"hello\") }\n"

// tinyModule writes a module with one main package and returns its folder.
func tinyModule(t *testing.T, source string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "go.mod"), "module example.com/tiny\n\ngo 1.26\n")
	write(t, filepath.Join(folder, "cmd", "main.go"), source)
	return folder
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func built(t *testing.T, b build) (path string, content []byte) {
	t.Helper()
	folder, err := b.run()
	require.NoError(t, err)
	path = filepath.Join(folder, executable)
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	return path, content
}

func TestSameSourcesInTwoFoldersGiveTheSameBytes(t *testing.T) {
	one, two := tinyModule(t, hello), tinyModule(t, hello)
	onePath, first := built(t, build{pkg: "example.com/tiny/cmd", dir: one, goarch: "arm64", cache: t.TempDir()})
	twoPath, second := built(t, build{pkg: "./cmd", dir: two, goarch: "arm64", cache: t.TempDir()})

	assert.NotEqual(t, onePath, twoPath)
	assert.Equal(t, first, second)
}

func TestSettingsOfTheMachineDoNotChangeTheBytes(t *testing.T) {
	module := tinyModule(t, hello)
	_, want := built(t, build{pkg: "./cmd", dir: module, goarch: "amd64", cache: t.TempDir()})

	t.Setenv("GOFLAGS", "-tags=mine -ldflags=-X=main.x=y")
	t.Setenv("GOAMD64", "v3")
	t.Setenv("CGO_ENABLED", "1")
	_, got := built(t, build{pkg: "./cmd", dir: module, goarch: "amd64", cache: t.TempDir()})
	assert.Equal(t, want, got)
}

func TestUnchangedSourcesAreNotBuiltAgain(t *testing.T) {
	b := build{pkg: "./cmd", dir: tinyModule(t, hello), goarch: "arm64", cache: t.TempDir()}
	path, content := built(t, b)

	// A mark that any linking would wipe out.
	marked := append(content, "mark"...)
	require.NoError(t, os.WriteFile(path, marked, 0o755))
	before, err := os.Stat(path)
	require.NoError(t, err)

	_, again := built(t, b)
	after, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, marked, again)
	assert.Equal(t, before.ModTime(), after.ModTime())
}

func TestAChangedSourceIsBuiltAgain(t *testing.T) {
	b := build{pkg: "./cmd", dir: tinyModule(t, hello), goarch: "arm64", cache: t.TempDir()}
	path, before := built(t, b)

	write(t, filepath.Join(b.dir, "cmd", "main.go"), "package main\n\nfunc main() { println(\"good bye\") }\n")
	samePath, after := built(t, b)
	assert.Equal(t, path, samePath)
	assert.NotEqual(t, before, after)
}

func TestTheFolderHoldsAStaticLinuxExecutableForTheArchitecture(t *testing.T) {
	module, cache := tinyModule(t, hello), t.TempDir()
	for goarch, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		t.Run(goarch, func(t *testing.T) {
			path, _ := built(t, build{pkg: "./cmd", dir: module, goarch: goarch, cache: cache})

			file, err := elf.Open(path)
			require.NoError(t, err)
			defer file.Close()
			assert.Equal(t, machine, file.Machine)
			assert.Nil(t, file.Section(".symtab"), "stripped")
			libraries, err := file.ImportedLibraries()
			require.NoError(t, err)
			assert.Empty(t, libraries)

			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o755), info.Mode().Perm())
			entries, err := os.ReadDir(filepath.Dir(path))
			require.NoError(t, err)
			assert.Len(t, entries, 1)
		})
	}
}

func TestAPackageOfAReadOnlyDependencyBuildsWithTheDependencysOwnSums(t *testing.T) {
	// A replaced module stands for one in the module cache: what counts is a
	// folder that nobody may write to, and an importer that lists none of its dependencies.
	dependency := tinyModule(t, hello)
	app := t.TempDir()
	write(t, filepath.Join(app, "go.mod"), "module example.com/app\n\ngo 1.26\n\nrequire example.com/tiny v1.0.0\n\nreplace example.com/tiny => "+dependency+"\n")
	require.NoError(t, os.Chmod(filepath.Join(dependency, "cmd"), 0o555))
	require.NoError(t, os.Chmod(dependency, 0o555))

	_, got := built(t, build{pkg: "example.com/tiny/cmd", dir: app, goarch: "arm64", cache: t.TempDir()})
	_, want := built(t, build{pkg: "./cmd", dir: tinyModule(t, hello), goarch: "arm64", cache: t.TempDir()})
	assert.Equal(t, want, got)

	entries, err := os.ReadDir(dependency)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "nothing is written beside the sources")
}

func TestAVendoredModuleBuildsWithoutTheNetwork(t *testing.T) {
	module := tinyModule(t, "package main\n\nimport \"example.com/greeting\"\n\nfunc main() { println(greeting.Text) }\n")
	write(t, filepath.Join(module, "go.mod"), "module example.com/tiny\n\ngo 1.26\n\nrequire example.com/greeting v1.0.0\n")
	write(t, filepath.Join(module, "vendor", "modules.txt"), "# example.com/greeting v1.0.0\n## explicit\nexample.com/greeting\n")
	write(t, filepath.Join(module, "vendor", "example.com", "greeting", "greeting.go"), "package greeting\n\nconst Text = \"hello from the vendor folder\"\n")
	t.Setenv("GOPROXY", "off")

	_, content := built(t, build{pkg: "./cmd", dir: module, goarch: "arm64", cache: t.TempDir()})
	assert.Contains(t, string(content), "hello from the vendor folder")
}

func TestWhatCannotBeBuiltIsNamed(t *testing.T) {
	module := tinyModule(t, hello)
	write(t, filepath.Join(module, "lib", "lib.go"), "package lib\n")
	write(t, filepath.Join(module, "broken", "main.go"), "package main\n\nfunc main() { return 7 }\n")

	for name, c := range map[string]struct{ pkg, want string }{
		"does not compile":    {"./broken", "too many return values"},
		"is not a main":       {"./lib", "package lib: a function is built from a package main"},
		"does not exist":      {"./nowhere", "nowhere"},
		"of a foreign module": {"example.org/other/cmd", "example.org/other/cmd"},
		"several packages":    {"./...", "matches several packages"},
		"of no module":        {"cmd/gofmt", "belongs to no module"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			_, err := build{pkg: c.pkg, dir: module, goarch: "arm64", cache: cache}.run()
			require.ErrorContains(t, err, c.want)

			left, err := filepath.Glob(filepath.Join(cache, "*", "*"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestAMissingGoCommandIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := build{pkg: "./cmd", dir: t.TempDir(), goarch: "arm64", cache: t.TempDir()}.run()
	assert.ErrorContains(t, err, "install Go")
}

func TestTheStubIsWrittenOnceAndRefusesToRun(t *testing.T) {
	cache := t.TempDir()
	folder, err := stub(cache)
	require.NoError(t, err)
	before, err := os.Stat(filepath.Join(folder, executable))
	require.NoError(t, err)

	again, err := stub(cache)
	require.NoError(t, err)
	after, err := os.Stat(filepath.Join(again, executable))
	require.NoError(t, err)
	assert.Equal(t, before.ModTime(), after.ModTime())
	assert.Equal(t, os.FileMode(0o755), after.Mode().Perm())
	text, err := os.ReadFile(filepath.Join(folder, executable))
	require.NoError(t, err)
	assert.Contains(t, string(text), "exit 1")
}
