package cost

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/millrace-cdk/millrace/internal/prices"
)

// Report is an estimate.
type Report struct {
	Environment string `json:"environment"`
	Load
	PerSecond  float64 `json:"events_a_second"`
	USD        float64 `json:"usd_a_month"`
	PerMillion float64 `json:"usd_a_million_events"`
	// NotConfirmed is the part of USD of which nobody's text was found to confirm the price.
	NotConfirmed float64 `json:"usd_by_prices_not_confirmed"`
	Stages       []Stage `json:"stages"`
	Lines        []Cost  `json:"lines"`
	// Notes are what the load asks for and the environment does not have.
	Notes []string `json:"notes"`
}

// Stage is the sum of the lines of one.
type Stage struct {
	Stage      string  `json:"stage"`
	USD        float64 `json:"usd_a_month"`
	PerMillion float64 `json:"usd_a_million_events"`
}

func newReport(e *estimate) Report {
	r := Report{Load: e.Load, PerSecond: e.Events / seconds, Lines: e.costs, Notes: e.notes}
	for _, stage := range Stages() {
		var usd float64
		for _, c := range e.costs {
			if c.Stage == stage {
				usd += c.USD
				if c.Seen == prices.NotConfirmed {
					r.NotConfirmed += c.USD
				}
			}
		}
		if usd > 0 {
			r.Stages = append(r.Stages, Stage{stage, usd, usd / e.Events * 1e6})
			r.USD += usd
		}
	}
	r.PerMillion = r.USD / e.Events * 1e6
	return r
}

// Regions are those whose prices the lines have.
func (r Report) Regions() []string {
	var all []string
	for _, c := range r.Lines {
		if c.Region != "all" && c.Region != "" {
			all = append(all, c.Region)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Print writes the report for a reader.
func (r Report) Print(to io.Writer) error {
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(format string, arguments ...any) {
		fmt.Fprintf(out, format+"\n", arguments...) // what fails is said by Flush
	}
	line("%s: %s events a month (%s/s) of %s bytes, %s a request", r.Environment, count(r.Events), count(r.PerSecond), count(r.Bytes), count(r.Batch))
	stage := ""
	for _, c := range r.Lines {
		if c.Stage != stage {
			stage = c.Stage
			i := slices.IndexFunc(r.Stages, func(s Stage) bool { return s.Stage == stage })
			if i >= 0 {
				line("\t\t")
				line("%s\t%s\t", stage, USD(r.Stages[i].USD))
			}
		}
		mark := ""
		if c.Seen == prices.NotConfirmed {
			mark = " *"
		}
		line("  %s\t%s%s\t%s %s", c.What, USD(c.USD), mark, count(c.Quantity), c.Unit)
	}
	line("\t\t")
	line("a month\t%s\t", USD(r.USD))
	line("a million events\t%s\t", USD(r.PerMillion))
	line("")
	for _, note := range r.Notes {
		line("! %s", note)
	}
	line("List prices of %s (--prices puts yours in their place), without free tiers and taxes; what a month brings is kept for one month.", strings.Join(r.Regions(), ", "))
	if r.NotConfirmed > 0 {
		line("* %s of it rest on prices that nothing read confirms: docs/choosing.md.", USD(r.NotConfirmed))
	}
	return out.Flush()
}

// USD is an amount as one reads it: whole dollars from 100 on, else cents, and more digits below one.
func USD(amount float64) string {
	switch {
	case amount == 0:
		return "$0"
	case amount < 0.01:
		return "< $0.01"
	case amount < 100:
		return fmt.Sprintf("$%.2f", amount)
	}
	return "$" + count(amount)
}

// count is n with three digits, or whole and in groups of three.
func count(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.3g", n)
	}
	digits := fmt.Sprintf("%.0f", n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
