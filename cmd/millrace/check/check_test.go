package check

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// environment is one that works, but for what a test changes.
type environment struct {
	answer  func(w http.ResponseWriter, r *http.Request, body string) bool // true if it answered
	lines   func(ids []string) (map[string][]byte, error)
	rows    int
	deleted []string
	err     error
	events  map[string]string // by id, as they were posted
}

func (e *environment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
	case e.answer != nil && e.answer(w, r, string(body)):
	case r.URL.Path == "/prod/health":
	case r.Header.Get("X-Api-Key") != "secret":
		w.WriteHeader(http.StatusForbidden)
	default:
		if r.URL.Path == "/prod/events" {
			id := strings.Split(string(body), `"`)[3]
			e.events[id] = string(body)
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (e *environment) Lines(_ context.Context, ids []string) (map[string][]byte, error) {
	if e.lines != nil {
		return e.lines(ids)
	}
	lines := map[string][]byte{}
	for _, id := range ids {
		lines[id] = []byte(strings.TrimSuffix(e.events[id], "}") + `,"_millrace":{"id":"` + id + `"}}`)
	}
	return lines, nil
}

func (e *environment) Count(context.Context, []string) (int, error) { return e.rows, e.err }

func (e *environment) Delete(_ context.Context, ids []string) (int, error) {
	e.deleted = ids
	return e.rows, e.err
}

func (e *environment) check(t *testing.T, change func(*Config)) (Report, error) {
	t.Helper()
	e.events = map[string]string{}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	c := Config{
		URL: server.URL + "/prod", Health: "/health", Lake: e, Table: e, Timeout: time.Millisecond, Interval: time.Millisecond,
		Authorize: func(r *http.Request, _ []byte) error { r.Header.Set("X-Api-Key", "secret"); return nil },
	}
	if change != nil {
		change(&c)
	}
	return Run(t.Context(), c)
}

func TestAnEnvironmentThatWorksPassesAndKeepsNoRow(t *testing.T) {
	e := &environment{rows: 3}
	report, err := e.check(t, nil)
	require.NoError(t, err)
	assert.NoError(t, report.Err())
	assert.Len(t, report.Steps, 6)
	assert.Equal(t, 3, report.Removed)
	assert.Len(t, e.deleted, 3)
	for id, body := range e.events {
		assert.Contains(t, id, Tenant+"-"+report.Run)
		assert.Contains(t, body, `"event_type":"millrace.check","tenant":"millrace-check"`)
	}
}

func TestEachThingThatDoesNotWorkIsNamed(t *testing.T) {
	at := func(path string, authorized bool, status int) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.URL.Path != path || (r.Header.Get("X-Api-Key") != "") != authorized {
				return false
			}
			w.WriteHeader(status)
			return true
		}
	}
	for name, test := range map[string]struct {
		broken environment
		want   string
	}{
		"the API is down":      {environment{rows: 3, answer: at("/prod/health", false, 503)}, "health: /health answered 503, want [200]: "},
		"anybody may post":     {environment{rows: 3, answer: at("/prod/events", false, 202)}, "who shows nothing is refused: /events answered 202, want [403 401]: "},
		"batches are refused":  {environment{rows: 3, answer: at("/prod/events/batch", true, 500)}, "a batch is accepted: /events/batch answered 500, want [202]: "},
		"the lake is late":     {environment{rows: 3, lines: func([]string) (map[string][]byte, error) { return nil, nil }}, "each is in the lake, the first as it was sent: after 1ms: 0 of 3 are there"},
		"the lake is closed":   {environment{rows: 3, lines: func([]string) (map[string][]byte, error) { return nil, errors.New("listing") }}, "each is in the lake, the first as it was sent: listing"},
		"the loader is late":   {environment{rows: 2}, "each is one row: after 1ms: there are 2 rows, want 3"},
		"an event is two rows": {environment{rows: 4}, "each is one row: after 1ms: there are 4 rows, want 3"},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := test.broken.check(t, nil)
			require.NoError(t, err)
			require.EqualError(t, report.Err(), test.want)
			assert.Len(t, test.broken.deleted, 3, "what came is removed all the same")
		})
	}
}

func TestAChangedEventIsShown(t *testing.T) {
	e := &environment{rows: 3}
	e.lines = func(ids []string) (map[string][]byte, error) {
		lines := map[string][]byte{}
		for _, id := range ids {
			lines[id] = []byte(`{"n":1.1}`)
		}
		return lines, nil
	}
	report, err := e.check(t, nil)
	require.NoError(t, err)
	assert.ErrorContains(t, report.Err(), `"n":1.10} became {"n":1.1}`)
}

func TestWithoutADatabaseTheReportSaysThatNobodyLooked(t *testing.T) {
	report, err := (&environment{}).check(t, func(c *Config) { c.Table = nil })
	require.NoError(t, err)
	assert.NoError(t, report.Err())
	assert.Equal(t, []string{"rows: nothing leads to the database; DATABASE_URL would"}, report.Skipped)
}

func TestRowsThatCannotBeRemovedAreAnError(t *testing.T) {
	_, err := (&environment{err: errors.New("gone")}).check(t, nil)
	assert.EqualError(t, err, "gone")
}

func TestAnInterruptedCheckDoesNotWaitOn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	e := &environment{rows: 3, events: map[string]string{}}
	e.lines = func([]string) (map[string][]byte, error) { stop(); return nil, nil }
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	report, err := Run(ctx, Config{
		URL: server.URL + "/prod", Health: "/health", Lake: e, Table: e, Timeout: time.Hour, Interval: time.Hour,
		Authorize: func(r *http.Request, _ []byte) error { r.Header.Set("X-Api-Key", "secret"); return nil },
	})
	require.NoError(t, err)
	assert.ErrorContains(t, report.Err(), "context canceled")
	assert.Len(t, e.deleted, 3)
}

func TestTheFoldersAreOfEveryHourOfTheCheck(t *testing.T) {
	from := time.Date(2026, 12, 31, 22, 59, 30, 0, time.UTC)
	assert.Equal(t, []string{
		"events/year=2026/month=12/day=31/hour=22/",
		"events/year=2026/month=12/day=31/hour=23/",
		"events/year=2027/month=01/day=01/hour=00/",
	}, hours(from.In(time.FixedZone("", 3600)), from.Add(61*time.Minute)))
}
