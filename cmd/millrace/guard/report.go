package guard

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// ofEnvironment is how stacks are named by their environment: Millrace-prod-Foundation.
var ofEnvironment = regexp.MustCompile(`^(.*-)([a-z][a-z0-9-]*)(-[A-Z]\w*)$`)

// alike makes one finding of those that differ by nothing but the environment, for a reader:
// of Millrace-{dev,prod}-Foundation.
func alike(findings []Finding) (all []Finding) {
	of := map[Finding][]string{}
	var order []Finding
	for _, f := range findings {
		name := ofEnvironment.FindStringSubmatch(f.Stack)
		if name != nil {
			for _, text := range []*string{&f.Resource, &f.Property, &f.From, &f.To, &f.Instead} {
				*text = strings.ReplaceAll(*text, name[0], name[1]+"*"+name[3])
			}
			f.Stack = name[1] + "*" + name[3]
		}
		f.LogicalID = ""
		if _, seen := of[f]; !seen {
			order = append(order, f)
		}
		if of[f] = append(of[f], ""); name != nil {
			of[f][len(of[f])-1] = name[2]
		}
	}
	for _, f := range order {
		environments := strings.Join(of[f], ",")
		if len(of[f]) > 1 {
			environments = "{" + environments + "}"
		}
		name := strings.Replace(f.Stack, "*", environments, 1)
		for _, text := range []*string{&f.Resource, &f.Property, &f.From, &f.To, &f.Instead} {
			*text = strings.ReplaceAll(*text, f.Stack, name)
		}
		f.Stack = name
		all = append(all, f)
	}
	return all
}

// Table writes the findings for a terminal, in colour if colour says so.
func Table(w io.Writer, findings []Finding, colour bool) error {
	count := len(findings)
	findings = alike(findings)
	red, plain := "", ""
	if colour {
		red, plain = "\x1b[31m", "\x1b[0m"
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(findings) > 0 {
		fmt.Fprintf(table, "%sKIND%s\tRESOURCE\tPROPERTY\tFROM\tTO\n", red, plain)
	}
	for _, f := range findings {
		fmt.Fprintf(table, "%s%s%s\t%s\t%s\t%s\t%s\n", red, f.Kind, plain, f.Resource, f.Property, shorten(f.From, 60), shorten(f.To, 60))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the findings: %w", err)
	}
	var said []string
	for _, f := range findings {
		line := fmt.Sprintf("  %s of %s: %s.\n", f.Kind, cmp.Or(f.Type, f.Resource), f.Instead)
		if !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	if len(said) > 0 {
		said = append([]string{"\nInstead:\n"}, append(said, "\n")...)
	}
	_, err := fmt.Fprintf(w, "%sguard: %d findings\n", strings.Join(said, ""), count)
	return err
}

// shorten keeps a table's cell readable; --json has the whole.
func shorten(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
