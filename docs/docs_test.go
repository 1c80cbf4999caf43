package docs

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	require.NoError(t, err)
	return string(text)
}

// documents are the paths of every document, from the repository's root.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", pattern))
		require.NoError(t, err)
		for _, path := range found {
			all = append(all, strings.TrimPrefix(path, "../"))
		}
	}
	return all
}

var link = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

func TestEveryLinkLeadsToAFile(t *testing.T) {
	for _, document := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, document), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			assert.FileExists(t, filepath.Join("..", filepath.Dir(document), match[1]), document)
		}
	}
}

func TestTheReadmesExampleIsTheMinimalAppThatTestsBuild(t *testing.T) {
	_, rest, found := strings.Cut(read(t, "README.md"), "```go\n")
	require.True(t, found)
	example, _, _ := strings.Cut(rest, "```")
	var indented []string
	for line := range strings.Lines(example) {
		if line != "\n" {
			line = "\t" + line
		}
		indented = append(indented, line)
	}
	assert.Contains(t, read(t, "examples/minimal/main.go"), strings.Join(indented, ""))
}

func TestTheReadmeListsEveryConstruct(t *testing.T) {
	files, err := filepath.Glob("../constructs/*/*.go")
	require.NoError(t, err)
	constructor := regexp.MustCompile(`(?m)^func New(\w+)\(scope constructs\.Construct, id string, [^)]*\) \*`)
	readme, count := read(t, "README.md"), 0
	for _, file := range files {
		for _, match := range constructor.FindAllStringSubmatch(read(t, strings.TrimPrefix(file, "../")), -1) {
			count++
			name := filepath.Base(filepath.Dir(file)) + "." + match[1]
			assert.Contains(t, readme, "| `"+name+"` |", "%s is not in the README's table", name)
		}
	}
	assert.NotZero(t, count)
}

func TestEveryDependencyHasItsReason(t *testing.T) {
	reasons := read(t, "CONTRIBUTING.md")
	module, err := modfile.Parse("go.mod", []byte(read(t, "go.mod")), nil)
	require.NoError(t, err)
	used, known := map[string]bool{}, map[string]bool{}
	for _, require := range module.Require {
		name := require.Mod.Path
		known[name] = true
		if require.Indirect {
			continue
		}
		if strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2/") {
			name = "github.com/aws/aws-sdk-go-v2"
		}
		used[name] = true
	}
	var npm struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "package.json")), &npm))
	for name := range npm.Dependencies {
		used[name] = true
	}
	for line := range strings.Lines(read(t, "requirements.in") + read(t, "test/scan/requirements.in") + read(t, "test/flink/requirements.in") + read(t, "test/supply/requirements.in")) {
		if name, _, pinned := strings.Cut(line, "=="); pinned {
			used[name] = true
		}
	}
	for name := range used {
		assert.Contains(t, reasons, "`"+name+"`", "CONTRIBUTING.md does not say why %s is needed", name)
	}
	maps.Copy(known, used)
	_, list, _ := strings.Cut(reasons, "## Dependencies")
	_, list, _ = strings.Cut(list, "| Go module |")
	for _, match := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(list, -1) {
		for name := range strings.SplitSeq(match[1], ", ") {
			assert.True(t, known[strings.Trim(name, "`")], "%s is not required", name)
		}
	}
}
