package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/local/gateway"
)

func TestUpNamesWhatTheLocalGatewayLacksInOneLine(t *testing.T) {
	line := limits()

	assert.NotContains(t, line, "\n")
	for _, limit := range gateway.Limits() {
		assert.Contains(t, line, limit.Name)
		assert.NotEmpty(t, limit.Here)
	}
	for _, known := range []string{"IAM", "WAF", "quotas", "authorizers"} {
		assert.Contains(t, line, known)
	}
}
