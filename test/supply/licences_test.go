package supply

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/github/go-spdx/v2/spdxexp"
	"github.com/google/licensecheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allowed are the licences, by SPDX identifier, that ask for no more than that
// they be named. Another one is a decision: it is added here with the change that needs it.
var allowed = []string{
	"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "LicenseRef-Public-Domain", "MIT", "MIT-0", "PSF-2.0", "PostgreSQL",
}

// allowedTools are those of programs that we run, and neither link nor give away.
var allowedTools = []string{"0BSD", "CC0-1.0", "LGPL-2.1", "MPL-2.0", "Zlib"}

// read are licences that no classifier told, and that someone read.
var read = map[string]struct{ licence, reason string }{
	"github.com/aws/aws-lambda-go": {"Apache-2.0 AND MIT-0", "LICENSE-SUMMARY is no licence, and says which of two files is for what"},
	"github.com/xi2/xz":            {"LicenseRef-Public-Domain", "LICENSE puts it into the public domain, in words of its own"},
	"defusedxml":                   {"PSF-2.0", "METADATA says PSFL; LICENSE is the text of 2008 of the PSF's licence"},

	"bc-detect-secrets": {"Apache-2.0", "METADATA says so, and LICENSE in words of its own"},
	"contextlib2":       {"PSF-2.0 AND Apache-2.0", "LICENSE.txt has Python's own of its time, METADATA Apache's for a part"},
	"packaging":         {"Apache-2.0 OR BSD-2-Clause", "LICENSE of 23.2 says: either of the two files beside it"},
	"ply":               {"BSD-3-Clause", "METADATA says BSD, and lex.py begins with the text"},

	"com/jayway/jsonpath/json-path":            {"Apache-2.0", "its POM says so"},
	"io/zonky/test/postgres":                   {"Apache-2.0 AND PostgreSQL", "its POM says the first of the archive; what is in it is Postgres"},
	"net/minidev/accessors-smart":              {"Apache-2.0", "its POM says so"},
	"net/minidev/json-smart":                   {"Apache-2.0", "its POM says so"},
	"org/apache/commons/commons-lang3":         {"Apache-2.0", "META-INF/LICENSE.txt of the archive"},
	"org/apache/velocity/velocity-engine-core": {"Apache-2.0", "META-INF/LICENSE of the archive"},
	"org/ow2/asm/asm":                          {"BSD-3-Clause", "its POM says so"},
	"org/slf4j/slf4j-api":                      {"MIT", "the POM of slf4j-parent says so"},
	"org/slf4j/slf4j-nop":                      {"MIT", "the POM of slf4j-parent says so"},
}

// dependency is a row of docs/licences.md.
type dependency struct{ name, licence, use string }

func TestEveryDependencyHasAnAllowedLicence(t *testing.T) {
	groups := []struct {
		title        string
		dependencies []dependency
	}{
		{"Go modules", modules(t)},
		{"npm packages", packages(t)},
		{"Python packages", distributions(t)},
		{"Maven artefacts", artefacts(t)},
	}
	needed := map[string]bool{}
	var rows strings.Builder
	head := "# Licences\n\nGenerated from what is installed: `go test ./test/supply -update`. A test fails when this is stale, or on a licence that is not allowed:\n" +
		strings.Join(allowed, ", ") + "; of tools, which are run and not given away, also " + strings.Join(allowedTools, ", ") + ".\n\n`make sbom` writes the same as CycloneDX, with versions.\n"
	for _, group := range groups {
		fmt.Fprintf(&rows, "\n## %s\n\n| Name | Licence | Used by |\n|---|---|---|\n", group.title)
		slices.SortFunc(group.dependencies, func(a, b dependency) int { return strings.Compare(a.name+"\x00"+a.licence, b.name+"\x00"+b.licence) })
		for _, d := range group.dependencies {
			if one, ok := read[d.name]; ok && d.licence == "" {
				needed[d.name], d.licence = true, one.licence
			}
			may := allowed
			if d.use == "tools" {
				may = slices.Concat(allowed, allowedTools)
			}
			satisfied, err := spdxexp.Satisfies(d.licence, may)
			assert.NoError(t, err, "%s is licensed as %q", d.name, d.licence)
			assert.True(t, satisfied, "%s is licensed as %q, which is not allowed", d.name, d.licence)
			fmt.Fprintf(&rows, "| %s | %s | %s |\n", d.name, d.licence, d.use)
		}
	}
	for _, licence := range slices.Concat(allowed, allowedTools) {
		assert.Contains(t, rows.String(), licence, "nothing needs it")
	}
	for name, one := range read {
		assert.True(t, needed[name], "%s is classified now: delete its entry", name)
		assert.NotEmpty(t, one.reason, name)
	}
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join(root, "docs/licences.md"), []byte(head+rows.String()), 0o644))
		return
	}
	assert.Equal(t, head+rows.String(), content(t, "docs/licences.md"), "docs/licences.md is stale: go test ./test/supply -update")
}

// modules are the Go modules of which a package is compiled, and into what.
func modules(t *testing.T) (all []dependency) {
	type item struct {
		Module *struct {
			Path, Dir string
			Main      bool
		}
	}
	folders, uses := map[string]string{}, map[string][]string{}
	for _, part := range []struct {
		use       string
		arguments []string
	}{
		{"functions", []string{"-deps", "./lambdas/.../cmd"}},
		{"constructs", []string{"-deps", ".", "./constructs/...", "./stacks/..."}},
		{"millrace", []string{"-deps", "./cmd/..."}},
		{"tests", []string{"-deps", "-test", "./..."}},
	} {
		golist(t, func(p item) {
			if p.Module == nil || p.Module.Main {
				return
			}
			name := p.Module.Path
			folders[name] = p.Module.Dir
			if part.use == "tests" && len(uses[name]) > 0 && uses[name][0] != "tests" || slices.Contains(uses[name], part.use) {
				return
			}
			uses[name] = append(uses[name], part.use)
		}, append([]string{"-json=Module"}, part.arguments...)...)
	}
	for name, folder := range folders {
		all = append(all, dependency{name, classify(t, folder), strings.Join(uses[name], ", ")})
	}
	return all
}

// packages are those of package-lock.json, by the licence that each declares there.
func packages(t *testing.T) (all []dependency) {
	for folder, one := range lock(t) {
		all = append(all, dependency{strings.TrimPrefix(folder, "node_modules/"), one.License, "tools"})
	}
	return all
}

// declared is how a Python package says an SPDX expression (PEP 639), or what may be one.
var declared = regexp.MustCompile(`(?m)^(?:License-Expression|License): (.+)$`)

// distributions are the packages of all requirements, by what their virtualenvs hold of them.
func distributions(t *testing.T) (all []dependency) {
	seen := map[string]bool{}
	for requirements, folder := range virtualenvs {
		infos, err := filepath.Glob(filepath.Join(root, folder, "lib/python*/site-packages/*.dist-info"))
		require.NoError(t, err)
		folders := map[string]string{}
		for _, info := range infos {
			name, _, _ := strings.Cut(filepath.Base(info), "-")
			folders[normal(name)] = info
		}
		for name := range maps.Keys(pinned(t, requirements)) {
			installed := folders[normal(name)]
			require.NotEmpty(t, installed, "%s is not in %s: make setup .tools/checkov/.done .tools/supply/.done", name, folder)
			licence := distributed(t, installed)
			if row := name + licence; !seen[row] {
				seen[row] = true
				all = append(all, dependency{name, licence, "tools"})
			}
		}
	}
	return all
}

// distributed is the licence that an installed package says it has, or that its files are.
func distributed(t *testing.T, folder string) string {
	t.Helper()
	metadata, err := os.ReadFile(filepath.Join(folder, "METADATA"))
	require.NoError(t, err)
	header, _, _ := strings.Cut(string(metadata), "\n\n")
	for _, match := range declared.FindAllStringSubmatch(header, -1) {
		if valid, _ := spdxexp.ValidateLicenses(match[1:]); valid {
			return match[1]
		}
	}
	return classify(t, folder, filepath.Join(folder, "licenses"))
}

// artefact is what the sources of local/ download from Maven Central, with or without its file.
var artefact = regexp.MustCompile(`"((?:com|io|net|org)/[a-z0-9/-]+?)/(?:[0-9][^"]*)?"`)

// artefacts are those, whose licences someone read: an archive says it in its POM, which is not in all of them.
func artefacts(t *testing.T) (all []dependency) {
	for _, source := range []string{"local/gateway/vtl/velocity/jars.go", "local/cloud/postgres/binaries.go"} {
		found := artefact.FindAllStringSubmatch(content(t, source), -1)
		require.NotEmpty(t, found, source)
		for _, match := range found {
			all = append(all, dependency{match[1], "", "laptop"})
		}
	}
	return all
}

// normal is a name as PyPI compares it (PEP 503).
func normal(name string) string {
	return strings.ToLower(regexp.MustCompile(`[-_.]+`).ReplaceAllString(name, "-"))
}

// file is what a licence's file is called.
var file = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying`)

// classify returns the SPDX expression of the licence files in the folders: all
// of what they hold applies. It is empty when a file is not known for a licence.
func classify(t *testing.T, folders ...string) string {
	t.Helper()
	found := map[string]bool{}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		for _, entry := range entries {
			if entry.IsDir() || !file.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			require.NoError(t, err)
			coverage := licensecheck.Scan(text)
			if coverage.Percent < 75 { // the threshold of pkg.go.dev
				return ""
			}
			for _, match := range coverage.Match {
				found[match.ID] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(found)), " AND ")
}
