package reach

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// mostReferences bounds how many references lead from one template to the next.
const mostReferences = 16

// resolve follows e through references, exports, outputs, parameters of nested
// stacks and of SSM, to everything that it may become. Of what is made of several
// parts it lists those that are resources.
func (m *model) resolve(e expression, depth int) []target {
	if e.value == nil || depth > mostReferences {
		return nil
	}
	all := func(values ...any) []target {
		var found []target
		for _, value := range values {
			found = append(found, m.resolve(expression{e.stack, value}, depth+1)...)
		}
		return found
	}
	switch v := e.value.(type) {
	case []any:
		return all(v...)
	case string:
		return []target{{text: v}}
	case map[string]any:
		name, argument, intrinsic := function(v)
		if !intrinsic {
			break
		}
		list, _ := argument.([]any)
		switch name {
		case "Ref":
			return m.reference(e.stack, fmt.Sprint(argument), "", depth)
		case "Fn::GetAtt":
			id, attribute := attributeOf(argument)
			return m.reference(e.stack, id, attribute, depth)
		case "Fn::ImportValue":
			if export, ok := m.exports[canonical(argument)]; ok {
				return m.resolve(export, depth+1)
			}
		case "Fn::GetStackOutput":
			where, _ := argument.(map[string]any)
			stack, _ := where["StackName"].(string)
			output, _ := where["OutputName"].(string)
			if value := member(m.templates[stack], "Outputs", output, "Value"); value != nil {
				return m.resolve(expression{stack, value}, depth+1)
			}
		case "Fn::If":
			if len(list) == 3 {
				return all(list[1], list[2])
			}
		case "Fn::Select":
			if len(list) == 2 {
				return all(list[1])
			}
		case "Fn::Split":
			if len(list) == 2 {
				return all(list[1])
			}
		case "Fn::Join", "Fn::Sub", "Fn::Cidr":
			if parts := resourcesAmong(m.parts(expression{e.stack, argument}, depth)); len(parts) > 0 {
				return parts
			}
		}
	}
	return []target{{text: canonical(e.value)}}
}

// substitution is a ${Name} or ${Name.Attribute} in an Fn::Sub; ${!Literal} is none.
var substitution = regexp.MustCompile(`\$\{([^!.}][^.}]*)(?:\.([^}]*))?\}`)

func (m *model) parts(e expression, depth int) []target {
	switch v := e.value.(type) {
	case string:
		var found []target
		for _, match := range substitution.FindAllStringSubmatch(v, -1) {
			found = append(found, m.reference(e.stack, match[1], match[2], depth)...)
		}
		return found
	case []any:
		var found []target
		for _, item := range v {
			found = append(found, m.parts(expression{e.stack, item}, depth)...)
		}
		return found
	case map[string]any:
		if _, _, intrinsic := function(v); intrinsic {
			return m.resolve(e, depth+1)
		}
		return m.parts(expression{e.stack, slices.Collect(maps.Values(v))}, depth)
	}
	return nil
}

// reference is what Ref and Fn::GetAtt of id lead to.
func (m *model) reference(stack, id, attribute string, depth int) []target {
	if id == "AWS::NoValue" {
		return nil
	}
	if nested, ok := m.templates[stack+"/"+id]; ok && strings.HasPrefix(attribute, "Outputs.") {
		value := member(nested, "Outputs", strings.TrimPrefix(attribute, "Outputs."), "Value")
		return m.resolve(expression{stack + "/" + id, value}, depth+1)
	}
	if r, ok := m.byName[stack+"/"+id]; ok {
		return []target{{resource: r, attribute: attribute}}
	}
	if cut := strings.LastIndex(stack, "/"); cut > 0 {
		if parent, ok := m.byName[stack]; ok && parent.kind == "AWS::CloudFormation::Stack" {
			if value := member(parent.properties, "Parameters", id); value != nil {
				return m.resolve(expression{stack[:cut], value}, depth+1)
			}
		}
	}
	standard, kind := member(m.templates[stack], "Parameters", id, "Default"), member(m.templates[stack], "Parameters", id, "Type")
	if value, ok := m.stored[canonical(standard)]; ok && strings.HasPrefix(fmt.Sprint(kind), "AWS::SSM::Parameter::Value") {
		return m.resolve(value, depth+1)
	}
	// A default may be overruled at the deploy: what a parameter becomes is not known.
	return []target{{text: "${" + strings.TrimSuffix(id+"."+attribute, ".") + "}"}}
}

// function splits {"Fn::Name": argument}.
func function(v map[string]any) (name string, argument any, ok bool) {
	if len(v) != 1 {
		return "", nil, false
	}
	for name, argument = range v {
	}
	return name, argument, name == "Ref" || strings.HasPrefix(name, "Fn::")
}

// attributeOf reads both forms of Fn::GetAtt: [id, attribute] and "id.attribute".
func attributeOf(argument any) (id, attribute string) {
	switch v := argument.(type) {
	case string:
		id, attribute, _ = strings.Cut(v, ".")
	case []any:
		if len(v) == 2 {
			return fmt.Sprint(v[0]), fmt.Sprint(v[1])
		}
	}
	return id, attribute
}
