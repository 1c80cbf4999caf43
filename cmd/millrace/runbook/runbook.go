// Package runbook reads docs/runbook.md: its sections, and what each looks at first.
package runbook

import (
	"regexp"
	"slices"
	"strings"
)

// Section is what there is to know of an alarm.
type Section struct {
	// Title is the heading, Anchor its place on the page.
	Title, Anchor string
	Text          string
	Looks         []Look
}

// Look is a block of code that only reads: fenced, and marked "look" after its language.
type Look struct {
	// Language is sh, sql or insights, which is a query of CloudWatch Logs Insights.
	Language string
	// Group is the name of the log group that an insights query reads.
	Group string
	Code  string
}

// Sections are those of the third level, of which each is for an alarm.
func Sections(text string) []Section { return level(text, "### ") }

// Shared are the sections of the second level that a section leads to.
func Shared(text string, s Section) []Section {
	return slices.DeleteFunc(level(text, "## "), func(shared Section) bool { return !strings.Contains(s.Text, "(#"+shared.Anchor+")") })
}

// level are the sections whose headings begin so. Each ends at the next heading, whatever its level.
func level(text, mark string) []Section {
	var sections []Section
	var look *Look
	fenced, inside := false, false
	for line := range strings.Lines(text) {
		fence := strings.HasPrefix(line, "```")
		switch {
		case !fenced && strings.HasPrefix(line, "#"):
			if inside = strings.HasPrefix(line, mark); inside {
				title := strings.TrimSpace(strings.TrimPrefix(line, mark))
				sections = append(sections, Section{Title: title, Anchor: Anchor(title)})
			}
			continue
		case fence && !fenced:
			fenced = true
			info := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "```"))
			if inside && len(info) > 1 && info[1] == "look" {
				look = &Look{Language: info[0]}
				if len(info) > 2 {
					look.Group = info[2]
				}
			}
		case fence:
			if fenced = false; look != nil {
				last := &sections[len(sections)-1]
				last.Looks, look = append(last.Looks, *look), nil
			}
		case look != nil:
			look.Code += line
		}
		if inside {
			sections[len(sections)-1].Text += line
		}
	}
	return sections
}

var notInAnchors = regexp.MustCompile(`[^\w\- ]`)

// Anchor is how GitHub names a heading in a link.
func Anchor(title string) string {
	return strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

// Commands are the lines of a sh look. A command may be continued after a backslash.
func (l Look) Commands() []string {
	var commands []string
	for line := range strings.Lines(strings.ReplaceAll(l.Code, "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			commands = append(commands, line)
		}
	}
	return commands
}

var (
	reading  = regexp.MustCompile(`^(?:aws (?:s3 ls|[a-z0-9-]+ (?:describe|list|get|filter|head)-[a-z0-9-]+)|millrace (?:status|verify|diagnose)|curl -sSi)(?: |$)`)
	telling  = regexp.MustCompile(`get-secret-value|get-parameter|get-session-token|--include-value|^curl.* (?:-o|-O|-X|-d|-F|-T|--(?:data|request|form|upload|output))`)
	plumbing = regexp.MustCompile("[;&|<>`]|\\$\\(")
	variable = regexp.MustCompile(`\$\{?([A-Z_]+)\}?`)
)

// Reads says whether a command only reads, and tells no secret: a list of what may be run,
// not of what may not.
func Reads(command string) bool {
	return reading.MatchString(command) && !telling.MatchString(command) && !plumbing.MatchString(command)
}

// Variables are the names that a text of sh refers to.
func Variables(text string) []string {
	var names []string
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	return names
}
