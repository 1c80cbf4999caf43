package firehose

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// builder gathers a row's values, column by column.
type builder struct {
	columns [][]parquet.Value
	name    func(string) string // of a member
}

// levels say where in the nesting a value stands, as Parquet counts.
type levels struct{ repetition, definition, depth int }

func (l levels) defined() levels { l.definition++; return l }

// row converts a JSON object. Members without a column are left out, columns
// without a member are null, and null fits every column.
func (s *schema) row(document []byte, name func(string) string, names map[string]string) (parquet.Row, error) {
	b := &builder{columns: make([][]parquet.Value, s.leaves), name: name}
	members, err := b.members(document)
	if err != nil {
		return nil, err
	}
	for _, column := range s.columns {
		key := column.name
		if other, mapped := names[column.name]; mapped {
			key = name(other)
		}
		if err := b.add(column.typ, members[key], levels{}); err != nil {
			return nil, fmt.Errorf("column %s: %w", column.name, err)
		}
	}
	var row parquet.Row
	for _, values := range b.columns {
		row = append(row, values...)
	}
	return row, nil
}

func (b *builder) members(object []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, errMalformed
	}
	named := make(map[string]json.RawMessage, len(members))
	for name, value := range members {
		named[b.name(name)] = value
	}
	return named, nil
}

// add adds an optional value.
func (b *builder) add(t *hiveType, value json.RawMessage, at levels) error {
	if len(value) == 0 || string(value) == "null" {
		b.null(t, at)
		return nil
	}
	return b.addDefined(t, value, at.defined())
}

func (b *builder) null(t *hiveType, at levels) {
	for column := t.first; column < t.first+t.leaves; column++ {
		b.put(column, parquet.NullValue(), at)
	}
}

func (b *builder) put(column int, value parquet.Value, at levels) {
	b.columns[column] = append(b.columns[column], value.Level(at.repetition, at.definition, column))
}

func (b *builder) addDefined(t *hiveType, value json.RawMessage, at levels) error {
	switch t.kind {
	case "struct":
		members, err := b.members(value)
		if err != nil || value[0] != '{' {
			return mismatch(t, value)
		}
		for _, f := range t.fields {
			if err := b.add(f.typ, members[f.name], at); err != nil {
				return err
			}
		}
		return nil
	case "array":
		var elements []json.RawMessage
		if value[0] != '[' || json.Unmarshal(value, &elements) != nil {
			return mismatch(t, value)
		}
		return b.repeat(t, len(elements), at, func(i int, at levels) error { return b.add(t.element, elements[i], at) })
	case "map":
		return b.addMap(t, value, at)
	}
	leaf, err := t.leaf(value)
	if err == nil {
		b.put(t.first, leaf, at)
	}
	return err
}

func (b *builder) addMap(t *hiveType, value json.RawMessage, at levels) error {
	var members map[string]json.RawMessage
	if value[0] != '{' || json.Unmarshal(value, &members) != nil {
		return mismatch(t, value)
	}
	names := slices.Sorted(maps.Keys(members))
	return b.repeat(t, len(names), at, func(i int, at levels) error {
		key, ok := t.key.scalar(names[i])
		if !ok {
			return mismatch(t, value)
		}
		b.put(t.key.first, key, at)
		return b.add(t.element, members[names[i]], at)
	})
}

// repeat adds n elements.
func (b *builder) repeat(t *hiveType, n int, at levels, add func(int, levels) error) error {
	if n == 0 {
		b.null(t, at)
	}
	at.depth++
	for i := range n {
		if err := add(i, at.defined()); err != nil {
			return err
		}
		at.repetition = at.depth
	}
	return nil
}
