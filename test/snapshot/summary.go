package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
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
	p := page{stacks: map[string]template{}, exports: map[string]any{}}
	templates, err := cfn.Read(folder, environment)
	if err != nil {
		return p, err
	}
	for name, text := range templates {
		var stack template
		if err := json.Unmarshal(text, &stack); err != nil {
			return p, fmt.Errorf("reading %s of %s: %w", name, environment, err)
		}
		p.stacks[name] = stack
		for _, output := range stack.Outputs {
			if name, ok := output.Export.Name.(string); ok {
				p.exports[name] = output.Value
			}
		}
	}
	return p, nil
}

// Summary returns what the golden templates ENVIRONMENT-*.template.json of folder
// mean, as a page of Markdown: resources by service, who may do what, what reaches
// what, alarms, and what is paid for; what is alike is one line. It depends on these files alone, in a stable
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
	fmt.Fprintf(&out, "# %s\n\nGenerated from the golden templates beside it: `make snapshots`. Names are logical ids without their hash; prices are AWS's.\n", environment)
	p.types(&out)
	table(&out, "IAM statements", []string{"Who", "May, where no Deny is said"}, p.mayDo())
	table(&out, "Network paths", []string{"From", "To", "Allowed by (both ends, or one, with which nothing passes between two groups)"}, joined(p.paths(), 1))
	table(&out, "Alarms", []string{"Of", "Fires"}, p.alarms())
	table(&out, "What is paid for", []string{"Billed", "What, with its size"}, p.costs())
	return out.String()
}

// types writes how many resources of each type each stack has, by service.
func (p page) types(out *strings.Builder) {
	stacks := slices.Sorted(maps.Keys(p.stacks))
	counts := map[string]map[string]int{} // by stack and type
	services := map[string]bool{}
	for stack, template := range p.stacks {
		counts[stack] = map[string]int{}
		for _, resource := range template.Resources {
			counts[stack][resource.Type]++
			services[service(resource.Type)] = true
		}
	}
	var rows [][]string
	for of := range services {
		row := []string{of}
		for _, stack := range stacks {
			var cell []string
			for _, kind := range slices.Sorted(maps.Keys(counts[stack])) {
				if service(kind) == of {
					cell = append(cell, fmt.Sprintf("%d %s", counts[stack][kind], strings.TrimPrefix(kind, of+"::")))
				}
			}
			row = append(row, strings.Join(cell, ", "))
		}
		rows = append(rows, row)
	}
	table(out, "Resources", append([]string{"Service"}, stacks...), rows)
}

// service is what of a type stands before its last part: AWS::EC2.
func service(kind string) string { return kind[:max(strings.LastIndex(kind, "::"), 0)] }

// joined are the rows of which those that differ in the column alone are one, which has all that is there.
func joined(rows [][]string, column int) (all [][]string) {
	cells := map[string][]string{}
	for _, row := range rows {
		key := strings.Join(slices.Concat(row[:column], row[column+1:]), "\x00")
		if !slices.Contains(cells[key], row[column]) {
			cells[key] = append(cells[key], row[column])
		}
	}
	for key, cell := range cells {
		slices.Sort(cell)
		all = append(all, slices.Insert(strings.Split(key, "\x00"), column, strings.Join(cell, ", ")))
	}
	return all
}

// stacked are rows of two columns, of which those with the same first are one, with a line for each second.
func stacked(rows [][2]string) (all [][]string) {
	cells := map[string][]string{}
	for _, row := range rows {
		cells[row[0]] = append(cells[row[0]], row[1])
	}
	for first, lines := range cells {
		slices.Sort(lines)
		all = append(all, []string{first, strings.Join(slices.Compact(lines), "<br>")})
	}
	return all
}

// table writes a section; the same row twice is one row.
func table(out *strings.Builder, title string, head []string, rows [][]string) {
	fmt.Fprintf(out, "\n## %s\n\n", title)
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
