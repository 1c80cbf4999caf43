package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/wholefile"
)

// Fixture is what API Gateway made of the corpus on one day.
type Fixture struct {
	Date   string `json:"date"` // of the run, UTC
	Region string `json:"region"`
	// Templates are the request templates as deployed, by path: an answer belongs to the
	// template that it was made with.
	Templates map[string]string `json:"templates"`
	Answers   []Answer          `json:"answers"`
}

// Answer is what API Gateway made of one case.
type Answer struct {
	Name    string            `json:"name"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body"`

	// RequestID is $context.requestId of the invocation.
	RequestID string `json:"request_id"`
	Status    int32  `json:"status"`
	Answered  string `json:"answered"` // the body of the answer
	// Rendered is the body that went to Kinesis; nil where nothing went there.
	Rendered *string `json:"rendered"`
	// Truncated says that Rendered is only its beginning: API Gateway's log cuts what is long.
	Truncated bool `json:"truncated,omitempty"`
}

// write stores f as dir/DATE.json, whole or not at all.
func (f *Fixture) write(dir string) (path string, err error) {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encoding the fixtures: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("storing the fixtures: %w", err)
	}
	path = filepath.Join(dir, f.Date+".json")
	if err := wholefile.Write(path, append(text, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("storing the fixtures: %w", err)
	}
	return path, nil
}

// newest reads the fixtures of the last run in dir; nil without an error where there are none.
func newest(dir string) (*Fixture, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "????-??-??.json"))
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	text, err := os.ReadFile(slices.Max(paths))
	if err != nil {
		return nil, fmt.Errorf("reading fixtures: %w", err)
	}
	var f Fixture
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("reading %s: %w", slices.Max(paths), err)
	}
	return &f, nil
}

var (
	// entry begins each entry of the log that TestInvokeMethod returns:
	// "Thu Apr 13 22:21:20 UTC 2023 : Endpoint request body after transformations: {…".
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-test-method.html
	entry   = regexp.MustCompile(`(?m)^\w{3} \w{3} +\d{1,2} \d{2}:\d{2}:\d{2} \S+ \d{4} : `)
	started = regexp.MustCompile(`(?m) : Starting execution for request: (\S+)`)
)

const (
	renderedEntry = "Endpoint request body after transformations: "
	// truncatedMark ends an entry that API Gateway has cut. It is not documented.
	truncatedMark = "[TRUNCATED]"
)

// readLog takes from an invocation's log what is compared. The rest stays out of the
// fixtures: it has signatures and the account in it.
func readLog(log string) (requestID string, rendered *string, truncated bool) {
	if found := started.FindStringSubmatch(log); found != nil {
		requestID = found[1]
	}
	for _, text := range entry.Split(log, -1) {
		body, ok := strings.CutPrefix(text, renderedEntry)
		if !ok {
			continue
		}
		body = strings.TrimSuffix(body, "\n") // of the entry, not of the body
		var cut string
		if cut, truncated = strings.CutSuffix(strings.TrimRight(body, " \n"), truncatedMark); truncated {
			body = strings.TrimRight(cut, " ")
		}
		rendered = &body
	}
	return requestID, rendered, truncated
}
