package object_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/event/object"
)

func TestNestingIsAsDeepAsEncodingJSONAllows(t *testing.T) {
	for _, depth := range []int{9_999, 10_000, 10_001} {
		for _, text := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			strings.Repeat(`[{"a":`, depth/2) + "1" + strings.Repeat("}]", depth/2),
		} {
			_, _, ok := object.AppendCompact(nil, nil, []byte(text))
			assert.Equal(t, json.Valid([]byte(text)), ok, "%d levels", depth)
		}
	}
}

func TestElementsOfAnArray(t *testing.T) {
	var got []string
	for element := range object.Elements([]byte(`[1,"],",[2,[3]],{"a":[4]},[],{}]`)) {
		got = append(got, string(element))
	}
	assert.Equal(t, []string{`1`, `"],"`, `[2,[3]]`, `{"a":[4]}`, `[]`, `{}`}, got)
}

// FuzzAppendCompact holds the scanner to encoding/json: the same verdict, the
// same bytes, the same members.
func FuzzAppendCompact(f *testing.F) {
	for _, seed := range []string{
		` { "a" : [ 1.10 , -0e+7 , true , null , "\u00e9\\\"/" ] , "b" : { } , "\u0061" : [ ] } `,
		`"12345678\"`, `{"a"}`, `{"a":1,}`, `[1,]`, `{,}`, `[}`, `-`, `01`, `1.`, `1e`, `tru`, `"` + "\x1f" + `"`, "\"\xff\"",
		`{"1234567":"12345678","é":"0123456é789\u0000"}`, `1 2`, "\u2028", "[\v1]", ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		prefix := []byte("kept")
		compact, members, ok := object.AppendCompact(prefix, nil, data)
		require.Equal(t, json.Valid(data) && utf8.Valid(data), ok)
		if !ok {
			return
		}
		var want bytes.Buffer
		require.NoError(t, json.Compact(&want, data))
		require.Equal(t, "kept"+want.String(), string(compact))
		compact = compact[len(prefix):]
		if compact[0] != '{' {
			require.Empty(t, members)
			return
		}
		require.Equal(t, members, slices.Collect(object.Members(compact)))
		decoder := json.NewDecoder(bytes.NewReader(compact))
		_, err := decoder.Token()
		require.NoError(t, err)
		for _, m := range members {
			name, err := decoder.Token()
			require.NoError(t, err)
			require.Equal(t, name, string(m.Name(compact)))
			var value json.RawMessage
			require.NoError(t, decoder.Decode(&value))
			require.Equal(t, string(value), string(m.Value(compact)))
		}
		require.False(t, decoder.More())
	})
}
