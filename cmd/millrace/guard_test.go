package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// assembly is a folder with a cloud assembly of one stack, which has one bucket of that name.
func assembly(t *testing.T, bucket string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"manifest.json": `{"artifacts": {"S": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "S.template.json"},
			"metadata": {"/S/Lake/Bucket/Resource": [{"type": "aws:cdk:logicalId", "data": "Bucket"}]}}}}`,
		"S.template.json": `{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "` + bucket + `"}}}}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
	}
	return folder
}

func TestGuardExitsWith1OnFindingsAnd2IfItCannotCompare(t *testing.T) {
	base, head := assembly(t, "one"), assembly(t, "two")
	assert.Equal(t, ok, run([]string{"guard", base, base}))
	assert.Equal(t, trouble, run([]string{"guard", base, head}))
	assert.Equal(t, trouble, run([]string{"guard", base, head, "--json"}))
	assert.Equal(t, usage, run([]string{"guard", base, "no-such-revision"}))
	assert.Equal(t, usage, run([]string{"guard", base, "--output=/etc/passwd"}), "an option of git's")
	assert.Equal(t, usage, run([]string{"guard"}))
	assert.Equal(t, usage, run([]string{"guard", base, head, "--env="}))
}

func TestGuardWritesTheComment(t *testing.T) {
	base, head := assembly(t, "one"), assembly(t, "two")
	path := filepath.Join(t.TempDir(), "review.md")
	assert.Equal(t, trouble, run([]string{"guard", base, head, "--comment", path}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), "| replaced | `S/Lake/Bucket/Resource` | `BucketName` | `one` | `two` |")
	assert.Contains(t, string(text), "<details><summary>cdk diff of S (1 resources)</summary>")
}
