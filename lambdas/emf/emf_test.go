package emf_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/emf"
)

func TestLineIsAsCloudWatchReadsIt(t *testing.T) {
	var lines bytes.Buffer
	w := emf.Writer{
		Output: &lines, Namespace: "Millrace/Loader", Dimensions: map[string]string{"FunctionName": "f"},
		Now: func() time.Time { return time.UnixMilli(1_767_323_045_678) },
	}
	require.NoError(t, w.Write(emf.Metric{Name: "Rows", Unit: emf.Count, Value: 7}, emf.Metric{Name: "BatchTime", Unit: emf.Milliseconds, Value: 1.5}))
	assert.JSONEq(t, `{
		"_aws": {"Timestamp": 1767323045678, "CloudWatchMetrics": [{
			"Namespace": "Millrace/Loader", "Dimensions": [["FunctionName"]],
			"Metrics": [{"Name": "Rows", "Unit": "Count"}, {"Name": "BatchTime", "Unit": "Milliseconds"}]}]},
		"FunctionName": "f", "Rows": 7, "BatchTime": 1.5}`, lines.String())
	assert.Equal(t, 1, strings.Count(lines.String(), "\n"))
}

func TestMetricsWithoutDimensionsHaveAnEmptySet(t *testing.T) {
	var lines bytes.Buffer
	w := emf.Writer{Output: &lines, Namespace: "n"}
	require.NoError(t, w.Write(emf.Metric{Name: "m", Unit: emf.Bytes, Value: 1}))
	assert.Contains(t, lines.String(), `"Dimensions":[[]]`)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestErrorsAreToldAsSuch(t *testing.T) {
	w := emf.Writer{Output: broken{}, Namespace: "n"}
	require.EqualError(t, w.Write(emf.Metric{Name: "m", Unit: emf.Count, Value: 1}), "writing metrics: no space")
	require.ErrorContains(t, w.Write(emf.Metric{Name: "m", Unit: emf.Count, Value: math.NaN()}), "encoding metrics: ")
}
