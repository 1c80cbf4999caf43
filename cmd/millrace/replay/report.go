package replay

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// Report is what a replay did.
type Report struct {
	// Source is [Source.Name].
	Source string `json:"source"`
	// Stream is where the records were sent. Empty: to the loader.
	Stream string `json:"stream,omitempty"`
	// Loader is the function that stored the records. Empty: the stream took them.
	Loader string `json:"loader,omitempty"`
	// DryRun says that Sent would have been sent.
	DryRun bool `json:"dry_run"`
	// Read counts the source's records.
	Read int `json:"read"`
	// Sent counts the records that the stream took, or the loader stored.
	Sent int `json:"sent"`
	// Skipped counts what was left out on purpose, by reason.
	Skipped map[string]int `json:"skipped"`
	// Failed counts what should have been sent and could not be, by reason.
	Failed map[string]int `json:"failed"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
}

func newReport(c Config) Report {
	r := Report{Source: c.Source.Name(), DryRun: c.DryRun, Skipped: map[string]int{}, Failed: map[string]int{}}
	if c.Loader != nil {
		r.Loader = c.Loader.Function
	} else {
		r.Stream = c.Stream.Name
	}
	return r
}

func (r *Report) skip(reason string) { r.Skipped[reason]++ }

func (r *Report) fail(reason string, n int) { r.Failed[reason] += n }

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// Print writes the report as a table.
func (r Report) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	sent := "sent to " + cmp.Or(r.Stream, r.Loader)
	if r.DryRun {
		sent = "would be " + sent
	}
	row := func(n int, what string) { fmt.Fprintf(table, "%d\t  %s\n", n, what) }
	row(r.Read, "read from "+r.Source)
	row(r.Sent, sent)
	for _, part := range []struct {
		what   string
		counts map[string]int
	}{{"skipped", r.Skipped}, {"failed", r.Failed}} {
		row(total(part.counts), part.what)
		for _, reason := range slices.Sorted(maps.Keys(part.counts)) {
			row(part.counts[reason], "  "+reason)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}
