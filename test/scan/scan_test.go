// Package scan runs the scanners over every environment, every construct that stands in none, and every example, and
// holds what they find against what the constructs accept, each with its reason
// (constructs/internal/suppress). A finding that nobody accepted fails, and so does an acceptance
// without a finding. `make lint` runs it.
package scan

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/stacks"
	"github.com/millrace-cdk/millrace/test/cdktest"
	"github.com/millrace-cdk/millrace/test/everything"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// template is one stack's, of an environment or an example.
type template struct {
	of        string // prod, everything, examples/minimal
	stack     string
	resources map[string]resource
	text      []byte
}

type resource struct {
	Type       string
	Properties map[string]any
	Metadata   map[string]any
}

// finding is a rule that a resource breaks.
type finding struct{ stack, resource, rule string }

// context are the feature flags of cdk.json, functions left unbuilt, and paths, by which the list calls resources.
func context(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../cdk.json")
	require.NoError(t, err)
	var file struct{ Context map[string]any }
	require.NoError(t, json.Unmarshal(text, &file))
	all := map[string]any{"aws:cdk:enable-path-metadata": true, "aws:cdk:bundling-stacks": []string{}}
	maps.Copy(all, file.Context)
	return all
}

// templates are those of every environment, of what stands in none, and of every example.
func templates(t *testing.T) []template {
	t.Helper()
	var all []template
	for _, name := range stacks.EnvironmentNames() {
		env, err := stacks.EnvironmentNamed(name, func(string) string { return "" })
		require.NoError(t, err)
		app := cdktest.NewAppWith(context(t))
		env.Omit = nil // what the emulator does not know is none of ours
		// As a release deploys them: with a role that checks.
		env.CheckedBy = "arn:aws:iam::111122223333:role/Check"
		stacks.NewMillrace(app, env)
		all = append(all, read(t, name, *app.Synth(nil).Directory())...)
	}
	// Its stages are the environments above: they lie in folders of their own, which are not read.
	app := cdktest.NewAppWith(context(t))
	stacks.NewRelease(app, stacks.Releases())
	all = append(all, read(t, stacks.ReleaseName, *app.Synth(nil).Directory())...)
	app = cdktest.NewAppWith(context(t))
	everything.New(app)
	all = append(all, read(t, "everything", *app.Synth(nil).Directory())...)
	mains, err := filepath.Glob("../../examples/*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	for _, main := range mains {
		example := filepath.Base(filepath.Dir(main))
		all = append(all, read(t, "examples/"+example, synth(t, filepath.Dir(main)))...)
	}
	return all
}

// synth runs an example as the CDK CLI does, and returns the folder of its assembly.
func synth(t *testing.T, folder string) string {
	t.Helper()
	text, err := json.Marshal(context(t))
	require.NoError(t, err)
	out := t.TempDir()
	run := exec.CommandContext(t.Context(), "go", "run", ".")
	run.Dir = folder
	run.Env = append(os.Environ(), "CDK_OUTDIR="+out, "CDK_CONTEXT_JSON="+string(text))
	said, err := run.CombinedOutput()
	require.NoError(t, err, "%s: %s", folder, said)
	return out
}

func read(t *testing.T, of, assembly string) []template {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(assembly, "*.template.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files, of)
	var all []template
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		// Two examples may call their stacks the same. CDK's own stack for another region has underscores in its id.
		stack := strings.NewReplacer("/", "-", "_", "-").Replace(of + "-" + strings.TrimSuffix(filepath.Base(file), ".template.json"))
		all = append(all, parse(t, of, stack, text))
	}
	return all
}

func parse(t *testing.T, of, stack string, text []byte) template {
	t.Helper()
	var body struct{ Resources map[string]resource }
	require.NoError(t, json.Unmarshal(text, &body))
	return template{of: of, stack: stack, resources: body.Resources, text: text}
}

// bare is the template as if nothing had been accepted.
func (one template) bare(t *testing.T) template {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal(one.text, &body))
	for _, r := range body["Resources"].(map[string]any) {
		if metadata, ok := r.(map[string]any)["Metadata"].(map[string]any); ok {
			for key := range lists {
				delete(metadata, key)
			}
		}
	}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return parse(t, one.of, one.stack, text)
}

func TestScan(t *testing.T) {
	all := templates(t)
	var bare []template
	for _, one := range all {
		bare = append(bare, one.bare(t))
	}
	found := append(append(nag(t, bare), checkov(t, bare)...), privileges(bare)...)
	accepted := acceptances(t, all)

	t.Run("Every finding is accepted", func(t *testing.T) {
		for _, f := range found {
			if !covered(f, accepted) {
				t.Errorf("a new finding: %s, %s: %s: mend it, or accept it beside the resource with suppress.Rules and a reason", f.stack, f.resource, f.rule)
			}
		}
	})
	t.Run("Every acceptance has a reason and a finding", func(t *testing.T) {
		for _, a := range accepted {
			assert.True(t, a.needed(found), "accepted but not found: %s, %s: %s: take it away", a.stack, a.resource, a.rule)
			assert.GreaterOrEqual(t, len(strings.Fields(a.reason)), 4, "a reason is a sentence: %s, %s: %s: %q", a.stack, a.resource, a.rule, a.reason)
		}
	})
	t.Run("cdk-nag understands what is written for it", func(t *testing.T) {
		assert.Empty(t, nag(t, all))
	})
	t.Run("cfn-lint finds nothing", func(t *testing.T) { lint(t, all) })
	t.Run("The list of what is accepted is not stale", func(t *testing.T) { document(t, accepted) })
}
