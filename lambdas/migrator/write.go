package migrator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/millrace-cdk/millrace/spec"
)

// Kind is the kind of migration that [Write] makes.
type Kind string

const (
	// Expand is what [Generate] makes.
	Expand Kind = "expand"
	// Contract is what [GenerateContract] makes.
	Contract Kind = "contract"
)

// Write writes the migration that leads from what the newest file of a folder
// declares to tables, and returns its path; it returns "" if there is nothing
// to do. The file is to be read and committed: what it says is what a deploy does.
func Write(folder string, kind Kind, tables []spec.Table) (path string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", folder, err)
	}
	slices.Sort(files)
	var before []spec.Table
	if len(files) > 0 {
		newest := files[len(files)-1]
		text, err := os.ReadFile(newest)
		if err != nil {
			return "", fmt.Errorf("reading the newest migration: %w", err)
		}
		if before, err = spec.TablesOf(string(text)); err != nil {
			return "", fmt.Errorf("reading %s: %w", newest, err)
		}
	}
	generate := Generate
	if kind == Contract {
		generate = GenerateContract
	}
	text, err := generate(before, tables)
	if err != nil || text == "" {
		return "", err
	}
	path = filepath.Join(folder, fmt.Sprintf("%05d_%s.sql", len(files)+1, kind))
	return path, errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(path, []byte(text), 0o644))
}
