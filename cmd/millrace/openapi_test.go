package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatTheAppSaidIsTheReasonAndNotWhatTheCLISaidAroundIt(t *testing.T) {
	exit := errors.New("exit status 1")
	assert.Equal(t, `env must be one of local, dev, staging, prod, got "x": say --env=dev`,
		reason("\nmillrace: env must be one of local, dev, staging, prod, got \"x\": say -c env=dev\nbuild/app: Subprocess exited with error 1\n", exit))
	assert.Equal(t, "go: not found", reason("Building\ngo: not found\n\n", exit))
	assert.Equal(t, "synthesizing: exit status 1", reason("\n", exit))
}

func TestWithoutTheCDKCLITheDocumentIsNotToBeHad(t *testing.T) {
	assert.Equal(t, trouble, run([]string{"openapi", "--root", t.TempDir()}))
}
