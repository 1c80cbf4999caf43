package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// every is how long the producer waits between two requests.
const every = 100 * time.Millisecond

// nameless is how many events there are to one without event_id: that one is known by where it arrived alone.
const nameless = 5

// event is what the producer posts. Drill and N say which it is whatever identity it has.
type event struct {
	ID    string `json:"event_id,omitempty"`
	Type  string `json:"event_type"`
	At    string `json:"occurred_at"`
	Drill string `json:"drill"`
	N     int    `json:"n"`
	// Note is what the table takes or not.
	Note string `json:"note,omitempty"`
}

// producer is a client that posts steadily, and counts what was accepted. What was refused it
// keeps, and posts again before anything new.
type producer struct {
	drill, url string
	key        func() string
	note       func(n int) string // nil: none
	http       *http.Client

	mu       sync.Mutex
	accepted map[int]bool
	refused  int   // answers other than 202
	waiting  []int // refused, to be posted again
	next     int
	trouble  error // of the last request
}

func newProducer(drill, url string, key func() string) *producer {
	return &producer{drill: drill, url: url, key: key, http: &http.Client{Timeout: 30 * time.Second}, accepted: map[int]bool{}}
}

// run posts until ctx is done, and then what was refused.
func (p *producer) run(ctx context.Context) {
	for ctx.Err() == nil {
		p.post(ctx, p.take())
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// drain posts what was refused, until all of it is accepted.
func (p *producer) drain(ctx context.Context) error {
	for {
		p.mu.Lock()
		left, trouble := len(p.waiting), p.trouble
		p.mu.Unlock()
		if left == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("posting again what was refused: %d events are left: %w", left, trouble)
		}
		p.post(ctx, p.take())
	}
}

func (p *producer) take() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		n := p.waiting[0]
		p.waiting = p.waiting[1:]
		return n
	}
	p.next++
	return p.next
}

func (p *producer) post(ctx context.Context, n int) {
	status, err := p.send(context.WithoutCancel(ctx), n) // what has begun ends, or nobody knows whether it was accepted
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && status == http.StatusAccepted {
		p.accepted[n] = true
		return
	}
	if err == nil {
		err = fmt.Errorf("the API answered %d", status)
	}
	p.refused++
	p.trouble = err
	p.waiting = append(p.waiting, n)
}

func (p *producer) send(ctx context.Context, n int) (status int, err error) {
	e := event{Type: "drill", At: time.Now().UTC().Format(time.RFC3339Nano), Drill: p.drill, N: n}
	if n%nameless != 0 {
		e.ID = fmt.Sprintf("%s-%d", p.drill, n)
	}
	if p.note != nil {
		e.Note = p.note(n)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/events", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Api-Key", p.key())
	response, err := p.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("posting: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, fmt.Errorf("posting: %w", err)
	}
	return response.StatusCode, nil
}

// counts are how many events were accepted, and how many answers refused one.
func (p *producer) counts() (accepted, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.accepted), p.refused
}
