package atrest

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLinesCarryTheirIdentity(t *testing.T) {
	lines, err := parseLines("key", []byte(`{"a":1,"_millrace":{"id":"one","arrived_at":"2026-01-02T03:04:05.678Z"}}
{"_millrace":"the client's own","b":2,"__millrace":{"id":"two","arrived_at":"2026-01-02T03:04:05.678Z"}}
`))
	require.NoError(t, err)
	require.Len(t, lines, 2)
	assert.Equal(t, "one", lines[0].ID)
	assert.Equal(t, "two", lines[1].ID)
	assert.Equal(t, `{"a":1,"_millrace":{"id":"one","arrived_at":"2026-01-02T03:04:05.678Z"}}`, string(lines[0].Text))
}

func TestALineThatIsNotJSONIsAnErrorWithItsNumber(t *testing.T) {
	_, err := parseLines("key", []byte("{}\n{\n"))
	assert.ErrorContains(t, err, "line 2")
}

func TestATornObjectIsAnError(t *testing.T) {
	var whole bytes.Buffer
	zip := gzip.NewWriter(&whole)
	_, err := zip.Write(bytes.Repeat([]byte("{}\n"), 1000))
	require.NoError(t, err)
	require.NoError(t, zip.Close())

	text, err := gunzip(bytes.NewReader(whole.Bytes()))
	require.NoError(t, err)
	assert.Len(t, text, 3000)
	_, err = gunzip(bytes.NewReader(whole.Bytes()[:whole.Len()-4]))
	assert.Error(t, err)
}
