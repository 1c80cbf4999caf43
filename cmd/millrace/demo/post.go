package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/millrace-cdk/millrace/internal/wait"
)

// attempts bounds how often one request is sent: the first time, and again while
// the API answers that it is throttled or that some events of a batch failed.
const attempts = 6

// client posts events to an environment's API.
type client struct {
	http     *http.Client
	url, key string
}

// post sends events, one by /events and several by /events/batch, until all are
// accepted or the attempts are used up. It returns the events that were accepted.
func (c *client) post(ctx context.Context, events []event) ([]event, error) {
	var accepted []event
	for attempt := range attempts {
		if attempt > 0 {
			if err := wait.For(ctx, 50*time.Millisecond<<attempt); err != nil {
				return accepted, err
			}
		}
		status, answer, err := c.send(ctx, events)
		if err != nil {
			return accepted, err
		}
		switch status {
		case http.StatusAccepted:
			return append(accepted, events...), nil
		case http.StatusMultiStatus:
			taken, failed, err := split(events, answer)
			if err != nil {
				return accepted, err
			}
			accepted, events = append(accepted, taken...), failed
		case http.StatusTooManyRequests:
		default:
			return accepted, fmt.Errorf("posting %d events: the API answered %d: %s", len(events), status, answer)
		}
	}
	return accepted, fmt.Errorf("posting: %d events were still refused after %d attempts", len(events), attempts)
}

func (c *client) send(ctx context.Context, events []event) (status int, answer []byte, err error) {
	path, body := "/events", events[0].body
	if len(events) > 1 {
		path, body = "/events/batch", batch(events)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("posting to %s: %w", path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Api-Key", c.key)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("posting to %s: %w", path, err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer of %s: %w", path, err)
	}
	return response.StatusCode, answer, nil
}

func batch(events []event) []byte {
	bodies := make([][]byte, len(events))
	for i, e := range events {
		bodies[i] = e.body
	}
	return append(append([]byte(`{"events":[`), bytes.Join(bodies, []byte(","))...), "]}"...)
}

// split tells the events that a partial answer took from those to send again.
func split(events []event, answer []byte) (taken, failed []event, err error) {
	var partial struct {
		Results []struct {
			Index  int `json:"index"`
			Status int `json:"status"`
		} `json:"results"`
	}
	if err := json.Unmarshal(answer, &partial); err != nil {
		return nil, nil, fmt.Errorf("parsing the answer to a batch: %w", err)
	}
	if len(partial.Results) != len(events) {
		return nil, nil, fmt.Errorf("parsing the answer to a batch: %d results for %d events", len(partial.Results), len(events))
	}
	for _, result := range partial.Results {
		if result.Index < 0 || result.Index >= len(events) {
			return nil, nil, fmt.Errorf("parsing the answer to a batch: index %d of %d events", result.Index, len(events))
		}
		if result.Status == http.StatusAccepted {
			taken = append(taken, events[result.Index])
		} else {
			failed = append(failed, events[result.Index])
		}
	}
	return taken, failed, nil
}
