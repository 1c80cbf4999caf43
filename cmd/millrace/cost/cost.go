package cost

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/millrace-cdk/millrace/internal/prices"
)

// Load is what comes in.
type Load struct {
	// Events are a month's.
	Events float64 `json:"events_a_month"`
	// Bytes are those of an event, as its client posts it.
	Bytes float64 `json:"bytes_an_event"`
	// Batch is how many events a request has.
	Batch float64 `json:"events_a_request"`
}

// PerSecond is a load of as many events in every second of a month.
func PerSecond(events, bytes, batch float64) Load {
	return Load{Events: events * seconds, Bytes: bytes, Batch: batch}
}

// Validate returns every problem. Limits: 500 events a batch, of 5 MiB or the stream's, are
// PutRecords's; an event has 10 MiB at most.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
func (l Load) Validate() error {
	var errs []error
	if !(l.Events > 0) || math.IsInf(l.Events, 0) {
		errs = append(errs, fmt.Errorf("events must be more than 0, got %g", l.Events))
	}
	if l.Bytes < 1 || l.Bytes > 10*mib {
		errs = append(errs, fmt.Errorf("bytes must be 1 to %d, got %.0f", 10*mib, l.Bytes))
	}
	if l.Batch < 1 || l.Batch > 500 {
		errs = append(errs, fmt.Errorf("a batch must have 1 to 500 events, got %g", l.Batch))
	}
	return errors.Join(errs...)
}

// Cost is one line of the estimate.
type Cost struct {
	Stage    string  `json:"stage"`
	What     string  `json:"what"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Price    string  `json:"price"`
	Region   string  `json:"region"`
	Seen     string  `json:"price_seen"`
	USD      float64 `json:"usd"`
}

// Stages are what lines are of, in the data's order.
func Stages() []string {
	return []string{"ingest", "stream", "delivery", "lake", "loader", "analytics", "database", "recovery", "operation"}
}

// estimate gathers lines.
type estimate struct {
	Load
	line   Line
	prices prices.Table
	costs  []Cost
	notes  []string
	errs   []error
	// What functions and objects were counted, for those who pay by them too.
	calls, objects, keyedObjects float64
}

func (e *estimate) add(stage, what, price string, quantity float64) {
	p, err := e.prices.Of(price)
	if err != nil {
		e.errs = append(e.errs, err)
		return
	}
	if quantity > 0 {
		e.costs = append(e.costs, Cost{stage, what, quantity, p.Unit, price, p.Region, p.Seen, p.USD(quantity)})
	}
}

func (e *estimate) note(format string, arguments ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, arguments...))
}

// Estimate is what a month of the load costs the line. What a month brings is kept for one month, so that
// every further month that it is kept costs its storage once more.
func Estimate(line Line, load Load, table prices.Table) (Report, error) {
	if err := load.Validate(); err != nil {
		return Report{}, err
	}
	e := &estimate{Load: load, line: line, prices: table}
	e.ingest()
	n := e.stream()
	for _, d := range line.Deliveries {
		e.delivery(d)
	}
	for _, l := range line.Loaders {
		e.loader(l, n)
	}
	e.add("analytics", "Flink applications", "flink.hour", line.KPUs*hours)
	e.add("analytics", "their running storage", "flink.storage", line.KPUs*flinkGiB)
	used := e.database()
	e.backups(used)
	e.operation(n)
	slices.SortStableFunc(e.costs, func(a, b Cost) int { return slices.Index(Stages(), a.Stage) - slices.Index(Stages(), b.Stage) })
	return newReport(e), errors.Join(e.errs...)
}
