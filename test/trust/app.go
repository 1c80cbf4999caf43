// Package trust holds the synthesized templates of every environment to rules of security:
// what is stored is encrypted and kept, nobody has more rights than they need, nothing is open
// to the world, and no alarm is deaf. Its tests flip each property that matters, one at a
// time, and ask that a rule notices; so no rule is decoration. It reads JSON alone and
// imports nothing of the CDK.
package trust

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// Template is a CloudFormation template as encoding/json reads it.
type Template = map[string]any

// App is the templates of one environment.
type App struct {
	// Environment is its name.
	Environment string
	// Kept says that its data must outlive its stacks: of every environment but dev and local.
	Kept bool
	// Emulated says that it is deployed on the laptop's emulator, which rejects some types.
	Emulated bool
	// Stacks are the templates by the names of their stacks, as exports have them.
	Stacks map[string]Template

	all     []Resource          // what Resources has read; nil before, and after forget
	exports map[string]exported // by name
}

// exported is what a stack exports.
type exported struct {
	stack string
	value any
}

// forget makes the app read its resources again, after one was taken away or put back.
func (a *App) forget() { a.all = nil }

// Resource is one of an [App].
type Resource struct {
	Stack, ID, Type string
	// Body is the resource as the template has it, Properties among it.
	Body map[string]any
}

// Load reads the templates ENVIRONMENT-STACK.template.json in folder, by environment.
func Load(folder string) (map[string]*App, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.template.json"))
	if err != nil {
		return nil, fmt.Errorf("listing templates: %w", err)
	}
	apps := map[string]*App{}
	for _, path := range paths {
		environment, stack, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".template.json"), "-")
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a template: %w", err)
		}
		var template Template
		if err := json.Unmarshal(text, &template); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		app := apps[environment]
		if app == nil {
			app = &App{Environment: environment, Emulated: environment == "local", Stacks: map[string]Template{}}
			app.Kept = environment != "local" && environment != "dev"
			apps[environment] = app
		}
		app.Stacks["Millrace-"+environment+"-"+strings.ToUpper(stack[:1])+stack[1:]] = template
	}
	if len(apps) == 0 {
		return nil, fmt.Errorf("there is no template in %s", folder)
	}
	return apps, nil
}

// Resources lists those of the types, or all, in the order of stacks and ids.
func (a *App) Resources(types ...string) []Resource {
	if a.all == nil {
		for _, stack := range slices.Sorted(maps.Keys(a.Stacks)) {
			resources := object(a.Stacks[stack]["Resources"])
			for _, id := range slices.Sorted(maps.Keys(resources)) {
				body := object(resources[id])
				a.all = append(a.all, Resource{stack, id, text(body["Type"]), body})
			}
		}
	}
	if len(types) == 0 {
		return a.all
	}
	var some []Resource
	for _, r := range a.all {
		if slices.Contains(types, r.Type) {
			some = append(some, r)
		}
	}
	return some
}

// logicalHash is what CDK ends a logical id with.
var logicalHash = regexp.MustCompile(`[0-9A-F]{8}([0-9a-f]{32})?$`)

// Name is the resource's id without CDK's hash: the same in every environment.
func (r Resource) Name() string { return logicalHash.ReplaceAllString(r.ID, "") }

// Get returns the property at path, nil if there is none.
func (r Resource) Get(path ...string) any { return cfn.At(r.Body["Properties"], path...) }

// is says whether both are the same resource.
func (r Resource) is(other Resource) bool { return r.Stack == other.Stack && r.ID == other.ID }

// find returns the resource of the stack.
func (a *App) find(stack, id string) (Resource, bool) {
	body := object(object(a.Stacks[stack]["Resources"])[id])
	return Resource{stack, id, text(body["Type"]), body}, body != nil
}

// references are the resources that value, of stack, refers to at any depth, through
// imports of other stacks too.
func (a *App) references(stack string, value any) []Resource {
	var found []Resource
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			found = append(found, a.references(stack, element)...)
		}
	case map[string]any:
		id := text(v["Ref"])
		if attribute := list(v["Fn::GetAtt"]); len(attribute) > 0 {
			id = text(attribute[0])
		}
		if r, ok := a.find(stack, id); ok {
			return []Resource{r}
		}
		if name := text(v["Fn::ImportValue"]); name != "" {
			from, value := a.export(name)
			return a.references(from, value)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			found = append(found, a.references(stack, v[key])...)
		}
	}
	return found
}

// export returns the stack and the value of the export.
func (a *App) export(name string) (stack string, value any) {
	if a.exports == nil {
		a.exports = map[string]exported{}
		for stack, template := range a.Stacks {
			for _, output := range object(template["Outputs"]) {
				a.exports[text(cfn.At(output, "Export", "Name"))] = exported{stack, cfn.At(output, "Value")}
			}
		}
	}
	e := a.exports[name]
	return e.stack, e.value
}

// refers says whether value, of stack, refers to r.
func (a *App) refers(stack string, value any, r Resource) bool {
	return slices.ContainsFunc(a.references(stack, value), r.is)
}

func object(value any) map[string]any { o, _ := value.(map[string]any); return o }

func text(value any) string { s, _ := value.(string); return s }

// list is value as a list: a single value is one of one.
func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{value}
}

// texts are all strings in value at any depth, keys excepted.
func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case string:
		all = append(all, v)
	case []any:
		for _, element := range v {
			all = append(all, texts(element)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			all = append(all, texts(v[key])...)
		}
	}
	return all
}
