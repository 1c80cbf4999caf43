package verify

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Hour is what arrived in one hour, UTC.
type Hour struct {
	// Hour is its beginning.
	Hour time.Time `json:"hour"`
	// Lake counts the events in the lake, each once however many lines it has.
	Lake int `json:"lake"`
	// Rows counts the rows.
	Rows int `json:"rows"`
	// Quarantined counts the events that have no row since the database refused them, and keeps them in quarantine.
	Quarantined int `json:"quarantined"`
	// Difference is how many events are on one side alone.
	Difference int `json:"difference"`
	// NotInDatabase are the identities of the events that the lake alone has.
	NotInDatabase []string `json:"not_in_database"`
	// NotInLake are the identities of the rows whose event the lake does not have.
	NotInLake []string `json:"not_in_lake"`
}

// Report is the result of a comparison.
type Report struct {
	// Since and Before are its bounds.
	Since  time.Time `json:"since,omitzero"`
	Before time.Time `json:"before,omitzero"`
	// Lines counts the lake's lines: more than events, where some were sent again.
	Lines int `json:"lines"`
	// Lake, Rows, Quarantined and Difference are the sums of the hours'.
	Lake        int `json:"lake"`
	Rows        int `json:"rows"`
	Quarantined int `json:"quarantined"`
	Difference  int `json:"difference"`
	// NotInDatabase and NotInLake count the events of either side alone.
	NotInDatabase int `json:"not_in_database"`
	NotInLake     int `json:"not_in_lake"`
	// Broken counts what could not be compared, by reason.
	Broken map[string]int `json:"broken,omitempty"`
	// Hours are those in which something arrived, in their order.
	Hours []*Hour `json:"hours"`
}

func (r *Report) broken(reason string) {
	if r.Broken == nil {
		r.Broken = map[string]int{}
	}
	r.Broken[reason]++
}

func (r *Report) sum(hours []*Hour) {
	r.Hours = hours
	for _, h := range hours {
		slices.Sort(h.NotInDatabase)
		slices.Sort(h.NotInLake)
		h.Difference = len(h.NotInDatabase) + len(h.NotInLake)
		r.Lake += h.Lake
		r.Rows += h.Rows
		r.Quarantined += h.Quarantined
		r.Difference += h.Difference
		r.NotInDatabase += len(h.NotInDatabase)
		r.NotInLake += len(h.NotInLake)
	}
}

func (r *Report) err() error {
	if r.Difference > 0 || len(r.Broken) > 0 {
		return fmt.Errorf("%w: %d events are not in the database, %d not in the lake, %d lines could not be read",
			ErrDifferent, r.NotInDatabase, r.NotInLake, r.unread())
	}
	return nil
}

func (r *Report) unread() int {
	sum := 0
	for _, n := range r.Broken {
		sum += n
	}
	return sum
}

// shown is how many identities of an hour and a side are printed.
const shown = 10

// Print writes the report as a table by hour, and what is missing below it.
func (r Report) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "arrived in (UTC)\tlake\trows\tin quarantine\tdifference\t")
	for _, h := range r.Hours {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", h.Hour.Format("2006-01-02 15h"), h.Lake, h.Rows, h.Quarantined, h.Difference)
	}
	fmt.Fprintf(table, "all\t%d\t%d\t%d\t%d\t\n", r.Lake, r.Rows, r.Quarantined, r.Difference)
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	for _, h := range r.Hours {
		list(w, h.Hour, "not in the database", h.NotInDatabase)
		list(w, h.Hour, "not in the lake", h.NotInLake)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Broken)) {
		fmt.Fprintf(w, "%d  %s\n", r.Broken[reason], reason)
	}
	return nil
}

func list(w io.Writer, hour time.Time, side string, ids []string) {
	for _, id := range ids[:min(shown, len(ids))] {
		fmt.Fprintf(w, "%s  %s: %s\n", hour.Format("2006-01-02 15h"), side, id)
	}
	if more := len(ids) - shown; more > 0 {
		fmt.Fprintf(w, "%s  %s: %d more (--json lists all)\n", hour.Format("2006-01-02 15h"), side, more)
	}
}
