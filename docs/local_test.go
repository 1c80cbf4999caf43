package docs

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/local/gateway"
)

func TestEveryLimitOfTheLocalGatewayIsTold(t *testing.T) {
	page := read(t, "docs/local.md")
	assert.NotEmpty(t, gateway.Limits())
	for _, limit := range gateway.Limits() {
		assert.Contains(t, page, fmt.Sprintf("| %s | %s |", limit.Name, limit.Here))
	}
}
