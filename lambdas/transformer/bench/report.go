package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

type report struct {
	function    function
	comparisons []comparison
}

// The part of the document that is ours.
const (
	beginMarker = "<!-- transformer: make bench -->"
	endMarker   = "<!-- /transformer -->"
)

func (r report) write(file string) error {
	text := beginMarker + "\n" + r.String() + endMarker
	if file == "" {
		fmt.Println(text)
		return nil
	}
	document, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(document), beginMarker)
	_, after, ended := strings.Cut(rest, endMarker)
	if !found || !ended {
		return fmt.Errorf("%s has no %s and %s", file, beginMarker, endMarker)
	}
	return os.WriteFile(file, []byte(before+text+after), 0o644)
}

func (r report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nRecords a second of CPU time on one core, the whole event of Firehose in and out: %s.\n\n| |", machine())
	for _, c := range r.comparisons {
		fmt.Fprintf(&b, " %s, %d records | x |", c.name, c.records)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|---:|", len(r.comparisons)) + "\n")
	for _, contender := range contenders() {
		fmt.Fprintf(&b, "| %s |", contender.name)
		for _, c := range r.comparisons {
			fmt.Fprintf(&b, " %s | %.2f |", thousands(c.rates[contender.name]), c.rates[ours]/c.rates[contender.name])
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n\"x\" is how many times as fast millrace is. A record has %s bytes.\n", r.sizes())
	fmt.Fprintf(&b, "\nAllocations: %s a record.\n", r.allocations())
	f := r.function
	fmt.Fprintf(&b, "The built function (%.1f MB) answers its first event %d ms after its process starts (median of %d), and has %.0f MiB resident at most while it answers %d events of %.1f MB, by a runtime API on this machine.\n",
		float64(f.binaryBytes)/1e6, f.coldStart.Milliseconds(), coldStarts, float64(f.peak)/(1<<20), largeEvents, float64(f.largest)/1e6)
	return b.String()
}

func (r report) sizes() string {
	var sizes []string
	for _, c := range r.comparisons {
		sizes = append(sizes, thousands(float64(c.size)))
	}
	return strings.Join(sizes, ", ")
}

func (r report) allocations() string {
	var allocations []string
	for _, c := range r.comparisons {
		allocations = append(allocations, strconv.FormatFloat(c.allocs, 'f', 3, 64))
	}
	return strings.Join(allocations, ", ")
}

// machine describes what the numbers are of.
func machine() string {
	model := "an unknown processor"
	if cpuinfo, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := regexp.MustCompile(`model name\s*: (.+)`).FindSubmatch(cpuinfo); found != nil {
			model = string(found[1])
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, Node %s, %s", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		strings.Replace(runtime.Version(), "go", "Go ", 1), version("node"), version("python3"))
}

func version(program string) string {
	output, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimPrefix(string(bytes.TrimSpace(output)), "v")
}

func thousands(f float64) string {
	digits := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
