package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/fault"
)

func TestOnlyTheLocalEnvironmentIsBroken(t *testing.T) {
	for _, c := range []struct {
		arguments []string
		says      string
	}{
		{[]string{"break", "1", "--env=prod"}, "only the local environment"},
		{[]string{"break", "--mend", "--env=dev"}, "only the local environment"},
		{[]string{"break", "6"}, "1 to 5"},
		{[]string{"break"}, "one of a number"},
		{[]string{"break", "1", "--mend"}, "one of a number"},
	} {
		_, err := parse(new(CLI), c.arguments)
		assert.ErrorContains(t, err, c.says)
	}
	_, err := parse(new(CLI), []string{"break", "5"})
	assert.NoError(t, err)
}

func TestWhatWasBrokenIsRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "break.json")
	state, err := readBreak(path)
	require.NoError(t, err)
	require.Nil(t, state.Broken)
	state.Broken, state.Of = &fault.Broken{Kind: fault.Bucket, BucketARN: "arn:aws:s3:::lake"}, "api"
	require.NoError(t, state.write(path))
	again, err := readBreak(path)
	require.NoError(t, err)
	assert.Equal(t, state, again)
}
