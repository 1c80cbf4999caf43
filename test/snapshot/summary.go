package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// template is what a summary reads of a CloudFormation template.
type template struct {
	Resources map[string]resource
	Outputs   map[string]struct {
		Value  any
		Export struct{ Name any }
	}
}

type resource struct {
	Type       string
	Properties map[string]any
}

// page is one environment: its stacks' templates, and what they give to each other.
type page struct {
	stacks  map[string]template
	exports map[string]any // the value behind each export's name
}

// read returns the environment whose templates are ENVIRONMENT-*.template.json of folder.
func read(folder, environment string) (page, error) {
	const suffix = ".template.json"
	p := page{stacks: map[string]template{}, exports: map[string]any{}}
	paths, err := filepath.Glob(filepath.Join(folder, environment+"-*"+suffix))
	if err != nil {
		return p, fmt.Errorf("finding the templates of %s: %w", environment, err)
	}
	if len(paths) == 0 {
		return p, fmt.Errorf("finding the templates of %s: %s has none", environment, folder)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return p, fmt.Errorf("reading a template: %w", err)
		}
		var stack template
		if err := json.Unmarshal(text, &stack); err != nil {
			return p, fmt.Errorf("reading %s: %w", path, err)
		}
		p.stacks[strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), environment+"-"), suffix)] = stack
		for _, output := range stack.Outputs {
			if name, ok := output.Export.Name.(string); ok {
				p.exports[name] = output.Value
			}
		}
	}
	return p, nil
}

// Summary returns what the golden templates ENVIRONMENT-*.template.json of folder
// mean, as a page of Markdown: resources by type, who may do what, what reaches
// what, alarms, and what is paid for. It depends on these files alone, in a stable
// order, so that the difference of two is the meaning of a change.
func Summary(folder, environment string) (string, error) {
	p, err := read(folder, environment)
	if err != nil {
		return "", err
	}
	return p.render(environment), nil
}

func (p page) render(environment string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n\nGenerated from the golden templates beside it: `make snapshots`. Names are logical ids without their hash.\n", environment)
	p.types(&out)
	table(&out, "IAM statements", "Allow, where no Deny is said.",
		[]string{"Who", "May do", "On", "If"}, p.statements())
	table(&out, "Network paths", "`both` ends allow it; with one end alone nothing passes between two groups.",
		[]string{"From", "To", "Port", "Allowed by"}, p.paths())
	table(&out, "Alarms", "",
		[]string{"Alarm", "Metric", "Fires", "Without data", "Actions"}, p.alarms())
	table(&out, "What is paid for", "Sizes as the templates say them; the prices are AWS's.",
		[]string{"Resource", "Type", "Billed by", "Size"}, p.costs())
	return out.String()
}

// types writes how many resources of each type each stack has.
func (p page) types(out *strings.Builder) {
	stacks := slices.Sorted(maps.Keys(p.stacks))
	counts := map[string]map[string]int{}
	for stack, template := range p.stacks {
		for _, resource := range template.Resources {
			if counts[resource.Type] == nil {
				counts[resource.Type] = map[string]int{}
			}
			counts[resource.Type][stack]++
		}
	}
	var rows [][]string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		row := []string{kind}
		for _, stack := range stacks {
			row = append(row, strings.TrimPrefix(fmt.Sprint(counts[kind][stack]), "0"))
		}
		rows = append(rows, row)
	}
	table(out, "Resources", "", append([]string{"Type"}, stacks...), rows)
}

// table writes a section; the same row twice is one row.
func table(out *strings.Builder, title, note string, head []string, rows [][]string) {
	fmt.Fprintf(out, "\n## %s\n\n", title)
	if note != "" {
		fmt.Fprintf(out, "%s\n\n", note)
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		cells := make([]string, 0, len(row))
		for _, cell := range row {
			cells = append(cells, strings.ReplaceAll(cell, "|", `\|`))
		}
		lines = append(lines, "| "+strings.Join(cells, " | ")+" |\n")
	}
	if len(lines) == 0 {
		out.WriteString("None.\n")
		return
	}
	slices.Sort(lines)
	fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	out.WriteString(strings.Join(slices.Compact(lines), ""))
}

// each calls f with every resource of the types, of all stacks.
func (p page) each(f func(name string, resource resource), types ...string) {
	for _, stack := range p.stacks {
		for id, resource := range stack.Resources {
			if slices.Contains(types, resource.Type) {
				f(short(id), resource)
			}
		}
	}
}

// hash is what CDK appends to a logical id, https://docs.aws.amazon.com/cdk/v2/guide/identifiers.html
var hash = regexp.MustCompile(`[0-9A-F]{8}$`)

func short(logicalID string) string { return hash.ReplaceAllString(logicalID, "") }

// text writes a value of a template for a reader: a reference is the name of what it refers to.
func (p page) text(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case []any:
		return strings.Join(p.texts(value), ", ")
	case map[string]any:
		if len(value) == 1 {
			for function, argument := range value {
				if text, known := p.function(function, argument); known {
					return text
				}
			}
		}
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err) // it has just been read from JSON
	}
	return string(encoded)
}

// texts writes a list, or what may stand for a list of one.
func (p page) texts(value any) []string {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	texts := make([]string, 0, len(list))
	for _, each := range list {
		texts = append(texts, p.text(each))
	}
	return texts
}

func (p page) function(name string, argument any) (text string, known bool) {
	switch arguments, _ := argument.([]any); {
	case name == "Ref":
		id := argument.(string)
		if pseudo, ok := strings.CutPrefix(id, "AWS::"); ok {
			return "{" + pseudo + "}", true
		}
		return short(id), true
	case name == "Fn::GetAtt" && len(arguments) == 2:
		switch attribute := p.text(arguments[1]); attribute {
		case "Arn", "GroupId", "VpcId", "SubnetId", "RouteTableId":
			return short(p.text(arguments[0])), true
		default:
			return short(p.text(arguments[0])) + "." + attribute, true
		}
	case name == "Fn::Join" && len(arguments) == 2:
		return strings.Join(p.texts(arguments[1]), p.text(arguments[0])), true
	case name == "Fn::ImportValue":
		export := p.text(argument)
		if value, ok := p.exports[export]; ok {
			return p.text(value), true
		}
		return "import " + export, true
	case name == "Fn::Sub":
		return p.text(argument), true
	}
	return "", false
}
