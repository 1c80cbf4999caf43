// Package process starts children that die with their parent, and recognises
// a process that an earlier run started, so that nothing else is ever signalled.
package process

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a running child in a process group of its own.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd as the leader of a process group. Where the system can
// arrange it (Linux), the child gets the signal death when this process ends in
// any way; elsewhere a later run finds the child by its [Identity].
func Start(cmd *exec.Cmd, death syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr, death)
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = 5 * time.Second // a grandchild may keep an output pipe open
	}

	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux signals the child when the *thread* that forked it ends, so
		// that thread must live as long as the child (golang/go#27505). It is
		// never unlocked and ends with this goroutine.
		runtime.LockOSThread()
		err := keepCapabilities(cmd.SysProcAttr)
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Identity is what a later run recognises the child by. It is an error once the
// child has ended, and it changes when the child executes another program.
func (p *Process) Identity() (Identity, error) { return Of(p.cmd.Process.Pid) }

// Run starts cmd as [Start] does and waits until it has ended; when ctx ends
// first, it kills the child's whole group.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	p, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.killGroup(syscall.SIGKILL)
		<-p.done
		return context.Cause(ctx)
	}
}

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the child ended; it is to be called after [Process.Done] is closed.
func (p *Process) Err() error { return p.err }

// Stop sends the child signal and waits until it has ended; when ctx ends
// before that, it kills the child. What is left of the child's process group is
// killed in any case. A child that has ended already is no error.
func (p *Process) Stop(ctx context.Context, signal syscall.Signal) error {
	if !p.exited() {
		// Not yet waited for, so the id cannot belong to another process.
		if err := p.cmd.Process.Signal(signal); err != nil && !p.exited() {
			return fmt.Errorf("stopping %s (pid %d): %w", p.cmd.Path, p.cmd.Process.Pid, err)
		}
	}
	var err error
	select {
	case <-p.done:
	case <-ctx.Done():
		err = fmt.Errorf("stopping %s (pid %d): killed it: %w", p.cmd.Path, p.cmd.Process.Pid, context.Cause(ctx))
	}
	p.killGroup(syscall.SIGKILL)
	<-p.done
	return err
}

// killGroup signals the whole group. The group's id stays taken while any
// member lives, and a group without members is ESRCH: never someone else's.
func (p *Process) killGroup(signal syscall.Signal) {
	_ = syscall.Kill(-p.cmd.Process.Pid, signal)
}

func (p *Process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
