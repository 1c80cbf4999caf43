package docs

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/cmd/millrace/runbook"
)

// alarmsOfProd are the anchors of prod's alarms, composite ones too.
func alarmsOfProd(t *testing.T) []string {
	t.Helper()
	templates, err := filepath.Glob("../test/snapshot/testdata/prod-*.template.json")
	require.NoError(t, err)
	require.NotEmpty(t, templates)
	var anchors []string
	for _, path := range templates {
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties struct {
					AlarmDescription   string
					AlarmActions       []any
					AlarmConfiguration any
					Tags               []struct{ Key, Value string }
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(read(t, strings.TrimPrefix(path, "../"))), &template))
		var rollouts []byte // the alarms that CodeDeploy reads
		for _, r := range template.Resources {
			if r.Type == "AWS::CodeDeploy::DeploymentGroup" {
				text, err := json.Marshal(r.Properties.AlarmConfiguration)
				require.NoError(t, err)
				rollouts = append(rollouts, text...)
			}
		}
		for id, r := range template.Resources {
			if r.Type != "AWS::CloudWatch::Alarm" && r.Type != "AWS::CloudWatch::CompositeAlarm" {
				continue
			}
			_, anchor, found := strings.Cut(r.Properties.AlarmDescription, "docs/runbook.md#")
			if !found { // it takes a rollout back, and tells nobody
				assert.Empty(t, r.Properties.AlarmActions, "%s does not link the runbook", id)
				assert.Contains(t, string(rollouts), `{"Ref":"`+id+`"}`, "%s tells nobody", id)
				continue
			}
			for _, tag := range r.Properties.Tags {
				if tag.Key == "millrace:runbook" {
					assert.Equal(t, tag.Value, anchor, id)
				}
			}
			anchors = append(anchors, anchor)
		}
	}
	slices.Sort(anchors)
	return slices.Compact(anchors)
}

func TestEveryAlarmOfProdHasItsSectionAndEverySectionItsAlarm(t *testing.T) {
	var anchors []string
	for _, section := range runbook.Sections(Runbook()) {
		anchors = append(anchors, section.Anchor)
	}
	slices.Sort(anchors)
	assert.Equal(t, alarmsOfProd(t), anchors)
}

func TestEverySectionSaysAllThatIsAskedAtNight(t *testing.T) {
	parts := []string{"**Notice:**", "**Means:**", "**Look first:**", "**Causes, and what mends each:**\n\n1. ", "**Over when:**", "**Escalate:**"}
	for _, section := range runbook.Sections(Runbook()) {
		at := -1
		for _, part := range parts {
			next := strings.Index(section.Text, part)
			assert.Greater(t, next, at, "%s: %s", section.Title, part)
			at = next
			assert.Equal(t, 1, strings.Count(section.Text, part), "%s: %s", section.Title, part)
		}
		assert.NotEmpty(t, section.Looks, section.Title)
	}
}

func TestEveryLookReadsOnlyAndNamesOnlyWhatThereIs(t *testing.T) {
	names := append(line.All(), "SINCE_MS")
	for _, section := range runbook.Sections(Runbook()) {
		for _, look := range section.Looks {
			switch look.Language {
			case "sh":
				assert.NotEmpty(t, look.Commands(), section.Title)
				for _, command := range look.Commands() {
					assert.True(t, runbook.Reads(command), "%s: %s", section.Title, command)
					assert.Subset(t, names, runbook.Variables(command), "%s: %s", section.Title, command)
				}
			case "sql":
				assert.Regexp(t, `^SELECT `, look.Code, section.Title)
			case "insights":
				assert.Contains(t, names, look.Group, section.Title)
			default:
				t.Errorf("%s: a look in %s", section.Title, look.Language)
			}
		}
	}
}

// TestTheQueriesOfLogsAreInTheShapeOfInsights is no proof that they run: the emulator's Insights answers whatever is
// asked, and Insights itself was never asked. It holds the commands to those that there are
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html), and the fields to the access log's.
func TestTheQueriesOfLogsAreInTheShapeOfInsights(t *testing.T) {
	commands := []string{"display", "fields", "filter", "stats", "sort", "limit", "parse", "dedup"}
	format := read(t, "constructs/ingest/logs.go")
	functions := regexp.MustCompile(`(?:count|pct|bin)\(([^)]*)\)|as (\w+)|"[^"]*"|\b\d+\w*`)
	word := regexp.MustCompile(`@?[a-z]\w*`)
	count := 0
	for _, section := range runbook.Sections(Runbook()) {
		for _, look := range section.Looks {
			if look.Language != "insights" {
				continue
			}
			count++
			require.Equal(t, "ACCESS_LOG", look.Group, "%s: no fields are known of another log", section.Title)
			aliases := map[string]bool{}
			for _, match := range functions.FindAllStringSubmatch(look.Code, -1) {
				aliases[match[2]] = true
			}
			for stage := range strings.SplitSeq(strings.TrimSpace(look.Code), "\n") {
				words := word.FindAllString(strings.TrimPrefix(stage, "| "), -1)
				require.NotEmpty(t, words, section.Title)
				assert.Contains(t, commands, words[0], "%s: %s", section.Title, stage)
				for _, field := range words[1:] {
					known := aliases[field] || slices.Contains([]string{"and", "or", "by", "as", "desc", "asc", "count", "pct", "bin", "m", "@timestamp"}, field)
					assert.True(t, known || strings.Contains(format, `"`+field+`":`), "%s: the access log has no %s", section.Title, field)
				}
			}
		}
	}
	assert.NotZero(t, count)
}

func TestEveryPlaceInTheRunbookThatIsLinkedIsThere(t *testing.T) {
	for _, match := range regexp.MustCompile(`\]\(([\w.-]*)#([^)]+)\)`).FindAllStringSubmatch(Runbook(), -1) {
		page := match[1]
		if page == "" {
			page = "runbook.md"
		}
		anchors := map[string]bool{}
		for text := range strings.Lines(read(t, filepath.Join("docs", page))) {
			if strings.HasPrefix(text, "#") {
				anchors[runbook.Anchor(strings.TrimSpace(strings.TrimLeft(text, "#")))] = true
			}
		}
		assert.True(t, anchors[match[2]], "%s#%s", page, match[2])
	}
}
