package supply

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parsers are the packages that take bytes from outside apart. Each has a fuzz target.
var parsers = []string{
	"lambdas/event",             // a record of the stream
	"lambdas/event/object",      // its JSON
	"lambdas/kpl",               // the KPL's aggregates
	"lambdas/loader",            // a batch of Lambda's
	"lambdas/transformer",       // a batch of Firehose's, its base64
	"lambdas/transformer/steps", // an event under the declared steps
}

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

// fuzzTargets are the names of the package's fuzz targets.
func fuzzTargets(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		for _, match := range fuzzTarget.FindAllStringSubmatch(content(t, strings.TrimPrefix(file, root+"/")), -1) {
			names = append(names, match[1])
		}
	}
	return names
}

func TestEveryParserIsFuzzed(t *testing.T) {
	for _, parser := range parsers {
		assert.NotEmpty(t, fuzzTargets(t, parser), parser)
	}
}

// `go test` runs a committed corpus as cases: what a fuzzer found once stays found.
func TestEveryFuzzTargetHasACommittedCorpus(t *testing.T) {
	type item struct{ Dir string }
	targets := 0
	base, err := filepath.Abs(root)
	require.NoError(t, err)
	golist(t, func(p item) {
		folder, err := filepath.Rel(base, p.Dir)
		require.NoError(t, err)
		for _, name := range fuzzTargets(t, folder) {
			targets++
			corpus, err := filepath.Glob(filepath.Join(p.Dir, "testdata", "fuzz", name, "*"))
			require.NoError(t, err)
			assert.NotEmpty(t, corpus, "%s: %s has no corpus: go test ./%s -run '^$' -fuzz '^%s$' -fuzztime 20s, then copy some of $(go env GOCACHE)/fuzz to %[1]s/testdata/fuzz/%[2]s",
				folder, name, folder, name)
			for _, seed := range corpus {
				assert.True(t, strings.HasPrefix(content(t, strings.TrimPrefix(seed, base+"/")), "go test fuzz v1\n"), seed)
			}
		}
	}, "-json=Dir", "./...")
	assert.GreaterOrEqual(t, targets, len(parsers))
}
