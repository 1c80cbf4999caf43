// Package status looks at every stage of a deployed line, and changes nothing.
package status

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// State is what is known of a thing.
type State string

// The states. What nobody has measured is unknown, and never ok.
const (
	OK      State = "ok"
	Red     State = "red"
	Unknown State = "unknown"
)

// Check is one thing that was looked at.
type Check struct {
	Stage string `json:"stage"`
	Name  string `json:"name"`
	State State  `json:"state"`
	// Value is what was found, with its unit and its limit.
	Value string `json:"value"`
	// Runbook is the section for it. Empty: the alarms' own.
	Runbook string `json:"runbook,omitempty"`
}

// Report is the whole line.
type Report struct {
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	Checks      []Check   `json:"checks"`
}

// Count is how many checks are in a state.
func (r Report) Count(state State) int {
	count := 0
	for _, c := range r.Checks {
		if c.State == state {
			count++
		}
	}
	return count
}

// Print writes the report as a table; with color, as for a terminal.
func (r Report) Print(w io.Writer, color bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	stage := ""
	for _, c := range r.Checks {
		shown := ""
		if c.Stage != stage {
			stage, shown = c.Stage, c.Stage
		}
		value := c.Value
		if c.State == Red && c.Runbook != "" {
			value += "  -> millrace diagnose " + c.Runbook
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", shown, paint(c.State, color), c.Name, value)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "status: env=%s at=%s ok=%d red=%d unknown=%d\n", r.Environment, r.At.UTC().Format(time.RFC3339), r.Count(OK), r.Count(Red), r.Count(Unknown))
	return err
}

// paint colours all states to the same number of bytes more, which keeps the columns straight.
func paint(s State, color bool) string {
	if !color {
		return string(s)
	}
	code := map[State]string{OK: "32", Red: "31", Unknown: "33"}[s]
	return "\x1b[" + code + "m" + string(s) + "\x1b[0m"
}
