// Package gateway is the data plane of API Gateway's REST APIs on a laptop: the
// emulator keeps what was deployed, this package answers requests from it, at
// http://ADDR/{apiId}/{stage}/{path}.
//
// A request goes the way that AWS describes: method lookup, API key and throttling,
// request validation, integration request (mapping template, parameters), the call
// to the service, integration response, and a gateway response for whatever ends it
// earlier. Comments name the page of AWS's documentation that the code follows; where
// there is none, they say so. [Limits] says what is left out.
//
// Nothing is read from the source: resources, models and gateway responses
// are read through the emulator's API whenever a stage's deployment changes, and are
// kept as they were then; keys, usage plans and stage settings are read all the time,
// as they work without a deployment on AWS too.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
	"github.com/millrace-cdk/millrace/local/internal/metrics"
	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// DefaultListen is where a gateway listens: a free port of this machine.
const DefaultListen = "127.0.0.1:0"

// pollInterval is how long a deployment may go unnoticed. A request to a stage or
// with a key that is not known looks at once.
const pollInterval = 250 * time.Millisecond

// Config says what a gateway serves and where.
type Config struct {
	// AWS is the emulator: its endpoint (required), region and credentials.
	AWS aws.Config
	// Listen is the TCP address.
	//
	// Default: [DefaultListen].
	Listen string
	// Node is the Node.js program that renders templates.
	//
	// Default: "node" on the PATH.
	Node string
	// Root is the repository's root, where node_modules is.
	//
	// Default: found above the working directory.
	Root string
	// Metrics gets of each request what API Gateway tells CloudWatch: Count, 4XXError,
	// 5XXError and Latency, by the API's name and the stage.
	//
	// Default: none are published.
	Metrics *metrics.Publisher
	// Log receives warnings. Requests are not logged.
	//
	// Default: [slog.Default].
	Log *slog.Logger
}

// Gateway serves every deployed REST API until it is closed.
type Gateway struct {
	aws       aws.Config
	log       *slog.Logger
	metrics   *metrics.Publisher
	templates *vtl.Engine
	backend   *http.Client
	signer    *v4.Signer
	buckets   buckets

	deployed  atomic.Pointer[deployed]
	reader    reader
	refreshed refreshed

	listener net.Listener
	server   *http.Server
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// refreshed guards the reading of what is deployed, once at a time; at is when the last one began.
type refreshed struct {
	sync.Mutex
	at      time.Time
	trouble *trouble.Log
}

// Start listens and serves. The context bounds only the start.
func Start(ctx context.Context, config Config) (*Gateway, error) {
	if config.AWS.BaseEndpoint == nil {
		return nil, errors.New("starting the gateway: AWS.BaseEndpoint is required, the emulator's address: it is not meant for AWS itself")
	}
	engine, err := vtl.New(ctx, vtl.Config{Node: config.Node, Root: config.Root})
	if err != nil {
		return nil, fmt.Errorf("starting the gateway: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(config.Listen, DefaultListen))
	if err != nil {
		_ = engine.Close()
		return nil, fmt.Errorf("starting the gateway: %w", err)
	}
	log := cmp.Or(config.Log, slog.Default())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100 // the default of 2 would dial anew for most requests
	polling, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := &Gateway{
		aws: config.AWS, log: log, metrics: config.Metrics, templates: engine, listener: listener, stop: stop,
		backend:   &http.Client{Transport: transport},
		signer:    v4.NewSigner(),
		reader:    reader{client: apigateway.NewFromConfig(config.AWS), log: log},
		refreshed: refreshed{trouble: trouble.New(log)},
	}
	g.deployed.Store(&deployed{})
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	g.refresh(polling, time.Now())
	g.running.Go(func() { g.poll(polling) })
	g.running.Go(func() {
		if err := g.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving stopped", "error", err)
		}
	})
	return g, nil
}

// Addr is the host and port that the gateway listens on.
func (g *Gateway) Addr() string { return g.listener.Addr().String() }

// Close ends the gateway: requests under way have two seconds to finish.
func (g *Gateway) Close() error {
	g.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := g.server.Shutdown(ctx); err != nil { // too slow: they are cut
		_ = g.server.Close()
	}
	g.running.Wait()
	g.backend.CloseIdleConnections()
	return g.templates.Close()
}

// poll follows what is deployed until ctx is done.
func (g *Gateway) poll(ctx context.Context) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.refresh(ctx, time.Now())
		}
	}
}

// refresh reads what is deployed, unless a reading has begun since a time.
// When it cannot be read, what was read last is served.
func (g *Gateway) refresh(ctx context.Context, since time.Time) {
	g.refreshed.Lock()
	defer g.refreshed.Unlock()
	if g.refreshed.at.After(since) {
		return
	}
	g.refreshed.at = time.Now()
	now, err := g.reader.read(ctx, g.deployed.Load())
	if ctx.Err() != nil {
		return
	}
	g.refreshed.trouble.Report(err)
	if err == nil {
		g.deployed.Store(now)
	}
}
