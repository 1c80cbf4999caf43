// Package components says of each construct what docs/components.md has no other source for: how it fails,
// and which of its limits, its alarms in prod and its tests tell most. The rest of that page is read from the code.
package components

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// Component is a row.
type Component struct {
	// Name is the construct's, as the README has it: stream.StreamingCore.
	Name string
	// Limits are constants of its package, with what each bounds.
	Limits []Limit
	// Fails is what goes wrong, and what becomes of the events.
	Fails string
	// InProd are the ids that it has in prod's stacks, which its alarms' begin with. Default: it is not in prod, or has no alarm.
	InProd []string
	// Tests are those that show how it fails, as file and name.
	Tests [][2]string
}

// Limit is a constant of the component's package.
type Limit struct {
	// Constant is its name, and Says what it bounds, with a %s for its value.
	Constant, Says string
}

// Alarms are those of the environment in folder by the name of their component, in the order of their ids. One of no
// component, or of two, is an error.
func Alarms(folder, environment string, components []Component) (map[string][]string, error) {
	resources, err := cfn.Resources(folder, environment)
	if err != nil {
		return nil, err
	}
	alarms := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		kind := resources[name]["Type"]
		if kind != "AWS::CloudWatch::Alarm" && kind != "AWS::CloudWatch::CompositeAlarm" {
			continue
		}
		_, id, _ := strings.Cut(name, "/")
		id = id[:max(0, len(id)-8)] // CDK's hash
		owners := owners(id, components)
		if len(owners) != 1 {
			return nil, fmt.Errorf("alarm %s of %s must be of one component, and is of %v: see InProd in docs/components/rows.go", id, environment, owners)
		}
		alarms[owners[0]] = append(alarms[owners[0]], id)
	}
	return alarms, nil
}

// owners are the components of which an id in prod begins the alarm's; where one begins another, the longer counts.
func owners(alarm string, components []Component) (names []string) {
	longest := 0
	for _, c := range components {
		for _, prefix := range c.InProd {
			if !strings.HasPrefix(alarm, prefix) || len(prefix) < longest {
				continue
			}
			if len(prefix) > longest {
				longest, names = len(prefix), nil
			}
			names = append(names, c.Name)
		}
	}
	return names
}

// Package is what is read of a construct's package.
type Package struct {
	does   map[string]string // the first sentence about each type
	values map[string]string // of each constant that is a number
}

// Parse reads the Go files of a folder.
func Parse(folder string) (Package, error) {
	p := Package{map[string]string{}, map[string]string{}}
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return p, fmt.Errorf("finding the files of %s: %w", folder, err)
	}
	files := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return p, fmt.Errorf("parsing %s: %w", path, err)
		}
		for _, declaration := range file.Decls {
			if general, ok := declaration.(*ast.GenDecl); ok {
				p.declaration(general)
			}
		}
	}
	return p, nil
}

func (p Package) declaration(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			p.does[spec.Name.Name] = sentence(d.Doc.Text())
		case *ast.ValueSpec:
			for i, name := range spec.Names {
				if d.Tok == token.CONST && i < len(spec.Values) {
					if n, ok := number(spec.Values[i]); ok {
						p.values[name.Name] = n
					}
				}
			}
		}
	}
}

// number is what an expression of literals makes, in groups of three digits.
func number(expression ast.Expr) (text string, ok bool) {
	of, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(expression))
	if err != nil || of.Value == nil || of.Value.Kind() == constant.String || of.Value.Kind() == constant.Bool {
		return "", false
	}
	whole, rest, _ := strings.Cut(of.Value.ExactString(), ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole, true
}

// sentence is the first one of a comment.
func sentence(comment string) string {
	comment = strings.Join(strings.Fields(comment), " ")
	if first, _, found := strings.Cut(comment, ". "); found {
		return first + "."
	}
	return comment
}

// Does is the first sentence about the type.
func (p Package) Does(name string) (string, error) {
	if p.does[name] == "" {
		return "", fmt.Errorf("there is no type %s with a comment", name)
	}
	return p.does[name], nil
}

// Limit says what the constant bounds.
func (p Package) Limit(l Limit) (string, error) {
	value, ok := p.values[l.Constant]
	if !ok {
		return "", fmt.Errorf("there is no constant %s that is a number", l.Constant)
	}
	return fmt.Sprintf(l.Says, value), nil
}
