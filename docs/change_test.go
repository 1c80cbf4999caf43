package docs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/mdtable"
)

const (
	changePage = "change-strategy.md"
	timeToBack = 5 // the column of changePage's table
)

var (
	namedTest = regexp.MustCompile(`\[(Test\w+)\]\(([^)]+)\)`)
	aTest     = regexp.MustCompile(`(?m)^func Test\w+\(t \*testing\.T\)`)
)

func TestEveryTestThatThePagesNameExists(t *testing.T) {
	for _, page := range []string{changePage, "components.md"} {
		found := namedTest.FindAllStringSubmatch(read(t, filepath.Join("docs", page)), -1)
		require.NotEmpty(t, found)
		for _, match := range found {
			tests := aTest.FindAllString(read(t, filepath.Join("docs", match[2])), -1)
			assert.Contains(t, tests, "func "+match[1]+"(t *testing.T)", "%s: %s", page, match[2])
		}
	}
}

func TestEveryKindOfChangeLinksItsCodeAndItsTest(t *testing.T) {
	rows := mdtable.Rows(t, changePage, "changes")
	for _, row := range rows {
		require.Len(t, row, 7, row[0])
		verified, code := row[3], row[6]
		assert.True(t, namedTest.MatchString(verified) || strings.HasPrefix(verified, "waits for the branch "), "%s: no test", row[0])
		assert.Regexp(t, `^\[[\w.]+\]\([^)]+\)$`, code, row[0])
		for i, cell := range row {
			assert.NotEmpty(t, cell, "%s, column %d", row[0], i)
		}
	}
}

// heading is how GitHub names a heading in a link.
func heading(line string) string {
	line = strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
	return strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(line, ""), " ", "-")
}

func TestEveryPlaceOnTheChangesPageThatIsLinkedIsThere(t *testing.T) {
	page, headings := read(t, filepath.Join("docs", changePage)), map[string]bool{}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "#") {
			headings[heading(line)] = true
		}
	}
	places := regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(page, -1)
	require.NotEmpty(t, places)
	for _, place := range places {
		assert.True(t, headings[place[1]], "#%s", place[1])
	}
}

var duration = regexp.MustCompile(`\d+ (?:s|min|h|d)\b`)

func TestTheTimesOfChangesAreThoseOfProd(t *testing.T) {
	seconds := func(n float64) string {
		switch d := time.Duration(n) * time.Second; {
		case d >= time.Hour:
			return fmt.Sprintf("%g h", d.Hours())
		case d >= time.Minute:
			return fmt.Sprintf("%g min", d.Minutes())
		default:
			return fmt.Sprintf("%g s", d.Seconds())
		}
	}
	foundation, pipeline := resourcesOfProd(t, "foundation"), resourcesOfProd(t, "pipeline")
	lock := regexp.MustCompile(`lock_timeout = '(\d+)s'`).FindStringSubmatch(read(t, "lambdas/migrator/testdata/readings.sql"))
	require.Len(t, lock, 2)
	lake := one(t, pipeline, "AWS::KinesisFirehose::DeliveryStream", "Lake")["ExtendedS3DestinationConfiguration"].(map[string]any)["BufferingHints"].(map[string]any)
	canary := one(t, pipeline, "AWS::CodeDeploy::DeploymentConfig", "Lake")["TrafficRoutingConfig"].(map[string]any)["TimeBasedCanary"].(map[string]any)
	var service float64
	_, err := fmt.Sscan(one(t, pipeline, "Custom::MillraceMigration", "")["ServiceTimeout"].(string), &service)
	require.NoError(t, err)
	want := [][]string{
		{"the stream keeps a record", fmt.Sprintf("%g h", one(t, foundation, "AWS::Kinesis::Stream", "")["RetentionPeriodHours"])},
		{"CloudFormation waits for the migrator", seconds(service)},
		{"a generated migration waits for a lock", lock[1] + " s"},
		{"Lambda tries a batch of the loader", seconds(one(t, pipeline, "AWS::Lambda::EventSourceMapping", "Loader")["MaximumRecordAgeInSeconds"].(float64))},
		{"Firehose gathers an object of the lake", seconds(lake["IntervalInSeconds"].(float64))},
		{"a canary of a function runs", seconds(60 * canary["CanaryInterval"].(float64))},
		{"the database's backups reach back", fmt.Sprintf("%g d", one(t, foundation, "AWS::RDS::DBInstance", "")["BackupRetentionPeriod"])},
	}
	times := mdtable.Rows(t, changePage, "times")
	assert.Equal(t, want, times)

	known := map[string]bool{}
	for _, row := range times {
		known[row[1]] = true
	}
	for _, row := range mdtable.Rows(t, changePage, "changes") {
		for _, said := range duration.FindAllString(row[timeToBack], -1) {
			assert.True(t, known[said], "%s: %s is none of the times below", row[0], said)
		}
	}
}

type resource struct {
	Type       string
	Properties map[string]any
}

func resourcesOfProd(t *testing.T, stack string) map[string]resource {
	t.Helper()
	var template struct{ Resources map[string]resource }
	require.NoError(t, json.Unmarshal([]byte(read(t, "test/snapshot/testdata/prod-"+stack+".template.json")), &template))
	return template.Resources
}

// one returns the properties of the one resource of a type whose id begins with prefix.
func one(t *testing.T, resources map[string]resource, kind, prefix string) map[string]any {
	t.Helper()
	var found []map[string]any
	for id, r := range resources {
		if r.Type == kind && strings.HasPrefix(id, prefix) {
			found = append(found, r.Properties)
		}
	}
	require.Len(t, found, 1, "%s %s*", kind, prefix)
	return found[0]
}
