package reach

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// resource is one of a template's.
type resource struct {
	stack, id, kind string
	properties      map[string]any
}

func (r *resource) name() string { return r.stack + "/" + r.id }

// model is what templates say together.
type model struct {
	templates map[string]Template
	resources []*resource // by name
	byName    map[string]*resource
	exports   map[string]expression // by the name's canonical text
	stored    map[string]expression // values of AWS::SSM::Parameter by Name
}

// expression is a value and the template that it stands in.
type expression struct {
	stack string
	value any
}

// target is what an expression leads to: a resource of the templates, or, if
// that is nil, the expression's own text.
type target struct {
	resource  *resource
	attribute string
	text      string
}

func newModel(templates map[string]Template) (*model, error) {
	m := &model{templates: templates, byName: map[string]*resource{}, exports: map[string]expression{}, stored: map[string]expression{}}
	for stack, template := range templates {
		resources, ok := template["Resources"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("template %s has no resources", stack)
		}
		for id, body := range resources {
			members, _ := body.(map[string]any)
			kind, _ := members["Type"].(string)
			properties, _ := members["Properties"].(map[string]any)
			r := &resource{stack: stack, id: id, kind: kind, properties: properties}
			m.byName[r.name()] = r
		}
		outputs, _ := template["Outputs"].(map[string]any)
		for _, body := range outputs {
			output, _ := body.(map[string]any)
			if export, ok := output["Export"].(map[string]any); ok {
				m.exports[canonical(export["Name"])] = expression{stack, output["Value"]}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.byName)) {
		m.resources = append(m.resources, m.byName[name])
	}
	for _, r := range m.ofKind("AWS::SSM::Parameter") {
		m.stored[canonical(r.properties["Name"])] = expression{r.stack, r.properties["Value"]}
	}
	for _, r := range m.ofKind("AWS::CloudFormation::Stack") {
		if _, known := templates[r.name()]; !known {
			return nil, fmt.Errorf("%s is a nested stack: its template must be given as %q", r.name(), r.name())
		}
	}
	return m, nil
}

func (m *model) ofKind(kinds ...string) []*resource {
	var all []*resource
	for _, r := range m.resources {
		if slices.Contains(kinds, r.kind) {
			all = append(all, r)
		}
	}
	return all
}

// that lists the resources of kind whose property leads to r.
func (m *model) that(kind, property string, r *resource) []*resource {
	var all []*resource
	for _, candidate := range m.ofKind(kind) {
		if m.leads(candidate, property, r) {
			all = append(all, candidate)
		}
	}
	return all
}

func (m *model) leads(from *resource, property string, to *resource) bool {
	return slices.ContainsFunc(m.of(from, property), func(t target) bool { return t.resource == to })
}

// of lists what a property of r leads to.
func (m *model) of(r *resource, property string) []target {
	return m.resolve(expression{r.stack, r.properties[property]}, 0)
}

// mentions says whether anything in r's properties leads to other.
func (m *model) mentions(r, other *resource) bool {
	found := false
	var walk func(value any)
	walk = func(value any) {
		switch v := value.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if _, _, intrinsic := function(v); intrinsic {
				for _, t := range m.resolve(expression{r.stack, v}, 0) {
					found = found || t.resource == other
				}
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(r.properties)
	return found
}

// mayBe says whether a property may be true at a deploy. A property that is not
// there is what AWS takes then.
func (m *model) mayBe(r *resource, property string, standard bool) bool {
	value, ok := r.properties[property]
	if !ok {
		return standard
	}
	targets := m.resolve(expression{r.stack, value}, 0)
	if b, ok := value.(bool); ok {
		return b
	}
	return len(targets) == 0 && standard || slices.ContainsFunc(targets, func(t target) bool { return t.text != "false" })
}

func member(value map[string]any, keys ...string) any {
	var at any = value
	for _, key := range keys {
		members, _ := at.(map[string]any)
		at = members[key]
	}
	return at
}

func resourcesAmong(targets []target) []target {
	return slices.DeleteFunc(targets, func(t target) bool { return t.resource == nil })
}

// canonical is value's JSON with sorted keys.
func canonical(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value) // of a template, which was JSON, this cannot be
	}
	return string(text)
}
