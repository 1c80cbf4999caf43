package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Table declares a table that the loader fills beside events: each event of its
// types becomes a row, in the transaction that stores the event. Every table has
// a column event_id too, which says what event a row is of.
type Table struct {
	// Name is the table's name, in lower case. Required.
	Name string `json:"name"`
	// EventTypes are the values of event_type that the table takes.
	//
	// Default: every event.
	EventTypes []string `json:"event_types,omitempty"`
	// Columns are what is taken out of an event. Required.
	Columns []Column `json:"columns"`
	// Key names the columns that tell one row from another.
	//
	// Default: event_id, so that each event is a row.
	Key []string `json:"key,omitempty"`
	// Conflict says what happens to an event whose key is there already.
	//
	// Default: [Ignore].
	Conflict Conflict `json:"conflict,omitempty"`
	// Newer names the column that decides for [UpdateIfNewer]: a later time or a
	// higher number is newer. Of two that are equal, the greater event_id wins.
	Newer string `json:"newer,omitempty"`
	// Retired tables are not filled any more: the step before one is dropped.
	Retired bool `json:"retired,omitempty"`
}

// Column declares a column of a [Table].
type Column struct {
	// Name is the column's name, in lower case. Required.
	Name string `json:"name"`
	// Type is one of [ColumnTypes]. Required.
	Type string `json:"type"`
	// Path is where the value stands in the event: $.device.id, $.tags[0], $['odd name'].
	//
	// Default: $. and the column's name.
	Path string `json:"path,omitempty"`
	// Nullable columns are null where the event has no value, or null. An event
	// without a value for any other column goes to quarantine.
	Nullable bool `json:"nullable,omitempty"`
	// Default stands in for a value that the event does not have. It is a value
	// of Type, as text; no SQL.
	//
	// Default: none.
	Default string `json:"default,omitempty"`
	// Retired columns are not written any more: the step before one is dropped.
	Retired bool `json:"retired,omitempty"`
}

// Conflict is what happens to an event whose key is in the table already.
type Conflict string

const (
	// Ignore keeps the row that was first.
	Ignore Conflict = "ignore"
	// Update replaces the row: what is written last stays, so that the order in
	// which shards and redeliveries are stored decides.
	Update Conflict = "update"
	// UpdateIfNewer replaces the row if the event is newer by [Table.Newer]: any
	// order ends the same.
	UpdateIfNewer Conflict = "update_if_newer"
)

// ColumnTypes are the types that a column may have, as Postgres spells them.
func ColumnTypes() []string {
	return []string{"text", "integer", "bigint", "numeric", "double precision", "boolean", "timestamptz", "date", "uuid", "jsonb"}
}

// identifier is a name that needs no quotes, of up to the 63 bytes that Postgres keeps.
var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// ValidateTables reports everything that is wrong with tables.
func ValidateTables(tables []Table) error {
	var errs []error
	seen := map[string]bool{}
	for _, t := range tables {
		if seen[t.Name] {
			errs = append(errs, fmt.Errorf("table %s is declared twice", t.Name))
		}
		seen[t.Name] = true
		errs = append(errs, t.Validate())
	}
	return errors.Join(errs...)
}

// Validate reports everything that is wrong with t.
func (t Table) Validate() error {
	var errs []error
	say := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("table %s: "+format, append([]any{t.Name}, args...)...))
	}
	switch {
	case !identifier.MatchString(t.Name):
		say("a table's name must be lower case letters, digits and _, up to 63, got %q", t.Name)
	case t.Name == "events" || t.Name == "quarantine" || strings.HasPrefix(t.Name, "millrace_") || strings.HasPrefix(t.Name, "goose_"):
		say("the name is millrace's own: take another one")
	}
	if len(t.Columns) == 0 {
		say("columns are required")
	}
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if seen[c.Name] {
			say("column %s is declared twice", c.Name)
		}
		seen[c.Name] = true
		if err := c.validate(); err != nil {
			say("%w", err)
		}
	}
	for _, name := range t.Key {
		c, found := t.Column(name)
		switch {
		case name == EventIDColumn:
		case !found:
			say("key column %q is not among the columns", name)
		case c.Nullable || c.Retired || c.Type == "jsonb":
			say("key column %s must not be nullable, retired or jsonb", name)
		}
	}
	switch t.Conflict {
	case "", Ignore, Update:
		if t.Newer != "" {
			say("newer is only for the conflict rule %s, got %q", UpdateIfNewer, t.Newer)
		}
	case UpdateIfNewer:
		if c, found := t.Column(t.Newer); !found || c.Nullable || c.Retired || !slices.Contains([]string{"timestamptz", "date", "bigint", "integer", "numeric"}, c.Type) {
			say("newer must name a column that is not nullable and a time or a whole or exact number, got %q", t.Newer)
		}
	default:
		say("conflict must be %s, %s or %s, got %q", Ignore, Update, UpdateIfNewer, t.Conflict)
	}
	return errors.Join(errs...)
}

// EventIDColumn is the column that every table has beside its own.
const EventIDColumn = "event_id"

// Column returns the column called name.
func (t Table) Column(name string) (Column, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return t.Columns[i], true
}

// KeyColumns returns Key, or what it is by default.
func (t Table) KeyColumns() []string {
	if len(t.Key) == 0 {
		return []string{EventIDColumn}
	}
	return t.Key
}

func (c Column) validate() error {
	var errs []error
	if !identifier.MatchString(c.Name) {
		errs = append(errs, fmt.Errorf("a column's name must be lower case letters, digits and _, up to 63, got %q", c.Name))
	}
	if c.Name == EventIDColumn {
		errs = append(errs, fmt.Errorf("every table has a column %s: do not declare it", EventIDColumn))
	}
	if !slices.Contains(ColumnTypes(), c.Type) {
		errs = append(errs, fmt.Errorf("column %s: type must be one of %s, got %q", c.Name, strings.Join(ColumnTypes(), ", "), c.Type))
	}
	if _, err := c.PathSteps(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// step is one step of a path: .name, ['any name'] or [7].
var step = regexp.MustCompile(`^(?:\.([A-Za-z_][A-Za-z0-9_]*)|\['([^'\\\x00]+)'\]|\[(\d{1,9})\])`)

// PathSteps returns the names and indexes that Path leads along.
func (c Column) PathSteps() ([]string, error) {
	if c.Path == "" {
		return []string{c.Name}, nil
	}
	steps, err := PathSteps(c.Path)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", c.Name, err)
	}
	return steps, nil
}

// PathSteps returns the names and indexes that path leads along. Of JSONPath
// (RFC 9535) it knows the steps that lead to one value.
func PathSteps(path string) ([]string, error) {
	rest, rooted := strings.CutPrefix(path, "$")
	var steps []string
	for rooted && rest != "" {
		found := step.FindStringSubmatch(rest)
		if found == nil {
			break
		}
		steps = append(steps, found[1]+found[2]+found[3])
		rest = rest[len(found[0]):]
	}
	if len(steps) == 0 || rest != "" {
		return nil, fmt.Errorf("path must be like $.device.id, $.tags[0] or $['odd name'], got %q", path)
	}
	return steps, nil
}
