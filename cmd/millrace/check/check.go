// Package check says whether a deployed environment works, from the outside: it
// posts a few events of a tenant of its own, and looks for them where events
// come to rest. It runs after every deploy, in production too.
package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// What every event of a check is, so that queries can leave them out.
const (
	Tenant    = "millrace-check"
	EventType = "millrace.check"
)

// Lake finds events at rest.
type Lake interface {
	// Lines returns the lines of the events with the ids, as far as they have come.
	Lines(ctx context.Context, ids []string) (map[string][]byte, error)
}

// Table finds and removes rows.
type Table interface {
	// Count returns how many rows the events with the ids have.
	Count(ctx context.Context, ids []string) (int, error)
	// Delete removes them and says how many there were.
	Delete(ctx context.Context, ids []string) (int, error)
}

// Config is what is checked, and how patiently.
type Config struct {
	// URL is the API's stage, without a slash at its end. Health is the path of its health check.
	URL, Health string
	// Authorize gives a request what the API asks for.
	Authorize func(request *http.Request, body []byte) error
	Lake      Lake
	// Table is nil where nothing leads to the database, as on AWS.
	Table Table
	// Timeout bounds the wait for events to come to rest, Interval is between two looks.
	Timeout, Interval time.Duration
}

// Step is one thing that was looked at.
type Step struct {
	Name string `json:"name"`
	// Problem is what is wrong, or "".
	Problem string `json:"problem,omitempty"`
}

// Report is what came of a check.
type Report struct {
	// Run is in the ids of the check's events.
	Run   string `json:"run"`
	Steps []Step `json:"steps"`
	// Removed is how many rows were removed. The lake is written once: its lines stay.
	Removed int `json:"removed"`
	// Skipped is what could not be looked at, and why.
	Skipped []string `json:"skipped,omitempty"`
}

// Err is nil if nothing is wrong.
func (r Report) Err() error {
	var errs []error
	for _, step := range r.Steps {
		if step.Problem != "" {
			errs = append(errs, fmt.Errorf("%s: %s", step.Name, step.Problem))
		}
	}
	return errors.Join(errs...)
}

// Run checks, and removes what it stored whatever came of it. Its error is that of removing; what is wrong
// with the environment is the report's.
func Run(ctx context.Context, c Config) (Report, error) {
	r := &run{Config: c, Report: Report{Run: uuid.NewString()}}
	r.try("health", func() error { return r.health(ctx) })
	r.try("who shows nothing is refused", func() error { return r.refused(ctx) })
	posted := r.try("one event is accepted, and accepted again", func() error { return r.post(ctx, "/events", r.event(1), 2) })
	posted = r.try("a batch is accepted", func() error { return r.post(ctx, "/events/batch", r.batch(2, 3), 1) }) && posted
	if posted {
		r.try("each is in the lake, the first as it was sent", func() error { return r.inLake(ctx) })
	}
	if c.Table == nil {
		r.Skipped = append(r.Skipped, "rows: nothing leads to the database; DATABASE_URL would")
		return r.Report, nil
	}
	if posted {
		r.try("each is one row", func() error { return r.inTable(ctx) })
	}
	// What was accepted and is late must not come after its removal, so only what came is promised.
	removed, err := c.Table.Delete(context.WithoutCancel(ctx), r.ids())
	r.Removed = removed
	return r.Report, err
}

type run struct {
	Config
	Report
}

func (r *run) try(name string, look func() error) bool {
	step := Step{Name: name}
	if err := look(); err != nil {
		step.Problem = err.Error()
	}
	r.Steps = append(r.Steps, step)
	return step.Problem == ""
}

func (r *run) id(n int) string { return fmt.Sprintf("%s-%s-%d", Tenant, r.Run, n) }

func (r *run) ids() []string { return []string{r.id(1), r.id(2), r.id(3)} }

func (r *run) event(n int) []byte {
	return fmt.Appendf(nil, `{"event_id":%q,"event_type":%q,"tenant":%q,"n":%d.10}`, r.id(n), EventType, Tenant, n)
}

func (r *run) batch(first, second int) []byte {
	return fmt.Appendf(nil, `{"events":[%s,%s]}`, r.event(first), r.event(second))
}

func (r *run) health(ctx context.Context) error {
	return r.exchange(ctx, http.MethodGet, r.Health, nil, false, http.StatusOK)
}

func (r *run) refused(ctx context.Context) error {
	return r.exchange(ctx, http.MethodPost, "/events", r.event(1), false, http.StatusForbidden, http.StatusUnauthorized)
}

func (r *run) post(ctx context.Context, path string, body []byte, times int) error {
	for range times {
		if err := r.exchange(ctx, http.MethodPost, path, body, true, http.StatusAccepted); err != nil {
			return err
		}
	}
	return nil
}

// exchange sends a request and wants one of the answers.
func (r *run) exchange(ctx context.Context, method, path string, body []byte, authorized bool, want ...int) error {
	request, err := http.NewRequestWithContext(ctx, method, r.URL+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request to %s: %w", path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if authorized {
		if err := r.Authorize(request, body); err != nil {
			return fmt.Errorf("authorizing a request to %s: %w", path, err)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking %s: %w", path, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", path, err)
	}
	for _, status := range want {
		if response.StatusCode == status {
			return nil
		}
	}
	return fmt.Errorf("%s answered %d, want %d: %s", path, response.StatusCode, want, strings.TrimSpace(string(answer)))
}

func (r *run) inLake(ctx context.Context) error {
	var lines map[string][]byte
	err := r.wait(ctx, func() (string, error) {
		var err error
		lines, err = r.Lake.Lines(ctx, r.ids())
		return fmt.Sprintf("%d of %d are there", len(lines), len(r.ids())), err
	}, func() bool { return len(lines) == len(r.ids()) })
	if err != nil {
		return err
	}
	sent := r.event(1)
	if line := lines[r.id(1)]; !bytes.HasPrefix(line, append(sent[:len(sent)-1:len(sent)-1], `,"_millrace":{`...)) {
		return fmt.Errorf("%s became %s", sent, line)
	}
	return nil
}

func (r *run) inTable(ctx context.Context) error {
	count := 0
	return r.wait(ctx, func() (string, error) {
		var err error
		count, err = r.Table.Count(ctx, r.ids())
		return fmt.Sprintf("there are %d rows, want %d", count, len(r.ids())), err
	}, func() bool { return count == len(r.ids()) })
}

// wait looks until it is done, fails, or is out of patience, and then says what was seen last.
func (r *run) wait(ctx context.Context, look func() (string, error), done func() bool) error {
	deadline := time.Now().Add(r.Timeout)
	for {
		seen, err := look()
		switch {
		case err != nil:
			return err
		case done():
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("after %s: %s", r.Timeout, seen)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.Interval):
		}
	}
}
