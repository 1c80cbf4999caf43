package trust

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// made is a constructor of a construct, as its package declares it.
var made = regexp.MustCompile(`(?m)^func (New\w+)\(scope constructs\.Construct`)

// sources are the texts of the Go files that pattern names, tests left out.
func sources(t *testing.T, pattern string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	texts := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		texts[file] = string(text)
	}
	require.NotEmpty(t, texts)
	return texts
}

func TestEveryConstructStandsInAnEnvironmentOrInTestEverything(t *testing.T) {
	const constructs = "../../constructs/*/*.go"
	var calls strings.Builder
	for _, pattern := range []string{"../../stacks/*.go", "../everything/*.go", "../../examples/*/*.go", constructs} {
		for _, text := range sources(t, pattern) {
			calls.WriteString(text)
		}
	}
	found := 0
	for file, text := range sources(t, constructs) {
		name := filepath.Base(filepath.Dir(file))
		for _, match := range made.FindAllStringSubmatch(text, -1) {
			found++
			inside := strings.Count(calls.String(), " "+match[1]+"(") > 1 // its declaration, and a call of its own package
			assert.True(t, inside || strings.Contains(calls.String(), name+"."+match[1]+"("),
				"no scanner sees %s.%s: add it to test/everything", name, match[1])
		}
	}
	assert.Greater(t, found, 10)
}
