package trust

import (
	"cmp"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/cfn"
	"github.com/millrace-cdk/millrace/test/mdtable"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/security.md")

const document = "../../docs/security.md"

// environments are the apps in the order of a release.
func environments(apps map[string]*App) []*App {
	order := []string{"local", "dev", "staging", "prod", "recovery"}
	return slices.SortedFunc(maps.Values(apps), func(a, b *App) int {
		return cmp.Compare(slices.Index(order, a.Environment), slices.Index(order, b.Environment))
	})
}

// table is a Markdown table of the rows that each app has: of equal ones one, with the
// environments that have it in the column of that number.
func table(apps []*App, head string, column int, rows func(a *App) [][]string) string {
	var order []string
	in := map[string][]string{}
	for _, app := range slices.Backward(apps) { // in prod's order
		for _, row := range rows(app) {
			line := strings.Join(row, "\x00")
			if in[line] == nil {
				order = append(order, line)
			}
			if !slices.Contains(in[line], app.Environment) {
				in[line] = append(in[line], app.Environment)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b string) int {
		name := func(line string) string { first, _, _ := strings.Cut(line, "\x00"); return first }
		return strings.Compare(name(a), name(b))
	})
	var text strings.Builder
	text.WriteString(head + "\n" + strings.Repeat("|---", strings.Count(head, "|")-1) + "|\n")
	for _, line := range order {
		where := "all"
		if len(in[line]) < len(apps) {
			slices.Reverse(in[line])
			where = strings.Join(in[line], ", ")
		}
		cells := slices.Insert(strings.Split(line, "\x00"), column, where)
		text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return text.String()
}

// code is text as code, nothing for none.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// parts are the generated parts of the document.
func parts(t *testing.T) map[string]string {
	t.Helper()
	all := environments(apps(t))
	var rules, exceptions, trustees strings.Builder
	for _, rule := range Rules() {
		rules.WriteString("- " + rule.Name + "\n")
	}
	trustees.WriteString("| Service | Must say | AWS's page | |\n|---|---|---|---|\n")
	for _, trustee := range Trustees() {
		trustees.WriteString("| " + strings.Join([]string{trustee.Service, cmp.Or(code(trustee.Asks), "nothing"), trustee.Page, trustee.Why}, " | ") + " |\n")
	}
	exceptions.WriteString("| Rule | Resource | What is found | Why it stands |\n|---|---|---|---|\n")
	for _, e := range Exceptions() {
		exceptions.WriteString("| " + strings.Join([]string{e.Rule, code(e.Resource), e.Text, e.Reason}, " | ") + " |\n")
	}
	return map[string]string{
		"stores": table(all, "| Store | Type | Environments | Key | TLS | Retention | When it leaves the template |", 2, func(a *App) [][]string {
			var rows [][]string
			for _, s := range Stores(a) {
				rows = append(rows, []string{code(s.Name), s.Type, s.Key, s.TLS, s.Retention, s.Deletion})
			}
			return rows
		}),
		"reach": table(all, "| Role | Assumed by | Environments | | Actions | On | If |", 2, func(a *App) [][]string {
			var rows [][]string
			for _, r := range Reaches(a) {
				cells := []string{code(r.Role), r.AssumedBy, r.Effect, r.Actions, code(r.Resources), code(r.Condition)}
				for i := range cells { // the same words in every environment
					cells[i] = strings.ReplaceAll(cells[i], "Millrace-"+a.Environment+"-", "Millrace-ENV-")
				}
				rows = append(rows, cells)
			}
			return rows
		}),
		"trustees":   trustees.String(),
		"rules":      rules.String(),
		"exceptions": exceptions.String(),
	}
}

func TestTheGeneratedPartsOfTheDocumentAreUpToDate(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	whole := string(text)
	for name, part := range parts(t) {
		opening, closing := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, found := strings.Cut(whole, opening)
		require.True(t, found, "no %s", opening)
		written, after, found := strings.Cut(rest, closing)
		require.True(t, found, "no %s", closing)
		if *update {
			whole = before + opening + part + closing + after
			continue
		}
		assert.Equal(t, part, written, "%s is stale: run go test ./test/trust -update", name)
	}
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(whole), 0o644))
	}
}

func TestEveryTypeIsKnownAsAStoreOrNot(t *testing.T) {
	for name, app := range every(t) {
		assert.Empty(t, Unclassified(app), "%s: say in stores.go whether they hold data", name)
	}
	for _, kind := range storeTypes() {
		assert.NotContains(t, notStores(), kind)
	}
}

func TestEveryStoreStandsInTheTable(t *testing.T) {
	if *update {
		t.Skip("the table is being written")
	}
	written := map[string]bool{}
	for _, row := range mdtable.Rows(t, document, "stores") {
		written[row[0]] = true
	}
	for name, app := range apps(t) {
		require.NotEmpty(t, Stores(app), name)
		for _, r := range app.Resources(storeTypes()...) {
			assert.True(t, written[r.Name()], "%s: %s (%s)", name, r.Name(), r.Type)
		}
		for _, store := range Stores(app) {
			assert.NotContains(t, store.Key+store.TLS, "**", "%s: %s", name, store.Name)
		}
	}
}

func TestEveryTrusteeAssumesARole(t *testing.T) {
	services := map[string]bool{}
	for _, app := range every(t) {
		for _, role := range app.Resources(roleType) {
			for _, s := range statements(role.Get("AssumeRolePolicyDocument")) {
				for _, service := range texts(cfn.At(s.Principal, "Service")) {
					services[service] = true
				}
			}
		}
	}
	for _, trustee := range Trustees() {
		assert.True(t, services[trustee.Service], "nothing trusts %s", trustee.Service)
		assert.True(t, strings.HasPrefix(trustee.Page, "https://docs.aws.amazon.com/"), trustee.Service)
	}
	assert.Equal(t, []string{"aws:SourceAccount", "aws:SourceArn"}, Asked("new.amazonaws.com"), "a service that nobody has looked up")
}

func TestAStoreOfAnUnknownTypeIsNoticed(t *testing.T) {
	spoiled := prod{apps(t)["prod"], t}
	spoiled.add("AWS::Timestream::Table", map[string]any{})
	assert.Equal(t, []string{"AWS::Timestream::Table"}, Unclassified(spoiled.App))
}

// testName is how the document names a test.
var testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`")

func TestEveryTestThatTheDocumentNamesExists(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	names := testName.FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(names), 40)
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "../.." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "build" || entry.Name() == "cdk.out") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		for _, match := range declared.FindAllSubmatch(source, -1) {
			there[string(match[1])] = true
		}
		return err
	}))
	for _, name := range names {
		assert.True(t, there[name[1]], "there is no test %s", name[1])
	}
}

// reaches are all that the role may do in prod, as one text.
func reaches(t *testing.T, role string) string {
	t.Helper()
	var all []string
	for _, r := range Reaches(apps(t)["prod"]) {
		if r.Role == role && r.Effect != "may not" {
			all = append(all, r.Actions+" on "+r.Resources)
		}
	}
	require.NotEmpty(t, all, role)
	return strings.Join(all, "\n")
}

func TestALoaderThatIsTakenOverReachesNoLakeAndNoPassword(t *testing.T) {
	may := reaches(t, "LoaderRole")
	for _, never := range []string{"Lake", "Secret", "kinesis:Put", "s3:Get", "s3:Delete", "iam:", "sts:", "lambda:"} {
		assert.NotContains(t, may, never)
	}
	assert.Contains(t, may, "millrace_loader")
}

func TestATransformerThatIsTakenOverReachesItsLogAlone(t *testing.T) {
	assert.Equal(t, "logs:CreateLogStream, logs:PutLogEvents on ${LakeTransformerLogGroup}", reaches(t, "LakeTransformerRole"))
}

func TestTheAPIsWriterWritesAndReadsNothing(t *testing.T) {
	assert.Equal(t, "kinesis:PutRecord, kinesis:PutRecords on ${CoreStream}\nkms:GenerateDataKey on ${CoreKey}", reaches(t, "IngestWriterRole"))
}

// What the last section of the document admits is still so; who mends it changes both.
func TestWhatTheDocumentSaysDoesNotHoldDoesNot(t *testing.T) {
	app := apps(t)["prod"]
	for _, function := range app.Resources(functionType) {
		assert.Nil(t, function.Get("TracingConfig"), "%s is traced now", function.Name())
	}
}
