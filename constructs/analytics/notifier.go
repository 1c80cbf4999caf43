package analytics

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/poll"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/internal/watch"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

// The function's main package, and its variable with the topic's ARN, to which a test holds it.
const (
	notifierPackage = "github.com/millrace-cdk/millrace/lambdas/notifier/cmd"
	topicVariable   = "TOPIC_ARN"
)

// Of the mapping.
const (
	notifierBatch = 100 // records: ten calls of SNS
	// notifierMaxAgeHours is when nobody wants to be told any more. The stream has the anomaly still.
	notifierMaxAgeHours   = 6
	notifierTimeout       = 30 // seconds
	notifierMaxLagMinutes = 5
)

// AnomalyNotifierProps says which stream's anomalies are told to whom.
type AnomalyNotifierProps struct {
	// Source is the stream of anomalies: events of the event_type anomaly, with series and kind. Others are left out. Required.
	Source awskinesis.IStream
	// Topic is told of each, with the whole event as the message and series and kind as attributes to
	// filter by. Required.
	Topic awssns.ITopic
	// Architecture is the function's processor.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
	// SkipAlarms leaves out the alarms that [AnomalyNotifier.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
	// LogRetention is how long the function's log is kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the log group when the notifier goes.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *AnomalyNotifierProps) Validate() error {
	if p == nil {
		p = new(AnomalyNotifierProps)
	}
	var errs []error
	if p.Source == nil {
		errs = append(errs, errors.New("source is required: pass the stream of anomalies"))
	}
	if p.Topic == nil {
		errs = append(errs, errors.New("topic is required: pass the topic that is told"))
	}
	if p.SkipAlarms && len(p.AlarmActions) > 0 {
		errs = append(errs, errors.New("alarm actions are given and the alarms skipped: do one of the two"))
	}
	return errors.Join(errs...)
}

// AnomalyNotifier is a function that tells an SNS topic of each anomaly of a stream, at least once.
type AnomalyNotifier struct {
	constructs.Construct

	Function awslambda.Function
	Mapping  awslambda.CfnEventSourceMapping // from the stream to the function

	alarms []awscloudwatch.Alarm
}

// NewAnomalyNotifier defines an AnomalyNotifier in scope. It panics on invalid props
// (see [AnomalyNotifierProps.Validate]).
func NewAnomalyNotifier(scope constructs.Construct, id string, props *AnomalyNotifierProps) *AnomalyNotifier {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("analytics: %s: %w", id, err))
	}
	p := *props
	p.LogRetention = cmp.Or(p.LogRetention, DefaultLogRetention)
	p.RemovalPolicy = cmp.Or(p.RemovalPolicy, DefaultRemovalPolicy)

	n := new(AnomalyNotifier)
	constructs.NewConstruct_Override(n, scope, &id)
	stream.RecordsFitLambda(n, p.Source, "the notifier")
	function := n.function(p)
	n.Function = function.Function
	n.Mapping = n.mapping(p, function.Role)
	n.watch(p)
	return n
}

func (n *AnomalyNotifier) function(p AnomalyNotifierProps) *gofunc.GoFunction {
	function := gofunc.NewGoFunction(n, "Notifier", &gofunc.GoFunctionProps{
		Package:       notifierPackage,
		Description:   "Tells a topic of anomalies",
		Architecture:  p.Architecture,
		Environment:   map[string]string{topicVariable: *p.Topic.TopicArn()},
		Timeout:       awscdk.Duration_Seconds(jsii.Number(notifierTimeout)),
		LogRetention:  p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	suppress.Rules(function.LogGroup, "CloudWatch Logs encrypts it with a key of its own; no anomaly is logged", "CKV_AWS_158")
	suppress.Rules(function.Function, "Lambda reads the stream for it, which keeps what it gives up; a dead-letter queue is for asynchronous events", "CKV_AWS_116")
	suppress.Rules(function.Function, "It reaches SNS and nothing in a VPC", "CKV_AWS_117")
	suppress.Rules(function.Function, "A shard is read by one invocation at a time, which bounds them", "CKV_AWS_115")
	suppress.Rules(function.Function, "Its environment is the topic's ARN", "CKV_AWS_173")
	// CDK's GrantPublish allows the key kms:GenerateDataKey* too.
	iam.Allow(function.Role, *p.Topic.TopicArn(), "sns:Publish")
	if key := p.Topic.MasterKey(); key != nil {
		key.Grant(function.Role, jsii.String("kms:Decrypt"), jsii.String("kms:GenerateDataKey"))
	}
	return function
}

// mapping retries in order until an anomaly is too old to be told.
func (n *AnomalyNotifier) mapping(p AnomalyNotifierProps, role awsiam.Role) awslambda.CfnEventSourceMapping {
	poll.GrantRead(role, p.Source)
	mapping := awslambda.NewCfnEventSourceMapping(n, jsii.String("Mapping"), &awslambda.CfnEventSourceMappingProps{
		EventSourceArn:            p.Source.StreamArn(),
		FunctionName:              n.Function.FunctionName(),
		StartingPosition:          jsii.String(string(awslambda.StartingPosition_LATEST)),
		BatchSize:                 jsii.Number(notifierBatch),
		FunctionResponseTypes:     jsii.Strings("ReportBatchItemFailures"),
		MaximumRecordAgeInSeconds: jsii.Number(notifierMaxAgeHours * 3_600),
		MetricsConfig:             &awslambda.CfnEventSourceMapping_MetricsConfigProperty{Metrics: jsii.Strings("EventCount")},
	})
	mapping.Node().AddDependency(role)
	return mapping
}

// Alarms lists the alarms of the notifier, which are none with SkipAlarms, and else:
//
//   - Errors: it crashes or times out for 15 minutes on end.
//   - IteratorAge: anomalies wait for longer than five minutes, for 15 minutes on end: SNS refuses them.
//   - Dropped: anomalies were too old to be told. The stream has them.
func (n *AnomalyNotifier) Alarms() []awscloudwatch.Alarm { return slices.Clone(n.alarms) }

func (n *AnomalyNotifier) watch(p AnomalyNotifierProps) {
	if p.SkipAlarms {
		return
	}
	scope, path := constructs.NewConstruct(n, jsii.String("Alarms")), *n.Node().Path()
	add := func(id, what string, metric awscloudwatch.IMetric, threshold, periods float64) {
		n.alarms = append(n.alarms, watch.Above(scope, id, mark(id), path+" "+what, metric, threshold, periods, p.AlarmActions))
	}
	add("Errors", "crashes or times out: nobody is told of anomalies. Look first at its log group.", n.Function.MetricErrors(nil), 0, 3)
	add("IteratorAge", "is behind: SNS refuses what it publishes. Look first at its log group, then at the topic's policy and key.",
		n.Function.Metric(jsii.String("IteratorAge"), watch.Options(awscloudwatch.Stats_MAXIMUM(), nil)), notifierMaxLagMinutes*60_000, 3)
	add("Dropped", "has given up anomalies that were too old to be told. The stream has them still. Look first at its log group.",
		poll.Metric(n.Mapping, "DroppedEventCount", nil), 0, 1)
}
