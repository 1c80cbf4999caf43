package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/millrace-cdk/millrace/spec"
)

// DefaultLoadRate leaves a small database room for what clients send meanwhile.
const DefaultLoadRate = 5_000

// DefaultParallel is how many batches the loader stores at the same time. Each
// takes one of its reserved invocations, and one of the database's connections.
const DefaultParallel = 2

const (
	// maxPayload is what a synchronous invocation takes
	// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
	maxPayload = 6 << 20
	// maxLoad is the most records of an invocation: many enough that what it costs by itself is little,
	// and few enough that one is far from its timeout.
	maxLoad = 2_000
	// loadAttempts outlast the failover of a database: with the waits between them, some two minutes.
	loadAttempts = 30
)

// Lambda is the part of the API that a replay through the loader takes.
type Lambda interface {
	lambda.ListEventSourceMappingsAPIClient
	GetFunctionConfiguration(context.Context, *lambda.GetFunctionConfigurationInput, ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error)
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Loader is the deployed function of lambdas/loader. It is the only way into a
// private database, and one that needs no other right than to invoke it.
type Loader struct {
	Client Lambda
	// Function is its ARN, with the alias that the stream's records go to.
	Function string
	// Created is when the stream was made whose records it gets, which tells an environment from
	// an earlier one of the same names.
	Created time.Time
	// Parallel bounds the invocations at the same time. Default: [DefaultParallel].
	Parallel int
}

// FindLoader finds the loader of a stream by what is deployed: the function that
// gets the stream's records and whose spec has a database. Of several, it is the
// one whose ARN has name in it.
func FindLoader(ctx context.Context, client Lambda, stream *Stream, name string) (*Loader, error) {
	var found []string
	pages := lambda.NewListEventSourceMappingsPaginator(client, &lambda.ListEventSourceMappingsInput{EventSourceArn: &stream.ARN})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing event source mappings: %w", err)
		}
		for _, mapping := range page.EventSourceMappings {
			if !strings.Contains(aws.ToString(mapping.FunctionArn), name) {
				continue
			}
			c, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: mapping.FunctionArn})
			if err != nil {
				return nil, fmt.Errorf("reading the configuration of %s: %w", aws.ToString(mapping.FunctionArn), err)
			}
			if c.Environment == nil {
				continue
			}
			// Not spec.Decode, which refuses members of a later release: those are the function's business.
			var s spec.Loader
			if json.Unmarshal([]byte(c.Environment.Variables[spec.Variable]), &s) == nil && s.Database.Host != "" {
				found = append(found, aws.ToString(mapping.FunctionArn))
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no function that gets the records of %s loads them into a database", stream.ARN)
	case 1:
		return &Loader{Client: client, Function: found[0], Created: stream.Created}, nil
	}
	return nil, fmt.Errorf("several functions load the records of %s: say which: %s", stream.ARN, strings.Join(found, ", "))
}

// invoker has a loader store batches, several at a time.
type invoker struct {
	loader  *Loader
	dryRun  bool
	report  *Report
	limiter *rate.Limiter
	most    int // records in a batch

	batch  []entry
	bytes  int
	group  *errgroup.Group
	stored atomic.Int64
}

func newInvoker(c Config, report *Report) *invoker {
	most := min(maxLoad, c.Rate)
	i := &invoker{loader: c.Loader, dryRun: c.DryRun, report: report, limiter: rate.NewLimiter(rate.Limit(c.Rate), most), most: most}
	i.renew()
	return i
}

func (i *invoker) renew() {
	i.group = new(errgroup.Group)
	i.group.SetLimit(cmp.Or(i.loader.Parallel, DefaultParallel))
}

// loadSize is at least what an entry takes in the payload.
func loadSize(e entry) int {
	const around = 512 // the members around the data, without the place
	return len(e.data)/3*4 + 4 + 2*len(e.place.Shard) + 2*len(e.place.Stream) + around
}

// fits is what [invoker.add] takes.
func (i *invoker) fits(e entry) bool { return loadSize(e) < maxPayload-len(`{"Records":[]}`) }

func (i *invoker) add(ctx context.Context, e entry) error {
	if !i.fits(e) {
		i.report.fail(fmt.Sprintf("larger than the %d bytes of a Lambda payload", maxPayload), 1)
		return nil
	}
	if len(i.batch) == i.most || i.bytes+loadSize(e) > maxPayload-len(`{"Records":[]}`) {
		if err := i.dispatch(ctx); err != nil {
			return err
		}
	}
	i.batch, i.bytes = append(i.batch, e), i.bytes+loadSize(e)
	return nil
}

// dispatch passes the batch on to an invocation of its own, once there may be one more.
func (i *invoker) dispatch(ctx context.Context) error {
	batch := i.batch
	i.batch, i.bytes = nil, 0
	if i.dryRun {
		i.stored.Add(int64(len(batch)))
		return nil
	}
	if err := i.limiter.WaitN(ctx, len(batch)); err != nil {
		return fmt.Errorf("waiting to load: %w", err)
	}
	i.group.Go(func() error { return i.load(ctx, batch) })
	return nil
}

// flush returns when the loader has stored all of it.
func (i *invoker) flush(ctx context.Context) error {
	return errors.Join(i.dispatch(ctx), i.settle())
}

func (i *invoker) settle() error {
	err := i.group.Wait()
	i.renew()
	i.report.Sent += int(i.stored.Swap(0))
	return err
}

// load has a batch stored. What the loader says is not at rest is passed to it again.
func (i *invoker) load(ctx context.Context, batch []entry) error {
	for attempt := 1; len(batch) > 0; attempt++ {
		done, trouble, err := i.invoke(ctx, batch)
		if err != nil {
			return err
		}
		i.stored.Add(int64(done))
		if batch = batch[done:]; len(batch) == 0 {
			break
		}
		if attempt == loadAttempts {
			return fmt.Errorf("loading by %s: %d records are not stored after %d attempts: %s", i.loader.Function, len(batch), attempt, trouble)
		}
		if err := backoff(ctx, attempt); err != nil {
			return err
		}
	}
	return nil
}

// invoke passes a batch once. It returns how many records are at rest, and why others are not. An
// error is one of Lambda's API, which the SDK has tried again already.
func (i *invoker) invoke(ctx context.Context, batch []entry) (done int, trouble string, err error) {
	payload, err := json.Marshal(asKinesisEvent(batch, time.Now()))
	if err != nil {
		return 0, "", fmt.Errorf("encoding a batch: %w", err)
	}
	output, err := i.loader.Client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &i.loader.Function, Payload: payload})
	if err != nil {
		return 0, "", fmt.Errorf("invoking %s: %w", i.loader.Function, err)
	}
	if output.FunctionError != nil {
		const most = 300
		return 0, *output.FunctionError + ": " + string(output.Payload[:min(len(output.Payload), most)]), nil
	}
	var response events.KinesisEventResponse
	if err := json.Unmarshal(output.Payload, &response); err != nil {
		return 0, "", fmt.Errorf("reading the answer of %s: %w", i.loader.Function, err)
	}
	done = len(batch)
	for _, failure := range response.BatchItemFailures {
		// A number may occur once for each object in the batch: of those the first, which stores some once more.
		done = min(done, first(batch, failure.ItemIdentifier))
	}
	return done, "the loader's log says why", nil
}

// first is the index of the first record that has that sequence number; 0 if none has.
func first(batch []entry, sequence string) int {
	for i, e := range batch {
		if e.place.Sequence == sequence {
			return i
		}
	}
	return 0
}

// asKinesisEvent is a batch in the shape in which Lambda passes those of a stream. The place stands for
// the stream, the shard and the sequence number, and so in the row: bucket, key and number of the line.
// The time is now, since the loader measures its lag by it; the event's own is in its metadata.
func asKinesisEvent(batch []entry, now time.Time) events.KinesisEvent {
	records := make([]events.KinesisEventRecord, len(batch))
	for i, e := range batch {
		records[i] = events.KinesisEventRecord{
			AwsRegion: "replay", EventName: "aws:kinesis:record", EventSource: "millrace:replay", EventVersion: "1.0", InvokeIdentityArn: "replay",
			// The loader takes what is between the slashes for the stream's name.
			EventSourceArn: "arn:aws:s3:::replay/" + e.place.Stream,
			// And what is before the first colon for the shard's.
			EventID: strings.ReplaceAll(e.place.Shard, ":", "%3A") + ":" + e.place.Sequence,
			Kinesis: events.KinesisRecord{
				Data: e.data, SequenceNumber: e.place.Sequence, PartitionKey: "replay", KinesisSchemaVersion: "1.0",
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: now},
			},
		}
	}
	return events.KinesisEvent{Records: records}
}
