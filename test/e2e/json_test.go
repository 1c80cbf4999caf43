package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// assertSameValue fails unless both texts hold the same JSON value, numbers being
// compared as exact decimals: 1.10 is 1.1, and 9007199254740993 is not …992.
func assertSameValue(t *testing.T, want, got []byte, message string) {
	t.Helper()
	assert.Equal(t, exact(t, want), exact(t, got), message)
}

// exact parses text with each number as the text of its exact fraction.
func exact(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value), "%s", text)
	_, err := decoder.Token()
	require.ErrorIs(t, err, io.EOF)
	return exactNumbers(t, value)
}

func exactNumbers(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case json.Number:
		fraction, ok := new(big.Rat).SetString(v.String())
		require.True(t, ok, "%s", v)
		return "number " + fraction.RatString()
	case []any:
		for i := range v {
			v[i] = exactNumbers(t, v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = exactNumbers(t, v[key])
		}
	}
	return value
}

// without returns the JSON object without the member.
func without(t *testing.T, object []byte, member string) []byte {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(object, &members))
	require.Contains(t, members, member)
	delete(members, member)
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return text
}
