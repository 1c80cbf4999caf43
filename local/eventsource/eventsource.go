// Package eventsource runs the deployed event source mappings on Kinesis
// streams as AWS Lambda documents them. The emulator's own poller ignores
// almost all of their settings: it takes a reported failure for a success and
// tries a failed batch for ever.
//
// A mapping that is enabled is disabled in the emulator and polled from here,
// for as long as it exists. It reads what is deployed through the Lambda API,
// never the source, and invokes the deployed function through it.
//
//	what                                    as AWS does it?
//	--------------------------------------  ----------------------------------------------------------
//	StartingPosition                        TRIM_HORIZON; LATEST counts from the take-over; AT_TIMESTAMP
//	                                          is refused: the emulator does not keep the timestamp
//	BatchSize, MaximumBatchingWindow, 6 MB  yes, in real seconds
//	shards at once, in order within one     yes; children of a split after their parent
//	ParallelizationFactor                   yes, by partition key; one lane that fails holds up its
//	                                          shard's others once it has 2,000 records waiting
//	event                                   yes
//	ReportBatchItemFailures                 yes; an identifier that is not of the batch fails all of it
//	BisectBatchOnFunctionError              yes
//	MaximumRetryAttempts                    yes; every retry counts, a split does not
//	MaximumRecordAgeInSeconds               yes
//	-1: until the record expires            tried for as long as the poller runs
//	throttles and unreachable functions     tried until the records are too old, as AWS does
//	time between retries                    from 250 ms doubling to 30 s; AWS documents none
//	OnFailure to S3, SQS                    yes; tried for ever when the destination refuses
//	OnFailure to SNS or Kafka, filters,     no: such a mapping stays with the emulator, which an error
//	  tumbling windows                        in the log says
//	settings changed                        in force with the next batch or attempt
//	disabled after it was taken over        cannot be told from our own disabling: it goes on
//	created with Enabled false by           cannot be told: the emulator's description says Enabled
//	  CloudFormation
//	restart                                 no checkpoints: begins again at StartingPosition, and only
//	                                          if the mapping is enabled again
//	during the take-over                    the emulator may already have sent a batch, which comes again
//	consumer with enhanced fan-out          no: EventSourceArn must be a stream's
//	metrics, LastProcessingResult           no
//
// Documents: "AWS Lambda Developer Guide", with-kinesis,
// services-kinesis-create, services-kinesis-batchfailurereporting,
// kinesis-on-failure-destination, services-kinesis-parameters.
package eventsource

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/millrace-cdk/millrace/local/internal/deployed"
	"github.com/millrace-cdk/millrace/local/internal/function"
	"github.com/millrace-cdk/millrace/local/internal/shards"
)

// Config is what Start needs.
type Config struct {
	// AWS reaches the emulator: endpoint, region, credentials.
	AWS aws.Config
	// Log receives trouble; normal operation is silent.
	// Default: slog.Default().
	Log *slog.Logger
}

// Poller polls until it is closed.
type Poller struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// Start takes over every event source mapping on a Kinesis stream that is
// deployed now or later, until ctx is done or Close is called. It fails if
// the mappings cannot be listed.
func Start(ctx context.Context, config Config) (*Poller, error) {
	client := lambda.NewFromConfig(config.AWS)
	f := &follower{
		lambda:  client,
		log:     cmp.Or(config.Log, slog.Default()),
		taken:   map[string]string{},
		refused: map[string]string{},
	}
	services := services{
		kinesis: kinesis.NewFromConfig(config.AWS),
		lambda:  client,
		// The emulator takes buckets by path, not by host name.
		s3:  s3.NewFromConfig(config.AWS, func(o *s3.Options) { o.UsePathStyle = true }),
		sqs: sqs.NewFromConfig(config.AWS),
	}
	if _, err := f.list(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	running := &Poller{stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(running.ended)
		deployed.Follow(ctx, f.log, f.list, func(s settings) deployed.Worker[settings] {
			return newMapping(s, services, f.log)
		})
	}()
	return running, nil
}

// Close stops polling and waits until everything has stopped. The mappings
// stay disabled in the emulator.
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
}

// follower finds the mappings to run and takes them over.
type follower struct {
	lambda  *lambda.Client
	log     *slog.Logger
	taken   map[string]string // by UUID: the role of the function of a mapping taken over
	refused map[string]string // by UUID: why a mapping is left to the emulator
}

// list returns the settings of every mapping that was taken over, now or before.
func (f *follower) list(ctx context.Context) (map[string]settings, error) {
	found := map[string]settings{}
	pages := lambda.NewListEventSourceMappingsPaginator(f.lambda, &lambda.ListEventSourceMappingsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing event source mappings: %w", err)
		}
		for _, m := range page.EventSourceMappings {
			source, err := arn.Parse(aws.ToString(m.EventSourceArn))
			if err != nil || source.Service != "kinesis" {
				continue
			}
			s, err := newSettings(m, source)
			if err != nil {
				f.refuse(s.uuid, err)
				continue
			}
			if err := f.takeOver(ctx, m, &s); err != nil {
				f.refuse(s.uuid, err) // for now: it is tried again at the next listing
			}
			if _, ours := f.taken[s.uuid]; ours {
				found[s.uuid] = s
			}
		}
	}
	return found, nil
}

// takeOver disables an enabled mapping in the emulator. CloudFormation may
// enable it again: then it is disabled again, and its position stays. A
// mapping that was found disabled is someone else's wish.
func (f *follower) takeOver(ctx context.Context, m types.EventSourceMappingConfiguration, s *settings) error {
	role, ours := f.taken[s.uuid]
	if aws.ToString(m.State) == "Enabled" {
		if !ours {
			configuration, err := f.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &s.function})
			if err != nil {
				return fmt.Errorf("getting the configuration of %s: %w", s.function, err)
			}
			role = aws.ToString(configuration.Role)
		}
		_, err := f.lambda.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: &s.uuid, Enabled: aws.Bool(false)})
		if err != nil {
			return fmt.Errorf("disabling event source mapping %s in the emulator: %w", s.uuid, err)
		}
		f.taken[s.uuid] = role
	}
	s.role = role
	return nil
}

// refuse says once why a mapping is left to the emulator.
func (f *follower) refuse(uuid string, err error) {
	if f.refused[uuid] == err.Error() {
		return
	}
	f.refused[uuid] = err.Error()
	f.log.Error("this event source mapping is left to the emulator, which ignores most of its settings", "mapping", uuid, "error", err)
}
