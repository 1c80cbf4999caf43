package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/commands"
)

func TestEveryCommandInTheDocumentsParses(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	found, _ := commands.Read(t, documents...)
	count := 0
	for _, words := range found {
		if words[0] != "millrace" {
			continue
		}
		count++
		_, err := parse(new(CLI), words[1:])
		line := strings.Join(words, " ")
		assert.NoError(t, err, line)
	}
	assert.NotZero(t, count)
}
