package gofunc

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// executable is the file that Lambda's provided.al2023 runtime starts.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html
const executable = "bootstrap"

// build is one main package for one architecture.
type build struct {
	pkg    string // import path, or a path relative to dir
	dir    string // folder of the module that pkg is looked up from; "" is the working directory
	goarch string // arm64 or amd64
	cache  string // folder that keeps what was built, from one synth to the next
}

// cacheFolder is where built functions are kept between runs.
func cacheFolder() (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a folder to keep built functions in: %w", err)
	}
	return filepath.Join(root, "millrace", "functions"), nil
}

// run compiles the package and returns a folder that holds nothing but the
// executable. Its bytes depend on sources, toolchain and architecture alone.
//
// What is out of date is for the go command to say: it leaves an executable
// whose build ID is current as it is (tens of milliseconds) and links only when
// a source, a dependency or a flag has changed.
func (b build) run() (folder string, err error) {
	module, importPath, err := b.locate()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(strings.Join([]string{module, importPath, b.goarch}, "\x00")))
	folder = filepath.Join(b.cache, hex.EncodeToString(key[:8]))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of a built function: %w", err)
	}

	// Built on the side and renamed, as another synth may be reading the folder.
	side, err := os.MkdirTemp(b.cache, "building-*")
	if err != nil {
		return "", fmt.Errorf("making a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(side)) }()
	kept, fresh := filepath.Join(folder, executable), filepath.Join(side, executable)
	before, err := copyOf(kept, fresh)
	if err != nil {
		return "", fmt.Errorf("copying the executable of the last build: %w", err)
	}
	if err := b.compile(module, importPath, fresh); err != nil {
		return "", err
	}
	after, err := os.ReadFile(fresh)
	if err != nil {
		return "", fmt.Errorf("reading the built executable: %w", err)
	}
	if bytes.Equal(before, after) {
		return folder, nil
	}
	// Lambda's user is not the owner: whatever the umask, all must read and execute it.
	if err := errors.Join(os.Chmod(fresh, 0o755), os.Rename(fresh, kept)); err != nil {
		return "", fmt.Errorf("keeping the built executable: %w", err)
	}
	return folder, nil
}

// copyOf copies a file and returns its content: nil when there is none.
func copyOf(from, to string) ([]byte, error) {
	content, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return content, os.WriteFile(to, content, 0o755)
}

// compile writes the executable, in the module's own folder: there its go.sum is
// complete, which an importer's need not be.
func (b build) compile(module, importPath, output string) error {
	// lambda.norpc leaves out the RPC of the retired go1.x runtime.
	_, err := b.goCommand(module, []string{"GOWORK=off"},
		"build", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", output, importPath)
	return err
}

// locate finds the package's import path and the folder of its module: a work
// tree, or the read-only module cache when the module is a dependency.
func (b build) locate() (module, importPath string, err error) {
	// -find resolves no imports: a dependency's lambdas import what an importer's go.sum does not list.
	// -mod=readonly, as a vendor folder holds no dependency's main packages.
	out, err := b.goCommand(b.dir, nil, "list", "-mod=readonly", "-find", "-f", "{{.Name}}\n{{.ImportPath}}\n{{with .Module}}{{.Dir}}{{end}}", b.pkg)
	if err != nil {
		return "", "", err
	}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	switch {
	case len(lines) > 3:
		return "", "", errors.New("the pattern matches several packages: name one")
	case lines[0] != "main":
		return "", "", fmt.Errorf("it is package %s: a function is built from a package main", lines[0])
	case len(lines) < 3:
		return "", "", errors.New("it belongs to no module: a function is built from a package of a module")
	}
	return lines[2], lines[1], nil
}

// goCommand runs go in dir for Lambda's platform and returns what it printed.
// GOFLAGS, GOAMD64 and GOARM64 of the machine would change the executable's
// bytes; they are overridden by a value (-trimpath, which we want anyhow), since
// an empty one would let `go env -w` settings through. GOPROXY, GOPRIVATE and the like stay.
func (b build) goCommand(dir string, env []string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.Command("go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOOS=linux", "GOARCH="+b.goarch, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0")
	command.Env = append(command.Env, env...)
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("the go command builds functions at synth: install Go and put it on PATH: %w", err)
	case err != nil:
		return "", fmt.Errorf("running go %s: %w\n%s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// stub is an asset for stacks that are not being deployed (`cdk list`, tests of
// templates): nothing is compiled for them. It fails loudly if it ever runs.
func stub(cache string) (string, error) {
	folder := filepath.Join(cache, "stub")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("making the stub's folder: %w", err)
	}
	const script = "#!/bin/sh\necho 'this function was not built: its stack was synthesized without bundling' >&2\nexit 1\n"
	path := filepath.Join(folder, executable)
	if have, err := os.ReadFile(path); err == nil && string(have) == script {
		return folder, nil
	}
	side, err := os.CreateTemp(cache, "stub-*")
	if err != nil {
		return "", fmt.Errorf("writing the stub: %w", err)
	}
	_, writing := side.WriteString(script)
	if err := errors.Join(writing, side.Close(), os.Chmod(side.Name(), 0o755), os.Rename(side.Name(), path)); err != nil {
		return "", fmt.Errorf("writing the stub: %w", err)
	}
	return folder, nil
}
