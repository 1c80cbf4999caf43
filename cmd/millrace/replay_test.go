package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAReplayThatCannotBeMeantIsAWrongUsage(t *testing.T) {
	for _, arguments := range [][]string{
		{"replay"},
		{"replay", "everything"},
		{"replay", "stream"},
		{"replay", "stream", "--since=yesterday"},
		{"replay", "stream", "--since=2999-01-02T03:04:05Z", "--until=2998-01-02T03:04:05Z"},
		{"replay", "stream", "--since=2026-01-02T03:04:05Z", "--until=2999-01-02T03:04:05Z"},
		{"replay", "stream", "--since=2026-01-02T03:04:05Z", "--reason=Lambda."},
		{"replay", "quarantine", "--from=s3://bucket/prefix"},
		{"replay", "errors", "--from=bucket/prefix"},
		{"replay", "errors", "--rate=0"},
		{"replay", "errors", "--lookback=-1h"},
		{"replay", "lake", "--parallel=0"},
		{"replay", "lake", "--reason=Lambda."},
		{"replay", "lake", "--from=s3://bucket/prefix"},
	} {
		assert.Equal(t, usage, run(arguments), "%v", arguments)
	}
}

func TestAReplayOfAnEnvironmentThatIsNotUpFails(t *testing.T) {
	assert.Equal(t, trouble, run([]string{"replay", "errors", "--root=" + t.TempDir()}))
}
