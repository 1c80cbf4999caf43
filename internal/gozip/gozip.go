// Package gozip builds Go functions for tests, as Lambda takes them.
package gozip

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build compiles the main package at dir for this machine, with ldflags, and returns it as a deployment package.
func Build(dir, ldflags string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "gozip")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // the system's temporary folder is emptied in any case
	bootstrap := filepath.Join(folder, "bootstrap")
	build := exec.Command("go", "build", "-ldflags", ldflags, "-o", bootstrap, dir)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", dir, err, output)
	}
	binary, err := os.ReadFile(bootstrap)
	if err != nil {
		return nil, err
	}
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	file, err := archive.CreateHeader(&zip.FileHeader{Name: "bootstrap", Method: zip.Store, ExternalAttrs: 0o755 << 16})
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(binary); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return code.Bytes(), nil
}
