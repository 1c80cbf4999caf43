// Package eventsource runs the deployed event source mappings on Kinesis
// streams as AWS Lambda documents them. The emulator's own poller ignores
// almost all of their settings: it takes a reported failure for a success and
// tries a failed batch for ever. Our launcher of it (local/cloud/ministack.py)
// stops that poller, and keeps of a mapping what the emulator forgets.
//
// What is deployed is read through the Lambda API, never from the source, and
// the deployed function is invoked through it: by its alias or version if the
// mapping names one, and as often at once as its reserved concurrency lets it.
//
//	what                                    as AWS does it?
//	--------------------------------------  ----------------------------------------------------------
//	StartingPosition                        yes; LATEST counts from when the mapping is first seen enabled
//	BatchSize, MaximumBatchingWindow, 6 MB  yes, in real seconds
//	shards at once, in order within one     yes; children of a split or a merge after their parents
//	ParallelizationFactor                   yes, by partition key; one lane that fails holds up its
//	                                          shard's others once it has 2,000 records waiting
//	event                                   yes
//	FilterCriteria                          yes, on data, which is all that AWS filters Kinesis by; not
//	                                          wildcards, nor operators within anything-but
//	ReportBatchItemFailures                 yes; an identifier that is not of the batch fails all of it
//	BisectBatchOnFunctionError              yes
//	MaximumRetryAttempts                    yes; every retry counts, a split does not
//	MaximumRecordAgeInSeconds               yes
//	-1: until the record expires            tried for as long as the poller runs
//	throttles and unreachable functions     tried until the records are too old, as AWS does
//	time between retries                    from 250 ms doubling to 30 s, from a second on divided by Config.TimeScale; AWS documents none
//	OnFailure to S3, SQS                    yes; tried for ever when the destination refuses. AWS may put
//	                                          several failed batches into one record, this does not
//	OnFailure to SNS or Kafka               no: what is discarded is lost, which an error in the log says
//	TumblingWindowInSeconds                 yes, one lane a shard whatever ParallelizationFactor says; see
//	                                          below
//	settings changed                        in force with the next batch or attempt
//	disabled, enabled again                 goes on after the last record that was processed
//	restart                                 yes: with Config.State every record is processed at least once;
//	                                          retries are counted anew
//	consumer with enhanced fan-out          reads the stream with everyone else
//	records aggregated by the KPL           passed on as they are, as AWS does
//	metrics                                 IteratorAge, and of those that MetricsConfig asks for DroppedEventCount and
//	                                          OnFailureDestinationDeliveredEventCount, whatever it asks for
//	LastProcessingResult, KmsKeyArn         no
//
// Of tumbling windows AWS does not document all. Here a window's last
// invocation has no records; it comes once a later record is read, or the shard
// was found empty after the window's end; it is tried until it succeeds. A
// window that ends with its shard is not called terminated early. Of a partial
// failure the returned state is kept with what was processed; when nothing was,
// neither is the state.
//
// A setting that is not supported is said in the log, as an error, and the
// mapping is polled without it.
//
// Documents: "AWS Lambda Developer Guide", with-kinesis, services-kinesis-create,
// services-kinesis-parameters, services-kinesis-batchfailurereporting,
// services-kinesis-windows, kinesis-on-failure-destination,
// with-kinesis-filtering, invocation-eventsourcemapping.
package eventsource

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/millrace-cdk/millrace/local/internal/deployed"
	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/metrics"
	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// Config is what Start needs.
type Config struct {
	// AWS reaches the emulator: endpoint, region, credentials.
	AWS aws.Config
	// State is a folder for checkpoints: with it, a later Poller goes on where
	// this one stopped. Files of mappings that are no more are removed from it.
	// Default: none, a later Poller begins again at StartingPosition.
	State string
	// TimeScale divides the wait between retries where it is above a second. Default: 1.
	TimeScale float64
	// Metrics gets what Lambda tells CloudWatch of a mapping. Default: none are published.
	Metrics *metrics.Publisher
	// Log receives trouble; normal operation is silent.
	// Default: slog.Default().
	Log *slog.Logger
}

// Poller polls until it is closed.
type Poller struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// Start polls for every enabled event source mapping on a Kinesis stream that
// is deployed now or later, until ctx is done or Close is called. It fails if
// the mappings cannot be listed or the checkpoints not be read.
func Start(ctx context.Context, config Config) (*Poller, error) {
	client := lambda.NewFromConfig(config.AWS)
	f := newFollower(client, config.State, cmp.Or(config.Log, slog.Default()))
	services := services{
		kinesis: kinesis.NewFromConfig(config.AWS),
		lambda:  client,
		// The emulator takes buckets by path, not by host name.
		s3:      s3.NewFromConfig(config.AWS, func(o *s3.Options) { o.UsePathStyle = true }),
		sqs:     sqs.NewFromConfig(config.AWS),
		metrics: config.Metrics,
	}
	scale := cmp.Or(config.TimeScale, 1)
	if err := f.prepare(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	running := &Poller{stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(running.ended)
		deployed.Follow(ctx, f.log, f.list, func(s settings) deployed.Worker[settings] {
			m := newMapping(s, services, f.checkpoints[s.uuid], f.log)
			m.wait = func(n int) time.Duration {
				// Not less than a second, or a few minutes of trouble here would use all attempts up.
				return max(min(backoff(n), time.Second), time.Duration(float64(backoff(n))/scale))
			}
			return m
		})
	}()
	return running, nil
}

// Close stops polling and waits until everything has stopped: an invocation
// that has begun may end, for up to [linger].
func (p *Poller) Close() {
	p.stop()
	<-p.ended
}

// services are the AWS services that a mapping works with.
type services struct {
	kinesis shards.API
	lambda  function.API
	s3      objectAPI
	sqs     queueAPI
	metrics *metrics.Publisher
}
