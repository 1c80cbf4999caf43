package drill

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// Print writes results as a table.
func Print(w io.Writer, results []Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "drill\talarm\tdetected after\trecovered after\taccepted\tlost\tduplicated")
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%s\t%.0f s\t%d\t%d\t%d\n", r.Drill, strings.Join(r.detected(), "\t"), r.Recovered, r.Accepted, r.Lost, r.Duplicated)
	}
	return table.Flush()
}

// detected are the first alarm and when it fired.
func (r *Result) detected() []string {
	if len(r.Alarms) == 0 {
		return []string{"none", "never"}
	}
	first := r.Alarms[0]
	return []string{first.Alarm, fmt.Sprintf("%.0f s (%.0f min on AWS)", first.After, first.AWSMinutes)}
}

// The marks of the table in a document.
const begin, end = "<!-- drills -->\n", "<!-- /drills -->"

// Write writes results into a document, between its marks.
func Write(path string, results []Result, scale float64) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, found := bytes.Cut(text, []byte(begin))
	_, tail, ended := bytes.Cut(rest, []byte(end))
	if !found || !ended {
		return fmt.Errorf("%s has no marks %s and %s", path, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, []byte(string(head)+begin+Markdown(results, scale)+end+string(tail)), 0o644)
}

// Markdown is the table as the document has it.
func Markdown(results []Result, scale float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| Broken | Alarm | Detected after | on AWS | Recovered after | Accepted | Lost | Duplicated |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		alarm, here, aws := "none", "never", "never"
		if len(r.Alarms) > 0 {
			first := r.Alarms[0]
			alarm, here, aws = "`"+first.Alarm+"`", fmt.Sprintf("%.0f s", first.After), fmt.Sprintf("%.0f min", first.AWSMinutes)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.0f s | %d | %d | %d |\n", r.What, alarm, here, aws, r.Recovered, r.Accepted, r.Lost, r.Duplicated)
	}
	fmt.Fprintf(&b, "\nOne second here is %g of AWS's: the periods of the alarms, and the ages that they watch, are scaled so, as the buffers of the deliveries are.\n", scale)
	return b.String()
}
