// Package cdktest helps tests that synthesize CDK templates.
//
// Each test package that uses constructs has one line,
//
//	func TestMain(m *testing.M) { cdktest.Main(m) }
//
// since the jsii kernel boots once a process: closing it in each test costs
// seconds a test. Never run such tests in parallel: constructs share one pipe.
package cdktest

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden templates")

// Main runs the package's tests and closes the one jsii kernel they share. CDK's own rules over
// templates are off: they take most of a synth's time, and the test of the app has them.
func Main(m *testing.M) {
	const off = "CDK_VALIDATION=false"
	if !slices.Contains(os.Environ(), off) { // Node is up already, with its environment: the Makefile spares the second start
		jsii.Close()
		panic(syscall.Exec(os.Args[0], os.Args, append(os.Environ(), off)))
	}
	flag.Parse()
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// NewApp returns an app whose Lambda functions are stubs: bundling is off for
// every stack, so that no test of a template compiles a function.
func NewApp() awscdk.App { return NewAppWith(nil) }

// NewAppWith returns what [NewApp] does, with more context.
func NewAppWith(context map[string]any) awscdk.App {
	all := map[string]any{"aws:cdk:bundling-stacks": []string{}}
	maps.Copy(all, context)
	return awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Context: &all})
}

// Flags returns the context of the repository's cdk.json, as the CDK CLI gives it to the app.
// The calling package is two folders deep.
func Flags(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../cdk.json")
	require.NoError(t, err)
	var file struct{ Context map[string]any }
	require.NoError(t, json.Unmarshal(text, &file))
	return file.Context
}

// NewStack returns a stack of an app of its own, for a test of one construct.
func NewStack() awscdk.Stack {
	return awscdk.NewStack(NewApp(), jsii.String("Test"), nil)
}

// Template synthesizes stack.
func Template(stack awscdk.Stack) assertions.Template {
	return assertions.Template_FromStack(stack, nil)
}

// assetHash is how CDK names an asset in a template: 64 hexadecimal digits of SHA-256.
var assetHash = regexp.MustCompile(`[0-9a-f]{64}`)

// Golden holds stack's template against testdata/NAME.template.json. With
// -update it writes that file. Asset hashes are masked: they change with every
// change of a function's code, which is not the template's.
func Golden(t *testing.T, stack awscdk.Stack, name string) {
	t.Helper()
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(Template(stack).ToJSON()))
	masked := assetHash.ReplaceAll(got.Bytes(), []byte("ASSET"))

	path := filepath.Join("testdata", name+".template.json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, masked, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "no golden template yet: run `make snapshots`")
	assert.Equal(t, string(want), string(masked), "the template has changed: read the difference, then run `make snapshots`")
}

// Panics runs f and returns what it panicked with, as text; the test fails if f returns.
func Panics(t *testing.T, f func()) (message string) {
	t.Helper()
	defer func() {
		switch r := recover().(type) {
		case nil:
			t.Error("expected a panic")
		case error:
			message = r.Error()
		case string:
			message = r
		default:
			t.Errorf("panicked with a %T: %v", r, r)
		}
	}()
	f()
	return ""
}
