// Package firehose delivers the deployed delivery streams to S3, as Amazon Data
// Firehose documents it. The emulator would write one object a record and drop
// what its processor fails on.
//
// It reads what is deployed through the Firehose API, never the source, and
// works through the Kinesis, Lambda, Glue and S3 APIs alone.
//
//	what                                    as AWS does it?
//	--------------------------------------  ----------------------------------------------------------
//	start at the time of creation           yes: each shard from CreateTimestamp on
//	order                                   kept within a shard; AWS promises none
//	buffering by size or time, first one    yes; time is divided by Config.TimeScale
//	one object a buffer                     yes
//	KPL de-aggregation                      yes, before backup and processor; for the order AWS says so of the processor only
//	Lambda processor: batches, event,       yes; batches hold records of several shards, as there
//	  statuses, retries, 6 MB limits
//	unequal, missing, doubled record ids    yes: these records fail, the rest of the batch is delivered
//	malformed response (base64, result)     the batch fails at once; AWS has been seen to retry it
//	dynamic partitioning by the processor   yes: a buffer each, 500 active ones (AWS raises that on
//	  and by JQ, sub-records                request); a missing, null or empty key fails the record.
//	                                        JQ is gojq, AWS has jq 1.6. RetryOptions are not regarded
//	conversion to Parquet                   yes, by the Glue table at the time of the object; OpenX JSON SerDe,
//	                                        and the Hive one as if it were that. Columns in alphabetical order,
//	                                        timestamps as INT96 (not documented). No ORC, no binary columns
//	failures as JSON lines, error prefix    yes, uncompressed (AWS says nothing of their compression). Codes
//	                                        of partitioning are not documented, one has been seen
//	prefixes: timestamp, random-string,     yes; pattern letters y u M L d D H h K k m s S n a E Q
//	  error-output-type, keys, the defaults
//	GZIP, ZIP, Snappy, Hadoop-Snappy        yes, GZIP with Content-Encoding gzip; Snappy in its framing format (not documented)
//	AppendDelimiterToRecord                 between records, none after the last, as seen on AWS
//	file extension, time zone               yes
//	backup of the source records            yes, in buffers of its own
//	S3 or Glue refuses                      tried again for ever, while the backlog stays in the source. AWS has two pages:
//	                                        "until the retention period ends" and "up to 24 hours"
//	delivery stream deleted                 reading stops at once, what is buffered is dropped and counted
//	restart                                 yes: with Config.State every record is delivered at least once
//	direct PUT                              yes, with local/cloud's launcher; without it the emulator's own delivery
//	metrics                                 DeliveryToS3.DataFreshness and .Success, ExecuteProcessing.Success, when
//	                                        something is delivered or processed
//	CloudWatch error log                    no
//	MSK, other processors, ORC and          no: such a stream is refused with an error in the log
//	  other destinations
//
// Documents: "Amazon Data Firehose Developer Guide", data-transformation,
// data-transformation-failure-handling, dynamic-partitioning, record-format-conversion,
// record-format-conversion-error-handling, s3-prefixes, s3-object-name, basic-deliver,
// retry, troubleshooting.
package firehose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/millrace-cdk/millrace/local/internal/deployed"
	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/metrics"
	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// Config is what Start needs.
type Config struct {
	// AWS reaches the emulator: endpoint, region, credentials.
	AWS aws.Config
	// TimeScale divides every buffer interval: at 60 a minute lasts a second.
	// Default: 1.
	TimeScale float64
	// State is a folder for checkpoints: with it, what a former Firehose did not
	// deliver is delivered by the next. It is made, and only one may run in it.
	// Default: none; then each begins at the delivery streams' creation.
	State string
	// Metrics gets what Firehose tells CloudWatch. Default: none are published.
	Metrics *metrics.Publisher
	// Log receives trouble; normal operation is silent.
	// Default: slog.Default().
	Log *slog.Logger
}

// Firehose delivers until it is closed.
type Firehose struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// Start begins to deliver every delivery stream that is deployed now or later,
// until ctx is done or Close is called. It fails if the configuration is
// wrong or the delivery streams cannot be listed.
func Start(ctx context.Context, config Config) (*Firehose, error) {
	config.TimeScale = cmp.Or(config.TimeScale, 1)
	if config.TimeScale < 0 || math.IsInf(config.TimeScale, 0) || math.IsNaN(config.TimeScale) {
		return nil, fmt.Errorf("firehose: time scale must be a positive number, got %v", config.TimeScale)
	}
	f := &follower{
		firehose: firehose.NewFromConfig(config.AWS),
		scale:    config.TimeScale,
		log:      cmp.Or(config.Log, slog.Default()),
		refused:  map[string]string{},
	}
	services := services{
		kinesis: kinesis.NewFromConfig(config.AWS),
		lambda:  lambda.NewFromConfig(config.AWS),
		// The emulator takes buckets by path, not by host name.
		s3:      s3.NewFromConfig(config.AWS, func(o *s3.Options) { o.UsePathStyle = true }),
		glue:    glue.NewFromConfig(config.AWS),
		region:  config.AWS.Region,
		metrics: config.Metrics,
	}
	found, err := f.list(ctx)
	if err != nil {
		return nil, err
	}
	if err := prepareState(config.State, found); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	running := &Firehose{stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(running.ended)
		deployed.Follow(ctx, f.log, f.list, func(s settings) deployed.Worker[settings] {
			return newStream(s, services, config.State, f.log)
		})
	}()
	return running, nil
}

// Close stops delivering and waits until everything has stopped. What is
// buffered is not delivered, or by the next Firehose with the same Config.State.
func (f *Firehose) Close() {
	f.stop()
	<-f.ended
}

// services are the AWS services that a delivery works with.
type services struct {
	kinesis shards.API
	lambda  function.API
	s3      objectAPI
	glue    tableAPI
	region  string
	metrics *metrics.Publisher
}

// follower finds the delivery streams to run.
type follower struct {
	firehose *firehose.Client
	scale    float64
	log      *slog.Logger
	refused  map[string]string // by ARN: the version that was refused
}

// list returns the settings of every delivery stream that can be run.
func (f *follower) list(ctx context.Context) (map[string]settings, error) {
	found := map[string]settings{}
	input := &firehose.ListDeliveryStreamsInput{}
	for {
		page, err := f.firehose.ListDeliveryStreams(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("listing delivery streams: %w", err)
		}
		for _, name := range page.DeliveryStreamNames {
			output, err := f.firehose.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
			if deleted := new(types.ResourceNotFoundException); errors.As(err, &deleted) {
				continue // between the two calls
			}
			if err != nil {
				return nil, fmt.Errorf("describing delivery stream %s: %w", name, err)
			}
			s, err := newSettings(output.DeliveryStreamDescription, f.scale)
			if err != nil {
				f.refuse(output.DeliveryStreamDescription, err)
				continue
			}
			found[s.key()] = s
		}
		if !aws.ToBool(page.HasMoreDeliveryStreams) || len(page.DeliveryStreamNames) == 0 {
			return found, nil
		}
		input.ExclusiveStartDeliveryStreamName = &page.DeliveryStreamNames[len(page.DeliveryStreamNames)-1]
	}
}

// refuse says once a version why a delivery stream is not run.
func (f *follower) refuse(d *types.DeliveryStreamDescription, err error) {
	arn, version := aws.ToString(d.DeliveryStreamARN), aws.ToString(d.VersionId)
	if f.refused[arn] == version {
		return
	}
	f.refused[arn] = version
	f.log.Error("this delivery stream is not delivered locally: its records stay in its source", "stream", arn, "error", err)
}
