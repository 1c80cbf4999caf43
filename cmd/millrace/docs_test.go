package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/commands"
)

// coming are commands that docs/disaster-recovery.md gives and that are not there yet.
func coming() []string { return []string{"replay lake", "verify"} }

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
		if isComing(strings.Join(words[1:], " ")) {
			assert.Error(t, err, "%s is there: take it off the list of what is coming", line)
			continue
		}
		assert.NoError(t, err, line)
	}
	assert.NotZero(t, count)
}

func isComing(command string) bool {
	for _, beginning := range coming() {
		if strings.HasPrefix(command, beginning) {
			return true
		}
	}
	return false
}
