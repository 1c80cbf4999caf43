package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// model is the resources of several templates, by "stack/logical id".
type model struct {
	resources map[string]*resource
	exports   map[string]string // what an export's name stands for, as a resource's key
}

type resource struct {
	stack      string
	id         string
	Type       string         `json:"Type"`
	Properties map[string]any `json:"Properties"`
}

func (r *resource) key() string { return r.stack + "/" + r.id }

func load(files []string) (*model, error) {
	m := &model{resources: map[string]*resource{}, exports: map[string]string{}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a template: %w", err)
		}
		var template struct {
			Resources map[string]*resource
			Outputs   map[string]struct {
				Value  any
				Export struct{ Name any }
			}
		}
		if err := json.Unmarshal(text, &template); err != nil {
			return nil, fmt.Errorf("parsing %s: %w", file, err)
		}
		stack := strings.TrimSuffix(filepath.Base(file), ".template.json")
		for id, r := range template.Resources {
			r.stack, r.id = stack, id
			m.resources[r.key()] = r
		}
		for _, output := range template.Outputs {
			name, exported := output.Export.Name.(string)
			if targets := m.references(stack, output.Value); exported && len(targets) == 1 {
				m.exports[name] = targets[0]
			}
		}
	}
	return m, nil
}

// ofType returns the resources of a CloudFormation type, ordered by key.
func (m *model) ofType(kind string) []*resource {
	var found []*resource
	for _, r := range m.resources {
		if r.Type == kind {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *resource) int { return strings.Compare(a.key(), b.key()) })
	return found
}

// only returns the one resource of a type.
func (m *model) only(kind string) (*resource, error) {
	found := m.ofType(kind)
	if len(found) != 1 {
		return nil, fmt.Errorf("the picture draws one %s, the templates have %d", kind, len(found))
	}
	return found[0], nil
}

// target returns the resource of a type that a property of from refers to.
func (m *model) target(from *resource, kind string, path ...string) (*resource, error) {
	for _, key := range m.references(from.stack, from.at(path...)) {
		if r := m.resources[key]; r != nil && r.Type == kind {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s of %s refers to no %s", strings.Join(path, "."), from.key(), kind)
}

// arrow fails unless a property of from refers to to.
func (m *model) arrow(from, to *resource, path ...string) error {
	if !slices.Contains(m.references(from.stack, from.at(path...)), to.key()) {
		return fmt.Errorf("%s of %s does not refer to %s", strings.Join(path, "."), from.key(), to.key())
	}
	return nil
}

// substitution is a ${Name} or ${Name.Attribute} in an Fn::Sub; ${!Literal} is none.
var substitution = regexp.MustCompile(`\$\{([^!.}][^.}]*)(?:\.[^}]*)?\}`)

// references lists the keys of the resources that value, of that stack, refers to.
func (m *model) references(stack string, value any) []string {
	var keys []string
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			keys = append(keys, m.references(stack, item)...)
		}
	case map[string]any:
		for name, item := range v {
			text := first(item)
			switch name {
			case "Ref", "Fn::GetAtt":
				id, _, _ := strings.Cut(text, ".")
				keys = append(keys, stack+"/"+id)
			case "Fn::ImportValue":
				keys = append(keys, m.exports[text])
			case "Fn::Sub":
				for _, match := range substitution.FindAllStringSubmatch(text, -1) {
					keys = append(keys, stack+"/"+match[1])
				}
			default:
				keys = append(keys, m.references(stack, item)...)
			}
		}
	}
	return keys
}

// first returns a text, or the first text of a list.
func first(value any) string {
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	text, _ := value.(string)
	return text
}

// at returns the value at a path of member names below the properties, or nil.
// A list stands for its first item.
func (r *resource) at(path ...string) any {
	var value any = r.Properties
	for _, name := range path {
		if list, ok := value.([]any); ok && len(list) > 0 {
			value = list[0]
		}
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}

// text returns a property that is a text, a number or a list that begins with one.
func (r *resource) text(path ...string) (string, error) {
	value := r.at(path...)
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", fmt.Errorf("%s of %s is no text but %v", strings.Join(path, "."), r.key(), value)
}

// number returns a property that is a whole number, as a number or as text.
func (r *resource) number(path ...string) (int, error) {
	var n int
	text, err := r.text(path...)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(text, &n); err != nil {
		return 0, fmt.Errorf("%s of %s is no number but %q", strings.Join(path, "."), r.key(), text)
	}
	return n, nil
}
