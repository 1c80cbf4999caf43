package supply

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// digested is an action by the digest of a commit, with its release behind it for
// a reader: a tag can be moved to other code.
var digested = regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

func TestEveryActionIsPinnedByItsDigest(t *testing.T) {
	workflows, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.y*ml"))
	require.NoError(t, err)
	require.NotEmpty(t, workflows)
	actions := 0
	for _, path := range workflows {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if _, action, ok := strings.Cut(line, "uses: "); ok {
				actions++
				assert.Regexp(t, digested, strings.TrimSpace(action), path)
			}
		}
		assert.Contains(t, string(text), "\npermissions:\n", "%s: the token has every right that the repository gives", path)
	}
	assert.NotZero(t, actions)
}

func TestTheWorkflowRunsWhatAChangeMustPass(t *testing.T) {
	workflow := content(t, ".github/workflows/ci.yml")
	assert.Contains(t, workflow, "run: .ci/run\n")
	assert.Contains(t, workflow, "run: make vuln ", "elsewhere the database of vulnerabilities is out of reach")
}

func TestEveryNpmPackageHasAChecksum(t *testing.T) {
	for folder, one := range lock(t) {
		assert.True(t, strings.HasPrefix(one.Integrity, "sha512-"), folder)
		if one.Resolved != "" { // else from the registry
			assert.True(t, strings.HasPrefix(one.Resolved, "https://registry.npmjs.org/"), "%s comes from %s", folder, one.Resolved)
		}
	}
	var manifest struct{ Dependencies map[string]string }
	require.NoError(t, json.Unmarshal([]byte(content(t, "package.json")), &manifest))
	for name, version := range manifest.Dependencies {
		assert.Equal(t, version, lock(t)["node_modules/"+name].Version, "%s is a range", name)
	}
}

// tool is a program in Go that the Makefile installs.
var tool = regexp.MustCompile(`\b(?:github\.com|golang\.org)/[\w./-]*/cmd/[\w-]+(\S*)`)

func TestEveryToolOfTheMakefileIsOfOneVersion(t *testing.T) {
	tools := tool.FindAllStringSubmatch(content(t, "Makefile"), -1)
	require.NotEmpty(t, tools)
	for _, tool := range tools {
		assert.Regexp(t, `^@v\d+\.\d+\.\d+\)?$`, tool[1], tool[0])
	}
}

// hashed is a SHA-256 as pip takes it.
var hashed = regexp.MustCompile(`^--hash=sha256:[0-9a-f]{64}$`)

func TestEveryPythonPackageIsOfOneVersionAndHasAChecksum(t *testing.T) {
	for _, requirements := range append(slices.Collect(maps.Keys(virtualenvs)), optional) {
		pins := pinned(t, requirements)
		for name, one := range pins {
			assert.NotEmpty(t, one.hashes, "%s.txt: %s: make requirements", requirements, name)
			for _, hash := range one.hashes {
				assert.Regexp(t, hashed, hash, "%s.txt: %s", requirements, name)
			}
		}
		for line := range strings.Lines(content(t, requirements+".in")) {
			if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) != "" {
				name, version, _ := strings.Cut(strings.TrimSpace(line), "==")
				assert.Equal(t, version, pins[name].version, "%s.in: %s: make requirements", requirements, name)
			}
		}
	}
}

// pip installs what it has no hash of, unless it is told not to: a package that another one needs, above all.
func TestPipTakesNothingWithoutAChecksum(t *testing.T) {
	makefile := content(t, "Makefile")
	_, flags, _ := strings.Cut(makefile, "\nINSTALL := ")
	flags, _, _ = strings.Cut(flags, "\n")
	assert.Contains(t, flags, "--require-hashes")
	installs := regexp.MustCompile(`/pip .*`).FindAllString(makefile, -1)
	assert.Len(t, installs, len(virtualenvs)+1) // and the optional one
	for _, install := range installs {
		assert.True(t, strings.HasPrefix(install, "/pip $(INSTALL) -r "), install)
	}
}
