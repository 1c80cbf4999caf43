package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
)

// function is what the built function was measured to be, behind a local runtime API.
type function struct {
	coldStart   time.Duration // from its start to its first response; the median of coldStarts
	peak        int           // resident memory at its highest, in bytes
	largest     int           // of the event, in bytes
	binaryBytes int64
}

const (
	coldStarts  = 11
	largeEvents = 20 // that one process answers while its memory is watched
)

func measureFunction(scratch string) (f function, err error) {
	binary := filepath.Join(scratch, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", binary, "./lambdas/transformer/cmd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return f, fmt.Errorf("building the function: %w\n%s", err, output)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return f, err
	}
	f.binaryBytes = info.Size()

	small, err := newWorkload("one", 1, 1024)
	if err != nil {
		return f, err
	}
	var starts []time.Duration
	for range coldStarts {
		took, _, err := serve(binary, small.event, 1)
		if err != nil {
			return f, err
		}
		starts = append(starts, took)
	}
	slices.Sort(starts)
	f.coldStart = starts[len(starts)/2]

	large, err := newWorkload("large", 3490, 1024)
	if err != nil {
		return f, err
	}
	f.largest = len(large.event)
	_, f.peak, err = serve(binary, large.event, largeEvents)
	return f, err
}

// serve runs the function until it has answered the event so many times, and
// returns how long the first answer took and how much memory it had at most.
func serve(binary string, event []byte, times int) (first time.Duration, peak int, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	answers := make(chan error)
	handed := 0
	mux := http.NewServeMux() // the runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		if handed++; handed > times {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(handed))
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
		_, _ = w.Write(event) // a failure shows as no answer
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{kind}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && (r.PathValue("kind") != "response" || bytes.Contains(body, []byte("ProcessingFailed"))) {
			err = fmt.Errorf("the function answered %s with %.200s", r.PathValue("kind"), body)
		}
		w.WriteHeader(http.StatusAccepted)
		answers <- err
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }() // ends with Close
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary)
	command.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String()}
	begin := time.Now()
	if err := command.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = command.Process.Kill() // it would wait for events for ever
		_ = command.Wait()         // "signal: killed"
	}()
	for n := range times {
		select {
		case err := <-answers:
			if err != nil {
				return 0, 0, err
			}
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("waiting for the function's answer: %w", ctx.Err())
		}
		if n == 0 {
			first = time.Since(begin)
		}
	}
	peak, err = peakMemory(command.Process.Pid)
	return first, peak, err
}

// peakMemory is the most that a process has had resident, in bytes.
func peakMemory(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("the status of process %d has no VmHWM", pid)
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	return kilobytes * 1024, err
}

// allocations is how many our handler makes for a record.
func allocations(w workload) float64 {
	h := &transformer.Handler{Transform: transformer.ToLine}
	return testing.AllocsPerRun(10, func() {
		if _, err := h.Invoke(context.Background(), w.event); err != nil {
			panic(err) // it was measured before
		}
	}) / float64(w.records)
}
