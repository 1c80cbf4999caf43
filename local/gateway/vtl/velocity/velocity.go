// Package velocity renders mapping templates by Apache Velocity with Jayway's JsonPath, which
// are what AWS's reference speaks of, to hold package vtl against. Only tests use it: it needs
// a Java Development Kit, and a second to start.
//
// Which versions and settings API Gateway runs is not documented. These are the newest
// versions with their own defaults, or with those of Velocity 1 ([Engine.RenderAsVersion1]).
package velocity

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

//go:embed Render.java
var program []byte

// ErrNoJava is that there is no Java Development Kit (11 or later) to run Velocity by.
var ErrNoJava = errors.New("no Java Development Kit")

// Engine is one Java process. It is safe for concurrent use; renderings queue for it.
type Engine struct {
	cmd    *exec.Cmd
	wait   func() error // for the end, however often
	folder string       // of the program

	mu      sync.Mutex
	stdin   io.WriteCloser
	answers *bufio.Reader
	stderr  *strings.Builder
}

// New downloads Velocity unless it is there and starts Java. The context bounds only
// the start. It fails with [ErrNoJava] where there is none.
func New(ctx context.Context) (*Engine, error) {
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	jars, err := classPath(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "velocity-")
	if err != nil {
		return nil, err
	}
	source := filepath.Join(folder, "Render.java")
	e := &Engine{cmd: exec.Command(java, "-cp", jars, source), folder: folder, stderr: new(strings.Builder)}
	e.cmd.Stderr, e.wait = e.stderr, sync.OnceValue(e.cmd.Wait)
	if err := errors.Join(os.WriteFile(source, program, 0o600), e.start()); err != nil {
		return nil, errors.Join(fmt.Errorf("starting Velocity: %w", err), os.RemoveAll(folder))
	}
	return e, nil
}

// findJava finds a Java that compiles what it runs: a runtime alone does not.
func findJava(ctx context.Context) (string, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoJava, err)
	}
	// On macOS there is always a java, which may do no more than ask to install one.
	modules, err := exec.CommandContext(ctx, java, "--list-modules").Output()
	if err != nil {
		return "", fmt.Errorf("%w: running %s: %w", ErrNoJava, java, err)
	}
	if !strings.Contains(string(modules), "jdk.compiler") {
		return "", fmt.Errorf("%w: %s has no compiler", ErrNoJava, java)
	}
	return java, nil
}

func (e *Engine) start() error {
	var err error
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	e.answers = bufio.NewReader(stdout)
	return e.cmd.Start()
}

// Render renders one template by Velocity 2. It fails with a [*vtl.BodyError] or a
// [*vtl.TemplateError], or with an error that says how Java died.
func (e *Engine) Render(r vtl.Request) (vtl.Result, error) { return e.render(r, false) }

// RenderAsVersion1 renders as Velocity 1 does what the versions differ in: white space
// around directives, and an empty string and 0 in #if.
func (e *Engine) RenderAsVersion1(r vtl.Request) (vtl.Result, error) { return e.render(r, true) }

func (e *Engine) render(r vtl.Request, asVersion1 bool) (vtl.Result, error) {
	question, err := json.Marshal(struct {
		vtl.Request
		AsVersion1 bool
	}{withoutNils(r), asVersion1})
	if err != nil {
		return vtl.Result{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.stdin.Write(append(question, '\n')); err != nil {
		return vtl.Result{}, e.died(err)
	}
	line, err := e.answers.ReadBytes('\n')
	if err != nil {
		return vtl.Result{}, e.died(err)
	}
	var answer struct {
		vtl.Result
		Error string
		Body  bool // what was wrong is the body
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return vtl.Result{}, fmt.Errorf("reading Velocity's answer: %w", err)
	}
	switch {
	case answer.Body:
		return vtl.Result{}, &vtl.BodyError{Message: answer.Error}
	case answer.Error != "":
		return vtl.Result{}, &vtl.TemplateError{Name: r.Name, Message: answer.Error}
	}
	return answer.Result, nil
}

func withoutNils(r vtl.Request) vtl.Request {
	empty := map[string]string{}
	for _, m := range []*map[string]string{&r.Headers, &r.Query, &r.Path, &r.StageVariables} {
		if *m == nil {
			*m = empty
		}
	}
	if r.Context == nil {
		r.Context = map[string]any{}
	}
	if r.Body == nil {
		r.Body = []byte{}
	}
	return r
}

func (e *Engine) died(err error) error {
	_ = e.wait() // why is in stderr
	return fmt.Errorf("rendering by Velocity: %w: %s", err, strings.TrimSpace(e.stderr.String()))
}

// Close ends Java.
func (e *Engine) Close() error {
	_ = e.stdin.Close() // which ends Java, unless that has ended and closed it
	return errors.Join(e.wait(), os.RemoveAll(e.folder))
}
