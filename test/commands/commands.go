// Package commands reads the commands of Markdown documents, for the tests that hold them to what there is.
package commands

import (
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed commands.py
var source string

// Read returns the commands of aws and of millrace in the code of documents, each as its words, and
// what is wrong with those of the AWS CLI by botocore's models, which its own parser is made of:
// services, operations, parameters, and those that are required.
func Read(t *testing.T, documents ...string) (commands [][]string, wrong []string) {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), python(t), append([]string{"-c", source}, documents...)...).Output()
	require.NoError(t, err, "run `make setup`")
	var read struct {
		Commands [][]string
		Wrong    []string
	}
	require.NoError(t, json.Unmarshal(said, &read))
	return read.Commands, read.Wrong
}

// python is that of the repository's tools, which have botocore.
func python(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(folder, "cdk.json")); err == nil {
			return filepath.Join(folder, ".venv/bin/python")
		}
		require.NotEqual(t, folder, filepath.Dir(folder), "the tests run outside the repository")
		folder = filepath.Dir(folder)
	}
}
