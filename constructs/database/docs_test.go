package database_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDocumentNamesEveryParameterOfTheServer(t *testing.T) {
	document, err := os.ReadFile("../../docs/database.md")
	require.NoError(t, err)
	parameters := one(t, with(nil), "AWS::RDS::DBParameterGroup")["Parameters"].(map[string]any)
	delete(parameters, "max_connections") // by the class
	assert.NotEmpty(t, parameters)
	for name, value := range parameters {
		assert.Contains(t, string(document), fmt.Sprintf("| `%s` | `%s` |", name, value))
	}
}
