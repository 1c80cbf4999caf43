package vtl

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"
)

// DefaultTimeout bounds one rendering. The process is replaced when it is exceeded,
// since a template that never ends would stop all the others.
const DefaultTimeout = 10 * time.Second

// enginePath is the Node program, relative to the repository's root.
const enginePath = "local/gateway/vtl/engine.mjs"

// ErrClosed is returned by [Engine.Render] after [Engine.Close].
var ErrClosed = errors.New("the template engine is closed")

var errTooSlow = errors.New("no answer within the time allowed")

// Config says how to run the engine.
type Config struct {
	// Node is the Node.js program (20 or later).
	//
	// Default: "node" on the PATH.
	Node string
	// Root is the repository's root, where node_modules is.
	//
	// Default: [FindRoot] of the working directory.
	Root string
	// Timeout bounds one rendering.
	//
	// Default: [DefaultTimeout].
	Timeout time.Duration
}

// Request is one template and what it is applied to.
type Request struct {
	// Name stands in errors, e.g. "POST /events request application/json".
	Name string
	// Template is the mapping template's text.
	Template string
	// Body is the payload: $input. It must be valid UTF-8.
	Body []byte
	// Headers, Query and Path are $input.params().
	Headers, Query, Path map[string]string
	// Context is $context.
	Context map[string]any
	// StageVariables is $stageVariables.
	StageVariables map[string]string
}

// Result is what a template rendered and what it overrode.
type Result struct {
	// Text is the rendered template.
	Text string
	// Status is $context.responseOverride.status, 0 if the template did not set it.
	Status int
	// Headers is $context.responseOverride.header.
	Headers map[string]string
	// Request is $context.requestOverride.
	Request Overrides
}

// Overrides are the parameters that a request template set for the integration request.
type Overrides struct {
	Headers map[string]string `json:"headers"`
	Query   map[string]string `json:"query"`
	Path    map[string]string `json:"path"`
}

// TemplateError is a template that does not parse or could not be rendered.
type TemplateError struct {
	Name         string
	Line, Column int // 1 is the first; 0: not known
	Message      string
}

func (e *TemplateError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("template %q: %s", e.Name, e.Message)
	}
	return fmt.Sprintf("template %q, line %d, column %d: %s", e.Name, e.Line, e.Column, e.Message)
}

// BodyError is a body that the template could not read: not UTF-8, or not JSON where the template needs JSON.
type BodyError struct{ Message string }

func (e *BodyError) Error() string { return e.Message }

// Engine renders templates. It is safe for concurrent use; renderings queue for the one process.
type Engine struct {
	config Config
	engine string // absolute path of engine.mjs

	mu     sync.Mutex
	child  *child // nil: none is running
	closed bool
}

// New starts an engine. The context bounds only the start.
func New(ctx context.Context, config Config) (*Engine, error) {
	if config.Root == "" {
		root, err := FindRoot()
		if err != nil {
			return nil, err
		}
		config.Root = root
	}
	config.Timeout = cmp.Or(config.Timeout, DefaultTimeout)
	var err error
	if config.Node, err = exec.LookPath(cmp.Or(config.Node, "node")); err != nil {
		return nil, fmt.Errorf("finding Node.js (install version 20 or later): %w", err)
	}
	if config.Root, err = filepath.Abs(config.Root); err != nil {
		return nil, fmt.Errorf("finding the repository: %w", err)
	}
	if _, err := os.Stat(filepath.Join(config.Root, "node_modules", "velocityjs")); err != nil {
		return nil, fmt.Errorf("finding velocityjs (run `npm ci` in %s): %w", config.Root, err)
	}
	e := &Engine{config: config, engine: filepath.Join(config.Root, filepath.FromSlash(enginePath))}
	if _, err := e.running(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Render renders one template. It fails with a [*TemplateError], a [*BodyError], the context's error, or
// an error that says how the process died; the next Render starts a new one.
func (e *Engine) Render(ctx context.Context, r Request) (Result, error) {
	if !utf8.Valid(r.Body) {
		return Result{}, &BodyError{Message: "the body is not valid UTF-8"}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, e.config.Timeout, errTooSlow)
	defer cancel()

	c, err := e.running(ctx)
	if err != nil {
		return Result{}, err
	}
	answer, err := c.ask(ctx, question{
		Template: r.Template, Body: string(r.Body), Context: orEmpty(r.Context),
		Params:         params{Path: orEmpty(r.Path), Query: orEmpty(r.Query), Header: orEmpty(r.Headers)},
		StageVariables: orEmpty(r.StageVariables),
	})
	switch {
	case errors.Is(err, errTooSlow):
		return Result{}, fmt.Errorf("rendering template %q: %w: %s", r.Name, err, e.config.Timeout)
	case err != nil:
		return Result{}, fmt.Errorf("rendering template %q: %w", r.Name, err)
	case answer.Kind == "body":
		return Result{}, &BodyError{Message: answer.Error}
	case answer.Kind != "":
		return Result{}, &TemplateError{Name: r.Name, Line: answer.Line, Column: answer.Column, Message: answer.Error}
	}
	return Result{Text: answer.Text, Status: answer.Status, Headers: answer.Headers, Request: answer.Request}, nil
}

// Close ends the process; renderings under way fail.
func (e *Engine) Close() error {
	e.mu.Lock()
	c := e.child
	e.child, e.closed = nil, true
	e.mu.Unlock()
	if c != nil {
		c.kill(ErrClosed)
		<-c.done
	}
	return nil
}

// running is the live process, a new one if the last has died.
func (e *Engine) running(ctx context.Context) (*child, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if e.child != nil && !e.child.dead() {
		return e.child, nil
	}
	c, err := start(ctx, e.config.Node, e.engine)
	if err != nil {
		return nil, fmt.Errorf("starting the template engine: %w", err)
	}
	e.child = c
	return c, nil
}

// FindRoot is the repository's root: the folder with package.json and the engine, at or above the working directory.
func FindRoot() (string, error) {
	from, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for dir := from; ; dir = filepath.Dir(dir) {
		_, noPackage := os.Stat(filepath.Join(dir, "package.json"))
		_, noEngine := os.Stat(filepath.Join(dir, filepath.FromSlash(enginePath)))
		if noPackage == nil && noEngine == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("finding the repository: no folder at or above %s has package.json and %s", from, enginePath)
		}
	}
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// question and reply are the lines between us and the process.
type question struct {
	ID             uint64            `json:"id"`
	Template       string            `json:"template"`
	Body           string            `json:"body"`
	Params         params            `json:"params"`
	Context        map[string]any    `json:"context"`
	StageVariables map[string]string `json:"stageVariables"`
}

type params struct {
	Path   map[string]string `json:"path"`
	Query  map[string]string `json:"querystring"`
	Header map[string]string `json:"header"`
}

type reply struct {
	ID      uint64            `json:"id"`
	Ready   bool              `json:"ready"`
	Text    string            `json:"text"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Request Overrides         `json:"request"`
	Kind    string            `json:"kind"`
	Error   string            `json:"error"`
	Line    int               `json:"line"`
	Column  int               `json:"column"`
}

// line is q as one line of JSON. The encoder escapes U+2028 and line ends, so that a body cannot end the line.
func (q question) line() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(q); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
