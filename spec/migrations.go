package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tablesMark begins the line of a migration that has the declaration it leads to.
const tablesMark = "-- +millrace tables "

// Mark returns tables as a line for the head of a migration; see [TablesOf].
func Mark(tables []Table) (string, error) {
	text, err := json.Marshal(tables)
	if err != nil {
		return "", fmt.Errorf("encoding the tables: %w", err)
	}
	return tablesMark + string(text), nil
}

// TablesOf returns the tables that a generated migration leads to. The
// declaration stands in its head, so that the newest file of a folder tells
// what the next one starts from, and whether one is missing.
func TablesOf(migration string) ([]Table, error) {
	for line := range strings.Lines(migration) {
		text, marked := strings.CutPrefix(strings.TrimSpace(line), tablesMark)
		if !marked {
			continue
		}
		var tables []Table
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&tables); err != nil {
			return nil, fmt.Errorf("decoding the line %q: %w", tablesMark+"…", err)
		}
		return tables, nil
	}
	return nil, fmt.Errorf("the migration has no line %q: generate it", tablesMark+"…")
}

// CheckMigrations reports whether the newest of files, by name, leads to tables:
// else the database would not have what the loader writes.
func CheckMigrations(files map[string]string, tables []Table) error {
	if err := ValidateTables(tables); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(files))
	if len(names) == 0 {
		if len(tables) == 0 {
			return nil
		}
		return errors.New("tables are declared, and there is no migration that makes them: generate it")
	}
	newest := names[len(names)-1]
	declared, err := TablesOf(files[newest])
	if err != nil {
		return fmt.Errorf("reading %s: %w", newest, err)
	}
	want, err := Mark(tables)
	if err != nil {
		return err
	}
	if got, err := Mark(declared); err != nil || got != want {
		return errors.Join(err, fmt.Errorf("the newest migration, %s, does not lead to the tables that are declared: generate the next one", newest))
	}
	return nil
}
