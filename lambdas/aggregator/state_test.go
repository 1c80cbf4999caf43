package aggregator

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/spec"
)

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

func TestPlacesAreInTheOrderOfTheirNumbers(t *testing.T) {
	assert.True(t, place{"10", 0}.after(place{"9", 5}))
	assert.True(t, place{"12", 0}.after(place{"11", 7}))
	assert.True(t, place{"12", 2}.after(place{"12", 1}))
	assert.False(t, place{"12", 2}.after(place{"12", 2}))
}

func TestAStateComesBackAsItWas(t *testing.T) {
	rules, err := newRules(spec.Windows{EventType: "window", Key: "$.k", Values: []spec.WindowValue{{Name: "v"}, {Name: "w"}}})
	require.NoError(t, err)
	a, err := rules.newAggregation(Window{Shard: "s"}, state{})
	require.NoError(t, err)
	require.NoError(t, a.add(place{"7", 0}, []byte(`{"k":"<é\"","v":-1.5}`)))
	require.NoError(t, a.add(place{"7", 3}, []byte(`nothing`)))

	text := encode(t, a.state)
	var again state
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, string(text), string(encode(t, again)))
	assert.Equal(t, place{"7", 3}, *again.Through)
	assert.Equal(t, 1, int(again.Groups["<é\""].Events))
}

func TestNoStateIsLargerThanItsBound(t *testing.T) {
	values := []spec.WindowValue{{Name: strings.Repeat("a", 59)}, {Name: "b"}}
	rules, err := newRules(spec.Windows{EventType: "window", Key: "$.k", Values: values})
	require.NoError(t, err)
	a, err := rules.newAggregation(Window{Shard: "s"}, state{})
	require.NoError(t, err)
	for i := range 4_000 {
		event := map[string]any{"k": strings.Repeat("<", i%100) + string(rune('a'+i%26)) + strings.Repeat("z", i/26), "b": json.Number("-99999999999999999999.999999999999999999999999999999")}
		if len(event["k"].(string)) > 512 {
			event["k"] = i
		}
		require.NoError(t, a.add(place{"49590338271490256608559692538361571095921575989136588898", i}, encode(t, event)))
		if i%500 == 499 {
			assert.Less(t, len(encode(t, a.state)), MaxStateBytes)
		}
	}
	assert.Positive(t, a.counts.spilled)
	assert.LessOrEqual(t, len(encode(t, a.state)), a.size)
}

func TestAnotherDeclarationIsAPartOfItsOwn(t *testing.T) {
	old, err := newRules(spec.Windows{EventType: "window", Key: "$.k"})
	require.NoError(t, err)
	a, err := old.newAggregation(Window{Shard: "s"}, state{})
	require.NoError(t, err)
	require.NoError(t, a.add(place{"1", 0}, []byte(`{"k":"a","v":2}`)))

	changed, err := newRules(spec.Windows{EventType: "window", Key: "$.k", Values: []spec.WindowValue{{Name: "v"}}})
	require.NoError(t, err)
	b, err := changed.newAggregation(Window{Shard: "s"}, a.state)
	require.NoError(t, err)
	require.Len(t, b.rows, 1)
	assert.Contains(t, string(b.rows[0].JSON), `"key":"a","events":1`)
	require.NoError(t, b.add(place{"1", 0}, []byte(`{"k":"a","v":2}`)), "it comes again")
	require.NoError(t, b.add(place{"2", 0}, []byte(`{"k":"a","v":2}`)))
	require.NoError(t, b.closePart())
	require.Len(t, b.rows, 2)
	assert.Contains(t, string(b.rows[1].JSON), `"events":1,"late":0,"values":{"v":{"n":1,"sum":2,"min":2,"max":2}}`)
}

func TestAPathLeadsThroughObjectsAndLists(t *testing.T) {
	event := []byte(`{"a":[{"b":1},{"b":2,"b":3}],"7":"x"}`)
	for path, want := range map[string]string{
		"$.a[1].b": "3", "$.a[0].b": "1", "$.a[2].b": "", "$['7']": `"x"`, "$.a.b": "", "$.c": "", "$.a[0].b.c": "",
	} {
		steps, err := spec.PathSteps(path)
		require.NoError(t, err)
		assert.Equal(t, want, string(lookup(event, steps)), path)
	}
}
