package scan

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lists are the places of acceptances in a resource's metadata: the key, the list in it, and the name of the reason.
var lists = map[string][2]string{
	"cdk_nag":  {"rules_to_suppress", "reason"},
	"checkov":  {"skip", "comment"},
	"millrace": {"accepted", "reason"},
}

// acceptance is a rule that a resource breaks on purpose.
type acceptance struct {
	finding
	of     string
	path   string // the construct's, without the stack
	reason string
}

func acceptances(t *testing.T, templates []template) []acceptance {
	t.Helper()
	var all []acceptance
	for _, one := range templates {
		for id, r := range one.resources {
			for key, in := range lists {
				metadata, _ := r.Metadata[key].(map[string]any)
				entries, _ := metadata[in[0]].([]any)
				for _, entry := range entries {
					entry := entry.(map[string]any)
					reason, _ := entry[in[1]].(string)
					path, _ := r.Metadata["aws:cdk:path"].(string)
					_, path, _ = strings.Cut(path, "/")
					for _, rule := range rules(t, entry) {
						all = append(all, acceptance{finding{one.stack, id, rule}, one.of, strings.TrimSuffix(path, "/Resource"), reason})
					}
				}
			}
		}
	}
	return all
}

// rules are those of an entry: RULE, or RULE[FINDING] for each finding that it applies to.
func rules(t *testing.T, entry map[string]any) []string {
	t.Helper()
	id := entry["id"].(string)
	applies, granular := entry["applies_to"].([]any)
	if !granular {
		return []string{id}
	}
	var all []string
	for _, to := range applies {
		if expression, ok := to.(map[string]any); ok {
			to = expression["regex"]
		}
		all = append(all, fmt.Sprintf("%s[%s]", id, to))
	}
	return all
}

// covers says whether f is what was accepted.
func (a acceptance) covers(f finding) bool {
	if a.stack != f.stack || a.resource != f.resource {
		return false
	}
	id, detail, granular := strings.Cut(strings.TrimSuffix(a.rule, "]"), "[")
	found, foundDetail, _ := strings.Cut(strings.TrimSuffix(f.rule, "]"), "[")
	switch {
	case id != found:
		return false
	case !granular:
		return true
	case strings.HasPrefix(detail, "/"):
		return regexp.MustCompile(strings.Trim(detail, "/")).MatchString(foundDetail)
	}
	return detail == foundDetail
}

func covered(f finding, accepted []acceptance) bool {
	return slices.ContainsFunc(accepted, func(a acceptance) bool { return a.covers(f) })
}

func (a acceptance) needed(found []finding) bool { return slices.ContainsFunc(found, a.covers) }

const documentPath = "../../docs/suppressions.md"

var update = flag.Lookup("update") // of cdktest

// document holds docs/suppressions.md to what is accepted; -update writes it.
func document(t *testing.T, accepted []acceptance) {
	t.Helper()
	got := render(accepted)
	if update.Value.String() == "true" {
		require.NoError(t, os.WriteFile(documentPath, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(documentPath)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "docs/suppressions.md is stale: run `make suppressions`")
}

func render(accepted []acceptance) string {
	type row struct{ rule, reason string }
	where, paths, of := map[row]map[string]bool{}, map[string]bool{}, map[string]bool{}
	reasons := map[string]bool{}
	for _, a := range accepted {
		key := row{a.rule, a.reason}
		if where[key] == nil {
			where[key] = map[string]bool{}
		}
		where[key][a.path] = true
		paths[a.path], of[a.of], reasons[a.reason] = true, true, true
	}
	var text strings.Builder
	fmt.Fprintf(&text, `# What the scanners may find

Generated from the templates of %s by `+"`make suppressions`"+`: cdk-nag (AwsSolutions), checkov, and the least-privilege
check of test/scan find in them what stands here, and nothing else. Each is accepted beside its resource in Go, with its reason; `+"`make lint`"+`
fails on a finding that is not here, and on a row that nothing needs any more.

%d rules or findings are accepted, at %d resources, for %d reasons.

| Rule | Of | Reason |
|---|---|---|
`, strings.Join(slices.Sorted(maps.Keys(of)), ", "), len(where), len(paths), len(reasons))
	keys := slices.SortedFunc(maps.Keys(where), func(a, b row) int {
		return strings.Compare(a.rule+a.reason, b.rule+b.reason)
	})
	for _, key := range keys {
		rule := strings.ReplaceAll(key.rule, "|", `\|`)
		fmt.Fprintf(&text, "| `%s` | %s | %s |\n", rule, strings.Join(slices.Sorted(maps.Keys(where[key])), ", "), key.reason)
	}
	return text.String()
}

func TestAnAcceptanceIsOfOneRuleOfOneResource(t *testing.T) {
	at := func(rule string) finding { return finding{"Pipeline", "Policy", rule} }
	for name, test := range map[string]struct {
		accepted string
		found    finding
		want     bool
	}{
		"the rule":                  {"AwsSolutions-S1", at("AwsSolutions-S1"), true},
		"another rule":              {"AwsSolutions-S1", at("AwsSolutions-S10"), false},
		"another resource":          {"AwsSolutions-S1", finding{"Pipeline", "Role", "AwsSolutions-S1"}, false},
		"another stack":             {"AwsSolutions-S1", finding{"Foundation", "Policy", "AwsSolutions-S1"}, false},
		"any finding of it":         {"AwsSolutions-IAM5", at("AwsSolutions-IAM5[Resource::*]"), true},
		"its finding":               {"AwsSolutions-IAM5[Resource::*]", at("AwsSolutions-IAM5[Resource::*]"), true},
		"another finding of it":     {"AwsSolutions-IAM5[Resource::*]", at("AwsSolutions-IAM5[Action::s3:*]"), false},
		"a finding like it":         {`AwsSolutions-IAM5[/^Resource::.+\/\*$/]`, at("AwsSolutions-IAM5[Resource::<Lake.Arn>/*]"), true},
		"a finding not like it":     {`AwsSolutions-IAM5[/^Resource::.+\/\*$/]`, at("AwsSolutions-IAM5[Resource::*]"), false},
		"one of our own":            {"Privilege-Resource[s3:GetObject]", at("Privilege-Resource[s3:GetObject]"), true},
		"another action of our own": {"Privilege-Resource[s3:GetObject]", at("Privilege-Resource[s3:PutObject]"), false},
	} {
		t.Run(name, func(t *testing.T) {
			accepted := acceptance{finding: at(test.accepted)}
			assert.Equal(t, test.want, covered(test.found, []acceptance{accepted}))
			assert.Equal(t, test.want, accepted.needed([]finding{test.found}), "what covers nothing is not needed")
		})
	}
}
