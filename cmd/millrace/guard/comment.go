package guard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Comment is a pull request's change, for its reviewer.
type Comment struct {
	Base, Head   Side
	Findings     []Finding
	Replacements []Finding
	Differences  []Difference
	// Broadening are the findings that a label let through, too.
	Broadening []Finding
	// Summaries are the differences of the environments' summaries, as git prints them.
	Summaries string
}

// MaxComment is how long GitHub lets a comment be, in characters.
const MaxComment = 65_536

// String renders the comment as Markdown, of at most [MaxComment] characters.
func (c Comment) String() string {
	var out strings.Builder
	verdict := "no finding"
	if n := len(c.Findings); n > 0 {
		verdict = fmt.Sprintf("**%d findings: do not merge like this**", n)
	}
	fmt.Fprintf(&out, "## What this deploys\n\n%s to %s. `millrace guard`: %s.\n", c.Base.label(), c.Head.label(), verdict)
	findings := slices.DeleteFunc(slices.Clone(c.Findings), func(f Finding) bool { return f.Kind == IAMBroadens || f.Kind == NetworkOpens })
	rows(&out, "Findings", findings, func(f Finding) []string {
		return []string{string(f.Kind), code(f.Resource), f.Property, f.From, f.To}
	}, "Kind", "Resource", "Property", "From", "To")
	advice(&out, c.Findings)
	rows(&out, "Rights and network paths that are new", c.Broadening, func(f Finding) []string {
		return []string{string(f.Kind), code(f.Resource), f.Property, f.From, f.To}
	}, "Kind", "Resource", "Where", "No more", "Now")
	rows(&out, "What is replaced", c.Replacements, func(f Finding) []string {
		return []string{string(f.Kind), code(f.Resource), f.Type, f.Property, f.From, f.To}
	}, "", "Resource", "Type", "Property", "From", "To")

	// What is folded is cut first, the longest stack's part as the shortest's.
	folded := c.folded()
	room := MaxComment - len(out.String()) - 200*(len(folded)+1)
	for _, part := range folded {
		text := part[1]
		if share := max(0, room/len(folded)); len(text) > share {
			text = strings.ToValidUTF8(text[:share], "") + "\n… (cut: run `make guard` for the rest)\n"
		}
		fence := "```"
		for strings.Contains(text, fence) {
			fence += "`"
		}
		fmt.Fprintf(&out, "\n<details><summary>%s</summary>\n\n%sdiff\n%s\n%s\n\n</details>\n", part[0], fence, strings.TrimRight(text, "\n"), fence)
	}
	text := out.String()
	if len(text) > MaxComment {
		const cut = "\n\n… (cut: run `make guard` for the rest)\n"
		text = strings.ToValidUTF8(text[:MaxComment-len(cut)], "") + cut
	}
	return text
}

// folded are titles and texts.
func (c Comment) folded() (all [][2]string) {
	for _, d := range c.Differences {
		if d.Text != "" {
			all = append(all, [2]string{fmt.Sprintf("cdk diff of %s (%d resources)", d.Name, len(d.Resources)), d.Text})
		}
	}
	if c.Summaries != "" {
		all = append(all, [2]string{"What that means: the difference of test/snapshot/testdata/*.summary.md", c.Summaries})
	}
	if len(all) == 0 {
		all = append(all, [2]string{"No template differs", "The functions' code is not compared."})
	}
	return all
}

// advice lists what to do instead, each once.
func advice(out *strings.Builder, findings []Finding) {
	said := map[string]bool{}
	for _, f := range findings {
		line := fmt.Sprintf("- %s of %s: %s.\n", f.Kind, cmp.Or(f.Type, f.Resource), f.Instead)
		if len(said) == 0 {
			out.WriteString("\nInstead:\n\n")
		}
		if !said[line] {
			said[line] = true
			out.WriteString(line)
		}
	}
}

func (s Side) label() string {
	if s.Commit == "" {
		return code(s.Name)
	}
	return code(s.Commit[:12])
}

func rows(out *strings.Builder, title string, findings []Finding, cells func(Finding) []string, head ...string) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprintf(out, "\n### %s\n\n| %s |\n|%s\n", title, strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, f := range alike(findings) {
		row := cells(f)
		for i := range row {
			row[i] = strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(row[i])
			if i > 0 && row[i] != "" && !strings.HasPrefix(row[i], "`") {
				row[i] = code(shorten(row[i], 140))
			}
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
}

func code(text string) string { return "`" + strings.ReplaceAll(text, "`", "'") + "`" }
