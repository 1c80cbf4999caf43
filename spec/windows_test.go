package spec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/spec"
)

func TestEveryProblemOfWindowsIsToldAtOnce(t *testing.T) {
	err := spec.Windows{
		EventTypes: []string{""}, Key: "device", LatenessSeconds: -1,
		Values: []spec.WindowValue{{Name: "A"}, {Name: "a"}, {Name: "a", Path: "$..a"}, {Name: strings.Repeat("a", 60)}},
	}.Validate()
	for _, problem := range []string{
		"event type of the results is required", "event types must not be empty text", `key: path must be like $.device.id, $.tags[0] or $['odd name'], got "device"`,
		`value's name must be lower case letters, digits and _, up to 59, got "A"`, "value a is declared twice", `got "$..a"`, "lateness must not be negative, got -1 seconds",
	} {
		assert.ErrorContains(t, err, problem)
	}
	assert.ErrorContains(t, spec.Windows{EventType: "w", EventTypes: []string{"w"}}.Validate(), "event types must not have the results' own, w")
	assert.NoError(t, spec.Windows{EventType: "w"}.Validate())
}

func TestADeclarationIsAnotherIfTheResultsSayAnother(t *testing.T) {
	w := spec.Windows{Results: "arn:a", EventType: "w", Key: "$.k"}
	first, err := w.Declaration()
	require.NoError(t, err)
	w.Results = "arn:b"
	elsewhere, err := w.Declaration()
	require.NoError(t, err)
	assert.Equal(t, first, elsewhere)
	w.Key = "$.l"
	another, err := w.Declaration()
	require.NoError(t, err)
	assert.NotEqual(t, first, another)
}

func TestTheTableOfWindowsIsOneThatTheLoaderTakes(t *testing.T) {
	longest := strings.Repeat("v", 59)
	table := spec.Windows{EventType: "w", Values: []spec.WindowValue{{Name: longest}}}.Table("levels")
	require.NoError(t, table.Validate())
	assert.Equal(t, []string{"w"}, table.EventTypes)
	sum, found := table.Column(longest + "_sum")
	require.True(t, found)
	assert.Equal(t, "$.values."+longest+".sum", sum.Path)
}
