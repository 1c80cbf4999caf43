package runbook

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const page = `# Page

## Shared things

As told.

## Loader

### load Errors

See [shared](#shared-things).

` + "```sh look" + `
# a comment in code
aws s3 ls \
  "s3://$BUCKET/"
` + "```" + `

` + "```sh" + `
aws s3 rm s3://else
` + "```" + `

` + "```insights look LOG" + `
fields @message
` + "```" + `

### load Lag

Nothing.
`

func TestASectionHasItsTextAndItsLooks(t *testing.T) {
	sections := Sections(page)
	require.Len(t, sections, 2)
	assert.Equal(t, "load-errors", sections[0].Anchor)
	assert.NotContains(t, sections[0].Text, "Nothing.")
	require.Len(t, sections[0].Looks, 2)
	assert.Equal(t, []string{`aws s3 ls    "s3://$BUCKET/"`}, sections[0].Looks[0].Commands())
	assert.Equal(t, Look{Language: "insights", Group: "LOG", Code: "fields @message\n"}, sections[0].Looks[1])
	assert.Empty(t, sections[1].Looks)

	shared := Shared(page, sections[0])
	require.Len(t, shared, 1)
	assert.Equal(t, "Shared things", shared[0].Title)
	assert.Empty(t, Shared(page, sections[1]))
}

func TestOnlyWhatReadsMayRun(t *testing.T) {
	for command, reads := range map[string]bool{
		`aws s3 ls "s3://$BUCKET/"`:                                 true,
		`aws logs filter-log-events --log-group-name "$LOADER_LOG"`: true,
		`millrace status --env="$ENV"`:                              true,
		`curl -sSi "$API_URL/health"`:                               true,
		`aws s3 rm s3://bucket`:                                     false,
		`aws lambda update-alias --name live`:                       false,
		`aws secretsmanager get-secret-value --secret-id 1`:         false,
		`aws apigateway get-api-key --api-key 1 --include-value`:    false,
		`aws s3 ls s3://bucket; aws s3 rm s3://bucket`:              false,
		`aws s3 ls $(aws s3 rm s3://bucket)`:                        false,
		"aws s3 ls `aws s3 rm s3://bucket`":                         false,
		`aws s3 ls s3://bucket > file`:                              false,
		`curl -sSi -X POST "$API_URL/events"`:                       false,
		`curl -sSi "$API_URL/events" --data 1`:                      false,
		`millrace break 1`:                                          false,
		`millrace replay errors`:                                    false,
		`describe-alarms`:                                           false,
	} {
		assert.Equal(t, reads, Reads(command), command)
	}
}

func TestTheNamesOfACommandAreFound(t *testing.T) {
	assert.Equal(t, []string{"A_B", "C"}, Variables(`aws s3 ls "s3://$A_B/${C}/"`))
}
