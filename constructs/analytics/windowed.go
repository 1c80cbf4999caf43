package analytics

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/poll"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
)

// aggregatorPackage is the function's main package.
const aggregatorPackage = "github.com/millrace-cdk/millrace/lambdas/aggregator/cmd"

// WindowedAggregate is a function that counts and sums a stream's events by key
// over tumbling windows, whose state Lambda keeps, and puts the results into a
// stream. A window is one of a shard, by the time of arrival: what all shards
// say of a key is to be added up (docs/windows.md).
type WindowedAggregate struct {
	constructs.Construct

	Function  awslambda.Function
	Mapping   awslambda.CfnEventSourceMapping // from the stream to the function
	Results   awskinesis.IStream              // takes a result for each key of each window of each shard
	OnFailure awss3.IBucket                   // keeps the batches that could not be aggregated

	declared spec.Windows
	alarms   []awscloudwatch.Alarm
}

// NewWindowedAggregate defines a WindowedAggregate in scope. It panics on invalid
// props (see [WindowedAggregateProps.Validate]).
func NewWindowedAggregate(scope constructs.Construct, id string, props *WindowedAggregateProps) *WindowedAggregate {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("analytics: %s: %w", id, err))
	}
	p := props.withDefaults()

	w := new(WindowedAggregate)
	constructs.NewConstruct_Override(w, scope, &id)
	stream.RecordsFitLambda(w, p.Source, "the aggregator")
	w.Results = w.results(p)
	w.OnFailure = w.bucket(p)
	w.declared = p.declared(*w.Results.StreamArn())
	w.Function = w.function(p)
	w.Mapping = w.mapping(p)
	w.watch(p)
	return w
}

// Table declares the table called name for a Postgres loader that reads Results:
// a row for each result. It needs its migration, as any table (docs/loading.md).
func (w *WindowedAggregate) Table(name string) spec.Table { return w.declared.Table(name) }

// FailuresPrefix is the folder of OnFailure that the failed batches are in.
func (w *WindowedAggregate) FailuresPrefix() *string {
	return jsii.String(poll.FailuresFolder + *w.Mapping.Ref() + "/")
}

func (w *WindowedAggregate) results(p *WindowedAggregateProps) awskinesis.IStream {
	if p.Results != nil {
		return p.Results
	}
	core := stream.NewStreamingCore(w, "Results", &stream.StreamingCoreProps{
		SkipAlarms: p.SkipAlarms, AlarmActions: p.AlarmActions, RemovalPolicy: p.RemovalPolicy,
	})
	w.alarms = core.Alarms()
	return core.Stream
}

func (w *WindowedAggregate) bucket(p *WindowedAggregateProps) awss3.IBucket {
	if p.OnFailure != nil {
		return p.OnFailure
	}
	return poll.Failures(w, p.Source, p.FailureRetention, p.RemovalPolicy)
}

func (w *WindowedAggregate) function(p *WindowedAggregateProps) awslambda.Function {
	text, err := spec.Encode(w.declared)
	if err != nil {
		panic(fmt.Errorf("analytics: %s: %w", *w.Node().Path(), err))
	}
	f := gofunc.NewGoFunction(w, "Aggregator", &gofunc.GoFunctionProps{
		Package:       aggregatorPackage,
		Description:   "Counts and sums events over tumbling windows",
		Architecture:  p.Architecture,
		Environment:   map[string]string{spec.Variable: text},
		MemoryMiB:     p.MemoryMiB,
		Timeout:       p.Timeout,
		LogRetention:  p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
		Configure:     p.Configure,
	})
	poll.Grant(f.Role, p.Source, w.OnFailure)
	iam.Allow(f.Role, *w.Results.StreamArn(), "kinesis:PutRecords")
	if key := w.Results.EncryptionKey(); key != nil {
		key.Grant(f.Role, jsii.String("kms:GenerateDataKey"))
	}
	suppress.Rules(f.LogGroup, "CloudWatch Logs encrypts it with a key of its own; no event and no credential is logged", "CKV_AWS_158")
	suppress.Rules(f.Function, "Lambda reads the stream for it and keeps what it gives up in OnFailure; a dead-letter queue is for asynchronous events", "CKV_AWS_116")
	suppress.Rules(f.Function, "A window has one invocation of a shard at a time, so that the shards bound them", "CKV_AWS_115")
	suppress.Rules(f.Function, "It talks to Kinesis alone, by IAM and TLS: a VPC would add a way in and nothing else", "CKV_AWS_117")
	suppress.Rules(f.Function, "Its environment is paths and the name of a stream", "CKV_AWS_173")
	return f.Function
}

// mapping asks for reports of failures, whose list is part of a window's documented
// answer, and gets none: what becomes of a window's state when a part of a batch is
// reported is not documented, so that the aggregator takes a batch in whole or not at
// all. Bisecting finds a record on which it crashes; any split of a batch gives the same results.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
func (w *WindowedAggregate) mapping(p *WindowedAggregateProps) awslambda.CfnEventSourceMapping {
	props := &awslambda.CfnEventSourceMappingProps{
		EventSourceArn:   p.Source.StreamArn(),
		FunctionName:     w.Function.FunctionName(),
		StartingPosition: jsii.String(string(p.StartingPosition)),

		TumblingWindowInSeconds:        p.Window.ToSeconds(nil),
		BatchSize:                      jsii.Number(p.BatchSize),
		MaximumBatchingWindowInSeconds: p.BatchWindow.ToSeconds(nil),

		FunctionResponseTypes:      jsii.Strings("ReportBatchItemFailures"),
		BisectBatchOnFunctionError: jsii.Bool(true),
		MaximumRetryAttempts:       jsii.Number(p.RetryAttempts),
		MaximumRecordAgeInSeconds:  p.MaxRecordAge.ToSeconds(nil),
		// S3 and not SQS or SNS, which would get the batch's place in the stream but not its records.
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: w.OnFailure.BucketArn()},
		},
		// Without it Lambda does not say what it gave up.
		MetricsConfig: &awslambda.CfnEventSourceMapping_MetricsConfigProperty{Metrics: jsii.Strings("EventCount")},
	}
	if p.Disabled {
		props.Enabled = jsii.Bool(false)
	}
	return awslambda.NewCfnEventSourceMapping(w, jsii.String("Mapping"), props)
}
