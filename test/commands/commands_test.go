package commands_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/commands"
)

const document = `
Not of code: aws nowhere nothing.

    aws kms enable-key --key-id "$KEY ID"   # fenced or indented
    millrace verify --env=prod
    echo no command of ours

` + "```" + `
aws rds describe-db-instances --region eu-central-1 --query "DBInstances[]"
aws lambda update-event-source-mapping --uuid 1 --no-enabled
aws rds wait db-instance-available
aws s3 ls
` + "```" + `

1. In a list:

       aws nowhere nothing
       aws kms no-such-thing
       aws kms enable-key --key-id 1 --twice
       aws kms enable-key
       aws kms enable-key --no-key-id
       aws rds wait for-ever
       aws s3 list
       aws kms "enable-key
`

func TestCommandsAreReadAndThoseOfAWSHeldToItsModels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "document.md")
	require.NoError(t, os.WriteFile(path, []byte(document), 0o644))
	found, wrong := commands.Read(t, path)
	assert.Len(t, found, 14)
	assert.Equal(t, []string{"aws", "kms", "enable-key", "--key-id", "$KEY ID"}, found[0])
	assert.Equal(t, []string{"millrace", "verify", "--env=prod"}, found[1])
	for i, says := range []string{
		"there is no service nowhere", "kms has no operation no-such-thing", "kms enable-key has no --twice", "kms enable-key needs --key-id",
		"--no-key-id is not a flag that can be negated", "rds has no waiter for_ever", "s3 has no operation list", "No closing quotation",
	} {
		if assert.Greater(t, len(wrong), i) {
			assert.Contains(t, wrong[i], says)
		}
	}
	assert.Len(t, wrong, 8)
}
