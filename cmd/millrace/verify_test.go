package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAComparisonThatCannotBeMeantIsAWrongUsage(t *testing.T) {
	for _, arguments := range [][]string{
		{"verify", "--since=yesterday"},
		{"verify", "--before=0"},
		{"verify", "--since=2026-01-02T03:04:05Z", "--before=2026-01-02T03:04:05Z"},
	} {
		assert.Equal(t, usage, run(arguments), "%v", arguments)
	}
	assert.Equal(t, trouble, run([]string{"verify", "--root=" + t.TempDir()}), "an environment that is not up")
}
