// Package firehose delivers the deployed delivery streams that read from a
// Kinesis data stream, as Amazon Data Firehose documents it. The emulator
// would write one object a record, uncompressed, and drop what its processor
// fails on.
//
// It reads what is deployed through the Firehose API, never the source, and
// works through the Kinesis, Lambda and S3 APIs alone.
//
//	what                                    as AWS does it?
//	--------------------------------------  ----------------------------------------------------------
//	start at the time of creation           yes: each shard from CreateTimestamp on
//	order                                   kept within a shard; AWS promises none
//	buffering by size or time, first one    yes; time is divided by Config.TimeScale
//	one object a buffer                     yes
//	Lambda processor: batches, event,       yes; batches hold records of several shards, as there
//	  statuses, retries, 6 MB limits
//	unequal, missing, doubled record ids    yes: these records fail, the rest of the batch is delivered
//	malformed response (base64, result)     the batch fails at once; AWS has been seen to retry it
//	failures as JSON lines, error prefix    yes, uncompressed (AWS says nothing of their compression)
//	prefixes: timestamp, random-string,     yes; pattern letters y M d D H m s
//	  error-output-type, the defaults
//	GZIP, UNCOMPRESSED                      yes, with Content-Encoding gzip
//	AppendDelimiterToRecord                 between records, none after the last, as seen on AWS
//	file extension, time zone               yes, but the emulator's description leaves both out
//	S3 refuses an object                    tried again for ever; AWS gives up after 24 hours
//	delivery stream deleted                 reading stops at once, what is buffered is dropped and counted
//	restart                                 no checkpoints: begins again at CreateTimestamp
//	KPL de-aggregation                      no: a KPL aggregate is one record
//	ZIP, Snappy, format conversion, dynamic no: such a stream is refused with an error in the log
//	  partitioning, S3 backup, other
//	  processors and destinations
//	CloudWatch error log, metrics           no
//	direct PUT                              not here: the emulator's own PutRecord delivery stays
//
// Documents: "Amazon Data Firehose Developer Guide", data-transformation,
// data-transformation-failure-handling, s3-prefixes, s3-object-name, basic-deliver.
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
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/millrace-cdk/millrace/local/internal/deployed"
	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// Config is what Start needs.
type Config struct {
	// AWS reaches the emulator: endpoint, region, credentials.
	AWS aws.Config
	// TimeScale divides every buffer interval: at 60 a minute lasts a second.
	// Default: 1.
	TimeScale float64
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
		s3:     s3.NewFromConfig(config.AWS, func(o *s3.Options) { o.UsePathStyle = true }),
		region: config.AWS.Region,
	}
	if _, err := f.list(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	running := &Firehose{stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(running.ended)
		deployed.Follow(ctx, f.log, f.list, func(s settings) deployed.Worker[settings] {
			return newStream(s, services, f.log)
		})
	}()
	return running, nil
}

// Close stops delivering and waits until everything has stopped. What is
// buffered is not delivered.
func (f *Firehose) Close() {
	f.stop()
	<-f.ended
}

// services are the AWS services that a delivery works with.
type services struct {
	kinesis shards.API
	lambda  function.API
	s3      objectAPI
	region  string
}

// follower finds the delivery streams to run.
type follower struct {
	firehose *firehose.Client
	scale    float64
	log      *slog.Logger
	refused  map[string]string // by ARN: the version that was refused
}

// list returns the settings of every delivery stream that reads from Kinesis and can be run.
func (f *follower) list(ctx context.Context) (map[string]settings, error) {
	found := map[string]settings{}
	input := &firehose.ListDeliveryStreamsInput{DeliveryStreamType: types.DeliveryStreamTypeKinesisStreamAsSource}
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
