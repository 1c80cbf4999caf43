package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/spec"
)

// function is the loader as Lambda runs it: one invocation at a time. It may be
// killed at any time, and is made anew by the next invocation.
type function struct {
	spec  spec.Loader
	child bool // a process of its own, else a part of this one

	mu     sync.Mutex
	loader *loader.Loader
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	cancel context.CancelFunc // of the invocation under way
}

var errKilled = errors.New("the function was killed")

func (f *function) invoke(payload []byte) ([]byte, error) {
	if f.child {
		return f.invokeChild(payload)
	}
	ctx, cancel := context.WithTimeout(context.Background(), invocationTimeout)
	defer cancel()
	f.mu.Lock()
	if f.loader == nil {
		l, err := newLoader(f.spec)
		if err != nil {
			f.mu.Unlock()
			return nil, err
		}
		f.loader = l
	}
	l := f.loader
	f.cancel = cancel
	f.mu.Unlock()
	answer, err := l.Invoke(ctx, payload)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loader == nil { // nobody hears what a function says that was killed
		return nil, errKilled
	}
	return answer, err
}

func (f *function) invokeChild(payload []byte) ([]byte, error) {
	in, out, err := f.start()
	if err != nil {
		return nil, err
	}
	if err := send(in, payload); err != nil {
		return nil, errors.Join(errKilled, err)
	}
	answer, err := receive(out)
	if err != nil {
		f.kill()
		return nil, errors.Join(errKilled, err)
	}
	return answer, nil
}

func (f *function) start() (in, out *os.File, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cmd != nil {
		return f.in, f.out, nil
	}
	text, err := spec.Encode(f.spec)
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	theirIn, ourIn, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	ourOut, theirOut, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+text)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, os.Stderr
	err = cmd.Start()
	err = errors.Join(err, theirIn.Close(), theirOut.Close())
	if err != nil {
		return nil, nil, err
	}
	f.cmd, f.in, f.out = cmd, ourIn, ourOut
	return ourIn, ourOut, nil
}

// kill ends the function: a process by SIGKILL, else whatever it waits for.
func (f *function) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		f.cancel()
	}
	f.loader = nil
	if f.cmd != nil {
		_ = f.cmd.Process.Kill()
		_ = f.cmd.Wait()
		_ = f.in.Close()
		_ = f.out.Close()
		f.cmd = nil
	}
}

// source polls one shard as an event source mapping does: in order, from the
// lowest failed record again, split in two when the function breaks, and kept whole
// when a batch has failed too often.
type source struct {
	function *function
	second   *function // for the same batch at the same time
	random   *rand.Rand
	maxBatch int
	attempts int // until a batch is given up

	invocations, redelivered, failures int
	kept                               []record // in the destination for failures
}

func (s *source) poll(records []record) error {
	for at := 0; at < len(records); {
		size := min(1+s.random.IntN(s.maxBatch), len(records)-at)
		batch := records[at : at+size]
		if err := s.disturb(records[:at], batch); err != nil {
			return err
		}
		if err := s.process(batch, 0); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// disturb sends what Lambda may send beside what it must.
func (s *source) disturb(before, batch []record) error {
	var extra []record
	switch s.random.IntN(20) {
	case 0: // an old batch, once more
		if len(before) == 0 {
			return nil
		}
		from := s.random.IntN(len(before))
		extra = before[from:min(from+1+s.random.IntN(s.maxBatch), len(before))]
	case 1: // the batch, in another order
		extra = slices.Clone(batch)
		s.random.Shuffle(len(extra), func(i, j int) { extra[i], extra[j] = extra[j], extra[i] })
	case 2: // the batch, to two functions at once
		s.redelivered += len(batch)
		done := make(chan error, 1)
		go func() {
			_, err := s.deliver(s.second, batch)
			done <- err
		}()
		_, err := s.deliver(s.function, batch)
		if other := <-done; isBug(other) {
			return other
		}
		if isBug(err) {
			return err
		}
		return nil
	default:
		return nil
	}
	s.redelivered += len(extra)
	if _, err := s.deliver(s.function, extra); isBug(err) {
		return err
	}
	return nil
}

func isBug(err error) bool { return err != nil && !errors.Is(err, errKilled) }

// process delivers a batch until it is at rest or given up.
func (s *source) process(batch []record, attempt int) error {
	for len(batch) > 0 {
		s.invocations++
		rest, err := s.deliver(s.function, batch)
		if isBug(err) {
			return err
		}
		if err == nil && len(rest) == 0 {
			return nil
		}
		s.failures++
		attempt++
		if attempt >= s.attempts {
			s.kept = append(s.kept, rest...)
			return nil
		}
		time.Sleep(min(time.Duration(attempt)*50*time.Millisecond, time.Second))
		if half := len(rest) / 2; half > 0 && s.random.IntN(2) == 0 { // bisect
			if err := s.process(rest[:half], attempt); err != nil {
				return err
			}
			rest = rest[half:]
		}
		batch = rest
	}
	return nil
}

// deliver invokes f with a batch and returns the records that are not at rest.
func (s *source) deliver(f *function, batch []record) (rest []record, err error) {
	var event events.KinesisEvent
	for _, r := range batch {
		event.Records = append(event.Records, r.lambda())
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return batch, err
	}
	answer, err := f.invoke(payload)
	if err != nil {
		return batch, err
	}
	var response events.KinesisEventResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		return batch, err
	}
	if len(response.BatchItemFailures) == 0 {
		return nil, nil
	}
	failed := response.BatchItemFailures[0].ItemIdentifier
	i := slices.IndexFunc(batch, func(r record) bool { return r.sequence == failed })
	if i < 0 {
		return batch, fmt.Errorf("the loader reported %s, which is not in the batch", failed)
	}
	return batch[i:], nil
}
