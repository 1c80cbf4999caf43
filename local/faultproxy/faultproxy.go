// Package faultproxy stands before the emulator and gives the answers that Kinesis gives under trouble:
// the emulator never throttles, and its FailedRecordCount is always 0. What no [Rule] is for goes
// through untouched, so that a client configured with the proxy's URL sees the whole emulator.
package faultproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// target is Kinesis's prefix of the header X-Amz-Target.
const target = "Kinesis_20131202."

// Rule says what becomes of the writes to Kinesis. At most one of Error, FailRecord and Hang is looked at,
// in this order.
type Rule struct {
	// Operation is the write that it is for: PutRecord or PutRecords.
	//
	// Default: both.
	Operation string
	// Error answers the whole request with an error of Kinesis, such as [Throttled]; nothing is written.
	Error string
	// Message is the error's.
	//
	// Default: one like the service's, with a stream, an account or a key in it.
	Message string
	// FailRecord is the error code of a PutRecords' record by its index, [Throttled] or [Internal], or "" for
	// one that is really written.
	FailRecord func(index int) string
	// Hang keeps the request waiting until its sender gives up or the rule is changed; nothing is written.
	Hang bool
}

// EveryRecord is a [Rule.FailRecord] that fails all of them with a code.
func EveryRecord(code string) func(int) string {
	return func(int) string { return code }
}

// Records is a [Rule.FailRecord] that fails those with these indexes.
func Records(code string, indexes ...int) func(int) string {
	failed := map[int]bool{}
	for _, index := range indexes {
		failed[index] = true
	}
	return func(index int) string {
		if failed[index] {
			return code
		}
		return ""
	}
}

// Proxy forwards to the emulator but for what its rule is for. It is safe for concurrent use.
type Proxy struct {
	endpoint string
	listener net.Listener
	server   *http.Server
	forward  *httputil.ReverseProxy
	client   *http.Client

	mu      sync.Mutex
	rule    Rule
	changed chan struct{} // closed when the rule is replaced
	met     int           // writes that the rule was for
}

// Start listens on a free port of this machine, before the emulator at endpoint, until ctx is done
// or [Proxy.Close] is called.
func Start(ctx context.Context, endpoint string) (*Proxy, error) {
	emulator, err := url.Parse(endpoint)
	if err != nil || emulator.Host == "" {
		return nil, fmt.Errorf("starting the fault proxy: the endpoint %q is no URL", endpoint)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the fault proxy: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100
	p := &Proxy{
		endpoint: endpoint, listener: listener, changed: make(chan struct{}),
		forward: &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(emulator) }},
		client:  &http.Client{Transport: transport},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // ends by Close
	context.AfterFunc(ctx, func() { _ = p.Close() })
	return p, nil
}

// URL is the proxy's, to be used as the endpoint of an AWS client or of a gateway.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Set puts a rule in the place of the last one.
func (p *Proxy) Set(rule Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule, p.met = rule, 0
	close(p.changed)
	p.changed = make(chan struct{})
}

// Clear lets everything through.
func (p *Proxy) Clear() { p.Set(Rule{}) }

// Met is how many writes the rule was for since it was set.
func (p *Proxy) Met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}

// Close ends the proxy and breaks the connections through it.
func (p *Proxy) Close() error {
	p.Clear()
	err := p.server.Close()
	p.client.CloseIdleConnections()
	return err
}

// matching is the rule if it is for the operation, and what tells when it is replaced.
func (p *Proxy) matching(operation string) (Rule, <-chan struct{}, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rule
	switch {
	case operation != "PutRecord" && operation != "PutRecords":
		return Rule{}, nil, false
	case r.Operation != "" && r.Operation != operation:
		return Rule{}, nil, false
	case r.Error == "" && !r.Hang && (r.FailRecord == nil || operation != "PutRecords"):
		return Rule{}, nil, false
	}
	p.met++
	return r, p.changed, true
}

// ServeHTTP forwards a request or answers it by the rule.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	rule, changed, ok := p.matching(operation)
	if !ok {
		p.forward.ServeHTTP(w, r)
		return
	}
	// Read first: the server notices that its client is gone only when the body has been read.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	switch {
	case rule.Error != "":
		answer(w, failure(rule.Error, rule.Message))
	case rule.FailRecord != nil && operation == "PutRecords":
		p.putSome(w, r, body, rule.FailRecord)
	default:
		select {
		case <-r.Context().Done():
		case <-changed:
		}
		panic(http.ErrAbortHandler) // no answer: the connection breaks
	}
}

// reply is an answer of Kinesis.
type reply struct {
	status int
	body   []byte
}

func answer(w http.ResponseWriter, r reply) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("Content-Length", strconv.Itoa(len(r.body)))
	w.WriteHeader(r.status)
	_, _ = io.Copy(w, bytes.NewReader(r.body)) // the client may have gone
}
