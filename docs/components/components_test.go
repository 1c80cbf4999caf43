package components

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/mdtable"
)

var update = flag.Bool("update", false, "rewrite the table of docs/components.md")

const (
	document  = "../components.md"
	root      = "../.."
	templates = "../../test/snapshot/testdata"
)

// row is a component as a row of the table.
func row(t *testing.T, c Component, alarms []string) []string {
	t.Helper()
	folder, name, _ := strings.Cut(c.Name, ".")
	p, err := Parse(filepath.Join(root, "constructs", folder))
	require.NoError(t, err)
	does, err := p.Does(name)
	require.NoError(t, err, c.Name)
	var limits, tests []string
	for _, l := range c.Limits {
		says, err := p.Limit(l)
		require.NoError(t, err, c.Name)
		limits = append(limits, says)
	}
	for i := range alarms {
		alarms[i] = "`" + alarms[i] + "`"
	}
	for _, test := range c.Tests {
		tests = append(tests, "["+test[1]+"](../"+test[0]+")")
	}
	or := func(all []string, separator, none string) string {
		if len(all) == 0 {
			return none
		}
		return strings.Join(all, separator)
	}
	return []string{"`" + c.Name + "`", strings.NewReplacer("[", "", "]", "").Replace(does), or(limits, "; ", "those of its services"), c.Fails, or(alarms, ", ", "none in `prod`"), strings.Join(tests, ", ")}
}

func TestThePageIsWhatTheCodeAndTheTemplatesOfProdSay(t *testing.T) {
	alarms, err := Alarms(templates, "prod", Rows())
	require.NoError(t, err)
	var rows [][]string
	for _, c := range Rows() {
		rows = append(rows, row(t, c, alarms[c.Name]))
	}
	mdtable.Hold(t, document, map[string]string{
		"components": mdtable.Table("| Component | What it does | Limits | How it fails | Alarm | Test |", rows),
	}, "go test ./docs/components -update", *update)
}

func TestEachConstructOfTheReadmeHasARowAndEachRowAConstruct(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(readme), "\n## Constructs\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	constructs, rows := map[string]bool{}, map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `(\\w+\\.\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		constructs[match[1]] = true
	}
	for _, c := range Rows() {
		assert.False(t, rows[c.Name], "%s has two rows", c.Name)
		rows[c.Name] = true
		assert.True(t, constructs[c.Name], "%s has a row and is no construct of the README's", c.Name)
	}
	for name := range constructs {
		assert.True(t, rows[name], "%s has no row: add one to docs/components/rows.go", name)
	}
}

// That the tests exist is held by TestEveryTestThatThePagesNameExists of package docs.
func TestEachRowSaysHowItFailsAndNamesATest(t *testing.T) {
	for _, c := range Rows() {
		assert.NotEmpty(t, c.Fails, c.Name)
		assert.NotContains(t, c.Fails, "|", c.Name)
		assert.NotEmpty(t, c.Tests, c.Name)
	}
}

func alarms(t *testing.T, ids ...string) (string, error) {
	t.Helper()
	var resources []string
	for _, id := range ids {
		resources = append(resources, `"`+id+`01234567": {"Type": "AWS::CloudWatch::Alarm"}`)
	}
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "x-y.template.json"), []byte(`{"Resources": {`+strings.Join(resources, ",")+`}}`), 0o600))
	got, err := Alarms(folder, "x", []Component{{Name: "a.A", InProd: []string{"Lake"}}, {Name: "b.B", InProd: []string{"LakeB", "Both"}}, {Name: "c.C", InProd: []string{"Both"}}})
	return strings.Join(got["a.A"], " ") + "; " + strings.Join(got["b.B"], " "), err
}

func TestAnAlarmIsOfTheLongestIdThatItBeginsWithAndOfNoTwo(t *testing.T) {
	got, err := alarms(t, "LakeAlarmsOld", "LakeBAlarms", "LakeAlarmsNew")
	require.NoError(t, err)
	assert.Equal(t, "LakeAlarmsNew LakeAlarmsOld; LakeBAlarms", got)
	_, err = alarms(t, "Elsewhere")
	assert.ErrorContains(t, err, "alarm Elsewhere of x must be of one component, and is of []")
	_, err = alarms(t, "BothAlarms")
	assert.ErrorContains(t, err, "is of [b.B c.C]")
}

func TestSentencesAndNumbersAreReadFromGo(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.go"), []byte("package a\n\n// A does this\n// and that. And more.\ntype A struct{}\n\nconst (\n\tB = 7 * 24\n\tC = 1_0 << 20\n\tD = \"text\"\n\tE = 0.5\n)\n"), 0o600))
	p, err := Parse(folder)
	require.NoError(t, err)
	does, err := p.Does("A")
	require.NoError(t, err)
	assert.Equal(t, "A does this and that.", does)
	_, err = p.Does("B")
	assert.ErrorContains(t, err, "there is no type B with a comment")
	for name, want := range map[string]string{"B": "168 h", "C": "10,485,760 h"} {
		got, err := p.Limit(Limit{name, "%s h"})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, name := range []string{"D", "A", "Z"} {
		_, err := p.Limit(Limit{name, "%s"})
		assert.ErrorContains(t, err, "there is no constant "+name+" that is a number")
	}
}
