// Command bench measures the transformer beside its peers in one run, on one
// core, and writes the table into a document. Its numbers are those of the
// machine it ran on.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

func main() {
	log.SetFlags(0)
	output := flag.String("o", "", "the `file` whose part between the transformer's markers is rewritten; else standard output")
	length := flag.Duration("length", time.Second, "how long each contender runs in a round")
	rounds := flag.Int("rounds", 5, "how often each runs; the median counts")
	flag.Parse()
	if err := run(*output, *length, *rounds); err != nil {
		log.Fatal(err)
	}
}

func run(output string, length time.Duration, rounds int) error {
	scratch, err := os.MkdirTemp("", "millrace-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	var r report
	if r.function, err = measureFunction(scratch); err != nil {
		return err
	}
	// One core, as a function of 1,769 MB has
	// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
	runtime.GOMAXPROCS(1)
	for _, size := range []struct {
		name          string
		records, size int
	}{{"1 KB", 3000, 1024}, {"10 KB", 300, 10 * 1024}, {"100 KB", 30, 100 * 1024}} {
		w, err := newWorkload(size.name, size.records, size.size)
		if err != nil {
			return err
		}
		c, err := compare(w, scratch, length, rounds)
		if err != nil {
			return err
		}
		r.comparisons = append(r.comparisons, c)
	}
	return r.write(output)
}

// comparison is every contender's records a second of CPU time for one workload.
type comparison struct {
	workload
	rates  map[string]float64
	allocs float64 // ours, a record
}

func compare(w workload, scratch string, length time.Duration, rounds int) (comparison, error) {
	file := filepath.Join(scratch, "event.json")
	if err := os.WriteFile(file, w.event, 0o600); err != nil {
		return comparison{}, err
	}
	all := make(map[string][]float64)
	for range rounds { // in turn, so that what else the machine does meets all alike
		for _, c := range contenders() {
			m, err := c.run(w, file, length)
			if err != nil {
				return comparison{}, fmt.Errorf("%s: %w", c.name, err)
			}
			if m.OK != w.records {
				return comparison{}, fmt.Errorf("%s transformed %d of %d records", c.name, m.OK, w.records)
			}
			all[c.name] = append(all[c.name], float64(m.Records)/m.CPUSeconds)
			runtime.GC() // its garbage is its own
		}
	}
	c := comparison{workload: w, rates: make(map[string]float64), allocs: allocations(w)}
	for name, rates := range all {
		slices.Sort(rates)
		c.rates[name] = rates[len(rates)/2]
	}
	return c, nil
}
