package spec_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/spec"
)

// everything uses each step once.
func everything() spec.Transformer {
	above := 7.5
	return spec.Transformer{
		CloudWatchLogs: &spec.CloudWatchLogs{MaxBytes: 1 << 20},
		HashKeyARN:     "arn:aws:secretsmanager:eu-west-1:111122223333:secret:key",
		Steps: []spec.Step{
			{Validate: &spec.Validate{Schema: json.RawMessage(`{"type":"object"}`)}},
			{Drop: &spec.Drop{When: []spec.Condition{{Path: "/a", Equals: []any{"x", 1.5, true, nil}}, {Path: "/b/c", Above: &above, Not: true}}}},
			{Remove: &spec.Remove{Paths: []string{"/a~1b/~0c"}}},
			{Redact: &spec.Redact{Paths: []string{"/name"}, With: "***"}},
			{Hash: &spec.Hash{Paths: []string{"/user/email"}}},
			{Timestamp: &spec.Timestamp{Path: "/at", Formats: []string{"unix_s", "02/Jan/2006:15:04:05 -0700"}, Zone: "Europe/Berlin"}},
			{Add: &spec.Add{Name: "source", From: "stream"}},
			{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "day", Path: "/at", Layout: "2006-01-02", Default: "none"}}}},
		},
	}
}

func TestTransformerTravelsWhole(t *testing.T) {
	want := everything()
	require.NoError(t, want.Validate())
	text, err := spec.Encode(want)
	require.NoError(t, err)
	var got spec.Transformer
	require.NoError(t, spec.Decode(text, &got))
	assert.Equal(t, want, got)
	require.NoError(t, spec.Transformer{}.Validate(), "the zero value is the default")
	assert.Equal(t, []json.RawMessage{json.RawMessage(`{"type":"object"}`)}, want.Schemas())
}

func TestTransformerNamesEveryProblemAtOnce(t *testing.T) {
	broken := spec.Transformer{
		CloudWatchLogs: &spec.CloudWatchLogs{MaxBytes: -1},
		Steps: []spec.Step{
			{},
			{Remove: &spec.Remove{Paths: []string{"/a"}}, Redact: &spec.Redact{}},
			{Validate: &spec.Validate{Schema: json.RawMessage(`[]`)}},
			{Drop: &spec.Drop{}},
			{Drop: &spec.Drop{When: []spec.Condition{{Path: "a"}, {Path: "/a", Equals: []any{[]any{}}}}}},
			{Remove: &spec.Remove{Paths: []string{"", "/", "/a//b", "/a~2", "/event_id", "/__millrace"}}},
			{Hash: &spec.Hash{Paths: []string{"/a"}}},
			{Timestamp: &spec.Timestamp{Path: "/a", Formats: []string{"iso"}, Zone: "Nowhere/City"}},
			{Add: &spec.Add{Value: "x", From: "y"}},
			{Partition: &spec.Partition{}},
			{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "a b", Path: "x", Layout: "day"}}}},
		},
	}
	err := broken.Validate()
	require.Error(t, err)
	for _, problem := range []string{
		"cloudwatch logs: max bytes must be positive, got -1",
		"step 1: exactly one of validate, drop, remove, redact, hash, timestamp, add and partition must be set, got 0",
		"step 2: redact: paths are required",
		"step 2: exactly one of validate",
		"step 3: validate: schema must be a JSON object",
		"step 4: drop: when is required",
		`step 5: drop: condition 1: path must be members' names`,
		"step 5: drop: condition 1: exactly one of equals, prefix, above, below and present must be set, got 0",
		"step 5: drop: condition 2: equals takes strings, numbers, booleans and null, got a []interface {}",
		`got ""`, `got "/"`, `got "/a//b"`, `got "/a~2"`,
		`step 6: remove: "event_id" identifies the event and cannot be changed`,
		`step 6: remove: "__millrace" identifies the event`,
		"hash key is required by the hash step",
		`step 8: timestamp: format must be rfc3339`, `got "iso"`,
		`step 8: timestamp: zone must be an IANA time zone, got "Nowhere/City"`,
		"step 9: add: name is required",
		"step 9: add: exactly one of value and from must be set",
		`step 9: add: from must be one of arrived_at, stream`,
		"step 10: partition: keys are required",
		`step 11: partition: key name must be letters, digits and underscores, got "a b"`,
		`step 11: partition: key a b: path must be`,
		`step 11: partition: key a b: layout must be one of Go's package time, got "day"`,
	} {
		assert.ErrorContains(t, err, problem)
	}
}

func TestStepsThatAnEnvironmentVariableCannotHoldAreRefused(t *testing.T) {
	large := spec.Transformer{Steps: []spec.Step{{Redact: &spec.Redact{Paths: []string{"/a"}, With: strings.Repeat("x", spec.MaxTransformerBytes)}}}}
	assert.ErrorContains(t, large.Validate(), "an environment variable has room for 3584")
}

func TestGrowthCountsWhatStepsMayAdd(t *testing.T) {
	assert.Equal(t, 192, spec.Transformer{}.Growth())
	assert.Greater(t, everything().Growth(), 192+76)
}
