// Command dashboard draws the dashboard from synthesized templates:
//
//	go run ./docs/picture/dashboard -o docs/images/dashboard.svg test/snapshot/testdata/prod-*.template.json
//
// It draws the deployed body's widgets where CloudWatch puts them, and in each what it will show: the alarms
// by name, the metrics, and the limits of the alarms. It draws no value and no state, since it reads none.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/template"

	_ "embed"

	"github.com/millrace-cdk/millrace/docs/picture/command"
)

func main() { command.Main("dashboard", render) }

// alarm is what the picture says of one.
type alarm struct{ short, metric, limit string }

// widget is one of the dashboard's body.
type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title       string
		Alarms      []string
		Metrics     [][]any
		Annotations struct{ Alarms []string }
	}
}

// render returns the picture of the one dashboard in the files.
func render(files []string) ([]byte, error) {
	alarms, body := map[string]alarm{}, ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a template: %w", err)
		}
		var t struct {
			Resources map[string]struct {
				Type       string
				Properties map[string]any
			}
		}
		if err := json.Unmarshal(text, &t); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		for id, r := range t.Resources {
			switch r.Type {
			case "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm":
				name, _ := r.Properties["AlarmName"].(string)
				a := describe(name, r.Properties)
				alarms[name], alarms[id] = a, a
			case "AWS::CloudWatch::Dashboard":
				body = flat(r.Properties["DashboardBody"])
			}
		}
	}
	var dashboard struct{ Widgets []widget }
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		return nil, fmt.Errorf("reading the dashboard's body: %w", err)
	}
	return draw(dashboard.Widgets, alarms)
}

// flat is value as text, a reference as what it refers to.
func flat(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		var all strings.Builder
		for _, part := range v {
			all.WriteString(flat(part))
		}
		return all.String()
	case map[string]any:
		if join, ok := v["Fn::Join"].([]any); ok && len(join) == 2 {
			return flat(join[1])
		}
		if attribute, ok := v["Fn::GetAtt"].([]any); ok {
			return flat(attribute[0])
		}
		for _, of := range v {
			return flat(of)
		}
	}
	return ""
}

func describe(name string, properties map[string]any) alarm {
	a := alarm{short: name[strings.LastIndex(name, "-")+1:]}
	a.metric, _ = properties["MetricName"].(string)
	queries, _ := properties["Metrics"].([]any)
	for _, query := range queries {
		if label, ok := query.(map[string]any)["Label"].(string); ok {
			a.metric = label
		}
	}
	comparison, _ := properties["ComparisonOperator"].(string)
	sign := "above"
	if strings.HasPrefix(comparison, "Less") {
		sign = "below"
	}
	if threshold, ok := properties["Threshold"].(float64); ok {
		a.limit = "alarm " + sign + " " + strconv.FormatFloat(threshold, 'f', -1, 64)
	}
	return a
}

//go:embed dashboard.svg.tmpl
var layout string

// The picture's pixels: a column and a row of the grid.
const (
	column, row = 50, 45
	title, line = 22, 15
)

type box struct {
	X, Y, Width, Height int
	Title               string
	Lamps               []lamp
	Lines               []string
	Limit               bool
}

type lamp struct {
	X, Y int
	Name string
}

func draw(widgets []widget, alarms map[string]alarm) ([]byte, error) {
	named := func(arn string) (alarm, error) {
		a, ok := alarms[arn[strings.LastIndex(arn, ":")+1:]]
		if !ok {
			return a, fmt.Errorf("drawing the dashboard: no template has the alarm %s", arn)
		}
		return a, nil
	}
	var all struct {
		Width, Height int
		Boxes         []box
	}
	for _, w := range widgets {
		b := box{X: w.X * column, Y: w.Y * row, Width: w.Width*column - 6, Height: w.Height*row - 6, Title: w.Properties.Title}
		all.Width, all.Height = max(all.Width, b.X+b.Width+6), max(all.Height, b.Y+b.Height+6)
		across := max(1, b.Width/190)
		for i, arn := range w.Properties.Alarms {
			a, err := named(arn)
			if err != nil {
				return nil, err
			}
			b.Lamps = append(b.Lamps, lamp{b.X + 12 + i%across*190, b.Y + title + 16 + i/across*line, a.short})
		}
		for _, arn := range w.Properties.Annotations.Alarms {
			a, err := named(arn)
			if err != nil {
				return nil, err
			}
			b.Lines, b.Limit = append(b.Lines, a.metric, a.limit), true
		}
		for _, metric := range w.Properties.Metrics {
			if last, ok := metric[len(metric)-1].(map[string]any); ok && last["label"] != nil {
				b.Lines = append(b.Lines, fmt.Sprint(last["label"]))
			} else if len(metric) > 1 {
				b.Lines = append(b.Lines, fmt.Sprint(metric[1]))
			}
		}
		all.Boxes = append(all.Boxes, b)
	}
	t, err := template.New("dashboard").Funcs(template.FuncMap{
		"add": func(a, b int) int { return a + b },
		"mul": func(a, b int) int { return a * b },
	}).Parse(layout)
	if err != nil {
		return nil, fmt.Errorf("reading the picture's template: %w", err)
	}
	var svg bytes.Buffer
	if err := t.Execute(&svg, all); err != nil {
		return nil, fmt.Errorf("drawing the dashboard: %w", err)
	}
	return svg.Bytes(), nil
}
