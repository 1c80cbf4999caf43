package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestADrillThatIsNotThereIsAWrongUsage(t *testing.T) {
	_, err := parse(new(CLI), []string{"drill", "key", "flood"})
	assert.ErrorContains(t, err, `no drill is called "flood"`)
	_, err = parse(new(CLI), []string{"drill", "--time-scale=120"})
	assert.ErrorContains(t, err, "the time scale must make a minute whole seconds, got 120")
	_, err = parse(new(CLI), []string{"drill", "key", "disk"})
	assert.NoError(t, err)
}
