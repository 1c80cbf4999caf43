package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/cost"
)

// costs runs the command as main does and returns what it printed.
func costs(t *testing.T, arguments ...string) (code int, printed string) {
	t.Helper()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = writer
	defer func() { os.Stdout = stdout }()
	code = run(append([]string{"cost", "--root=../.."}, arguments...))
	require.NoError(t, writer.Close())
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	return code, string(text)
}

func TestCostIsThatOfTheEnvironmentAndOfThePricesThatAreGiven(t *testing.T) {
	var listed, given cost.Report
	code, printed := costs(t, "--env=dev", "--events=2628000/month", "--json")
	assert.Equal(t, ok, code)
	require.NoError(t, json.Unmarshal([]byte(printed), &listed))
	assert.Equal(t, "dev", listed.Environment)
	assert.InDelta(t, 1, listed.PerSecond, 1e-9)

	file := filepath.Join(t.TempDir(), "prices.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"name": "kinesis.ondemand.hour", "tiers": [{"usd": 1.04}]}]`), 0o600))
	code, printed = costs(t, "--env=dev", "--events=1/s", "--json", "--prices="+file)
	assert.Equal(t, ok, code)
	require.NoError(t, json.Unmarshal([]byte(printed), &given))
	assert.InDelta(t, listed.USD+730, given.USD, 1e-6)

	code, printed = costs(t, "--events=1/s")
	assert.Equal(t, ok, code)
	assert.Contains(t, printed, "prod: 2,628,000 events a month (1/s) of 1,024 bytes, 1 a request")
}

func TestWrongCostsAreWrongUsage(t *testing.T) {
	for _, arguments := range [][]string{{}, {"--events=5"}, {"--events=x/s"}, {"--events=-1/s"}, {"--events=1/s", "--batch=0"}, {"--events=1/s", "--bytes=0"}, {"--events=1/s", "--prices=nowhere"}} {
		code, _ := costs(t, arguments...)
		assert.Equal(t, usage, code, arguments)
	}
	code, _ := costs(t, "--events=1/s", "--env=nowhere")
	assert.Equal(t, trouble, code)
}
