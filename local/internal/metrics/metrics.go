// Package metrics publishes what AWS's services tell CloudWatch of themselves and
// the emulator's do not, under AWS's names. CloudWatch itself takes no namespace
// that begins with AWS/ from anyone; the emulator does.
package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

const (
	// interval is how long a value may wait before it is published.
	interval = time.Second
	// most is how many metrics a call takes
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html).
	most = 1000
)

// API is the one call of CloudWatch that publishing takes.
type API interface {
	PutMetricData(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error)
}

// Dimension is a name and a value, such as FunctionName and the function's.
type Dimension struct{ Name, Value string }

// Publisher gathers values and publishes them every second, a statistic set a
// metric. A nil one takes values and forgets them.
type Publisher struct {
	api     API
	trouble *trouble.Log
	stop    context.CancelFunc
	ended   chan struct{}

	mu      sync.Mutex
	pending map[string]map[string]*types.MetricDatum // by namespace, and by name and dimensions
}

// Start begins to publish, until Close is called.
func Start(ctx context.Context, api API, log *slog.Logger) *Publisher {
	ctx, stop := context.WithCancel(ctx)
	p := &Publisher{api: api, trouble: trouble.New(log), stop: stop, ended: make(chan struct{}), pending: map[string]map[string]*types.MetricDatum{}}
	go func() {
		defer close(p.ended)
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(interval):
			}
			p.trouble.Report(p.publish(context.WithoutCancel(ctx)))
		}
	}()
	return p
}

// Close publishes what is left and ends.
func (p *Publisher) Close() {
	p.stop()
	<-p.ended
}

// Add takes a value of a metric.
func (p *Publisher) Add(namespace, name string, unit types.StandardUnit, value float64, dimensions ...Dimension) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending[namespace] == nil {
		p.pending[namespace] = map[string]*types.MetricDatum{}
	}
	key := fmt.Sprintln(name, dimensions)
	datum := p.pending[namespace][key]
	if datum == nil {
		datum = &types.MetricDatum{
			MetricName: &name, Unit: unit, Timestamp: aws.Time(time.Now()),
			StatisticValues: &types.StatisticSet{Minimum: &value, Maximum: &value, Sum: new(float64), SampleCount: new(float64)},
		}
		for _, d := range dimensions {
			datum.Dimensions = append(datum.Dimensions, types.Dimension{Name: &d.Name, Value: &d.Value})
		}
		p.pending[namespace][key] = datum
	}
	s := datum.StatisticValues
	s.Minimum, s.Maximum = aws.Float64(min(*s.Minimum, value)), aws.Float64(max(*s.Maximum, value))
	*s.Sum += value
	*s.SampleCount++
}

// publish publishes what is pending. What cannot be published is lost, as a metric may be.
func (p *Publisher) publish(ctx context.Context) error {
	p.mu.Lock()
	pending := p.pending
	p.pending = map[string]map[string]*types.MetricDatum{}
	p.mu.Unlock()
	for _, namespace := range slices.Sorted(maps.Keys(pending)) {
		var data []types.MetricDatum
		for _, key := range slices.SortedFunc(maps.Keys(pending[namespace]), strings.Compare) {
			data = append(data, *pending[namespace][key])
		}
		for some := range slices.Chunk(data, most) {
			if _, err := p.api.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: &namespace, MetricData: some}); err != nil {
				return fmt.Errorf("publishing metrics of %s: %w", namespace, err)
			}
		}
	}
	return nil
}
