package vtl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"sync"
)

// child is one Node process. Requests are told apart by id; it dies once and is then replaced.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when the process has ended

	writing sync.Mutex // held while a line is written

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan reply
	cause   error // why it died, set before done is closed
}

// start runs the engine and waits until it is ready.
func start(ctx context.Context, node, engine string) (*child, error) {
	c := &child{
		// The process ends when its stdin does, so it survives neither us nor our crash.
		cmd:     exec.Command(node, engine),
		done:    make(chan struct{}),
		waiting: map[uint64]chan reply{},
	}
	// engine.mjs finds node_modules from its own folder; the working directory only must exist.
	c.cmd.Dir = filepath.Dir(engine)
	stderr := &tail{}
	c.cmd.Stderr = stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}

	ready := make(chan struct{})
	go c.read(stdout, ready, stderr)
	select {
	case <-ready:
		return c, nil
	case <-c.done:
		return nil, c.cause
	case <-ctx.Done():
		c.kill(context.Cause(ctx))
		<-c.done
		return nil, c.cause
	}
}

// read hands the replies out until the process ends, then fails whoever still waits.
func (c *child) read(stdout io.Reader, ready chan struct{}, stderr *tail) {
	lines := bufio.NewReaderSize(stdout, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var r reply
		if err := json.Unmarshal(line, &r); err != nil {
			c.kill(fmt.Errorf("reading from the template engine: %w", err))
			break
		}
		if r.Ready {
			close(ready)
			continue
		}
		c.mu.Lock()
		answer := c.waiting[r.ID]
		delete(c.waiting, r.ID)
		c.mu.Unlock()
		if answer != nil { // nil: its caller has given up
			answer <- r
		}
	}
	_ = c.cmd.Wait() // how it ended is in ProcessState
	c.mu.Lock()
	if c.cause == nil {
		c.cause = fmt.Errorf("the template engine died (%s): %s", c.cmd.ProcessState, stderr)
	}
	c.mu.Unlock()
	close(c.done)
}

// ask sends q and waits for its reply.
func (c *child) ask(ctx context.Context, q question) (reply, error) {
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.lastID++
	q.ID = c.lastID
	c.waiting[q.ID] = answer
	c.mu.Unlock()

	line, err := q.line()
	if err != nil {
		c.forget(q.ID)
		return reply{}, err
	}
	// Writing may block behind another request, so it must not keep us from the context.
	go func() {
		c.writing.Lock()
		defer c.writing.Unlock()
		if _, err := c.stdin.Write(line); err != nil {
			c.kill(nil) // it has died or is about to: read knows why
		}
	}()
	select {
	case r := <-answer:
		return r, nil
	case <-c.done:
		return reply{}, c.cause
	case <-ctx.Done():
		c.forget(q.ID)
		cause := context.Cause(ctx)
		if errors.Is(cause, errTooSlow) {
			c.kill(cause) // busy with a template that may never end
		}
		return reply{}, cause
	}
}

func (c *child) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

func (c *child) dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return true
	}
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// kill ends the process for a reason, the first of which is kept.
func (c *child) kill(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	_ = c.cmd.Process.Kill() // fails only if it has ended already
}

// tail keeps the last of what the process wrote to stderr.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-2000):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.b) == 0 {
		return "it wrote nothing"
	}
	return string(bytes.TrimSpace(t.b))
}
