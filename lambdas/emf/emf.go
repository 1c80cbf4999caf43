// Package emf writes metrics in CloudWatch's embedded metric format: one line of
// JSON in the function's log is a data point of each metric in it
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
// The Go libraries for it are unkept, or ask for a newer Go.
package emf

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Unit is a unit as CloudWatch spells it.
type Unit string

// The units in use here.
const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
	Bytes        Unit = "Bytes"
)

// Metric is one value at one time.
type Metric struct {
	Name  string
	Unit  Unit
	Value float64
}

// Writer writes metrics of one namespace. Each line is one write.
type Writer struct {
	// Output is where lines go: a function's standard output. Required.
	Output io.Writer
	// Namespace groups the metrics in CloudWatch. Required.
	Namespace string
	// Dimensions tell functions apart. CloudWatch takes up to 30.
	//
	// Default: none.
	Dimensions map[string]string
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Write writes metrics as one line. CloudWatch takes up to 100 in one.
func (w *Writer) Write(metrics ...Metric) error {
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	type definition struct {
		Name string
		Unit Unit
	}
	var definitions []definition
	dimensions := []string{}
	line := map[string]any{}
	for name, value := range w.Dimensions {
		dimensions = append(dimensions, name)
		line[name] = value
	}
	for _, m := range metrics {
		definitions = append(definitions, definition{m.Name, m.Unit})
		line[m.Name] = m.Value
	}
	line["_aws"] = map[string]any{
		"Timestamp":         now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{"Namespace": w.Namespace, "Dimensions": [][]string{dimensions}, "Metrics": definitions}},
	}
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encoding metrics: %w", err)
	}
	if _, err := w.Output.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing metrics: %w", err)
	}
	return nil
}
