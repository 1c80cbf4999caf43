package cloud

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// progress tells a person what is being done: a line a step, and on a terminal
// the current step's line is kept up to date. It uses no colors.
type progress struct {
	out  io.Writer
	live bool
}

func newProgress(out io.Writer) progress {
	if out == nil {
		return progress{out: io.Discard}
	}
	file, ok := out.(*os.File)
	return progress{out: out, live: ok && term.IsTerminal(int(file.Fd()))}
}

// step shows name while do runs, and how long it took. do may say more by detail.
func (p progress) step(name string, do func(detail func(string)) error) error {
	start := time.Now()
	var detail atomic.Value
	detail.Store("")
	line := func(end string) {
		text := fmt.Sprintf("%-40s %5.1f s  %s", name, time.Since(start).Seconds(), detail.Load())
		_, _ = fmt.Fprint(p.out, strings.TrimRight(text, " ")+end)
	}
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for p.live {
			_, _ = fmt.Fprint(p.out, "\r\x1b[K")
			line("")
			select {
			case <-stop:
				_, _ = fmt.Fprint(p.out, "\r\x1b[K")
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	err := do(func(text string) { detail.Store(text) })
	close(stop)
	<-stopped
	if err == nil {
		line("\n")
	}
	return err
}
