package analytics_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/analytics"
	"github.com/millrace-cdk/millrace/constructs/stream"
	function "github.com/millrace-cdk/millrace/lambdas/notifier"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func ExampleNewAnomalyNotifier() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	anomalies := stream.NewStreamingCore(stack, "Anomalies", nil) // a StreamAnalytics writes it

	analytics.NewAnomalyNotifier(stack, "Notifier", &analytics.AnomalyNotifierProps{
		Source: anomalies.Stream,
		Topic:  awssns.Topic_FromTopicArn(stack, jsii.String("OnCall"), jsii.String("arn:aws:sns:eu-west-1:111122223333:on-call")),
	})
}

func notifier(change func(awscdk.Stack, *analytics.AnomalyNotifierProps)) (awscdk.Stack, *analytics.AnomalyNotifier) {
	stack := cdktest.NewStack()
	props := &analytics.AnomalyNotifierProps{
		Source: stream.NewStreamingCore(stack, "Anomalies", nil).Stream,
		Topic: awssns.NewTopic(stack, jsii.String("Topic"), &awssns.TopicProps{
			MasterKey: awskms.NewKey(stack, jsii.String("Key"), nil), EnforceSSL: jsii.Bool(true),
		}),
	}
	if change != nil {
		change(stack, props)
	}
	return stack, analytics.NewAnomalyNotifier(stack, "Notifier", props)
}

func TestGoldenOfTheNotifier(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack, _ := notifier(nil)
		cdktest.Golden(t, stack, "notifier-minimal")
	})
	t.Run("everything on, and a topic of theirs", func(t *testing.T) {
		stack, _ := notifier(func(stack awscdk.Stack, p *analytics.AnomalyNotifierProps) {
			p.Topic = awssns.Topic_FromTopicArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:sns:eu-west-1:111122223333:theirs"))
			p.Architecture = awslambda.Architecture_X86_64()
			p.AlarmActions = []awscloudwatch.IAlarmAction{pager(stack)}
			p.LogRetention = awslogs.RetentionDays_ONE_YEAR
			p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
		})
		cdktest.Golden(t, stack, "notifier-everything")
	})
}

func TestTheNotifierReadsOneStreamInOrderAndGoesOnWhereItFailed(t *testing.T) {
	stack, n := notifier(nil)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"FunctionResponseTypes":     []any{"ReportBatchItemFailures"},
		"MaximumRecordAgeInSeconds": 21_600,
		"ParallelizationFactor":     assertions.Match_Absent(),
		"MaximumRetryAttempts":      assertions.Match_Absent(),
	})
	assert.Len(t, n.Alarms(), 3)
	_, quiet := notifier(func(_ awscdk.Stack, p *analytics.AnomalyNotifierProps) { p.SkipAlarms = true })
	assert.Empty(t, quiet.Alarms())
}

func TestTheNotifierMayPublishToItsTopicAlone(t *testing.T) {
	stack, _ := notifier(nil)
	topic := stack.GetLogicalId(stack.Node().FindChild(jsii.String("Topic")).Node().DefaultChild().(awscdk.CfnElement))
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": assertions.Match_ObjectLike(&map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
			map[string]any{"Action": "sns:Publish", "Effect": "Allow", "Resource": map[string]any{"Ref": *topic}},
			assertions.Match_ObjectLike(&map[string]any{"Action": []any{"kms:Decrypt", "kms:GenerateDataKey"}}),
		})}),
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{function.TopicVariable: map[string]any{"Ref": *topic}}},
	})
}

func TestValidateNamesEveryProblemOfTheNotifier(t *testing.T) {
	stack := cdktest.NewStack()
	assert.Equal(t, "analytics: Notifier: source is required: pass the stream of anomalies\ntopic is required: pass the topic that is told",
		cdktest.Panics(t, func() { analytics.NewAnomalyNotifier(stack, "Notifier", nil) }))
	assert.ErrorContains(t, (&analytics.AnomalyNotifierProps{SkipAlarms: true, AlarmActions: []awscloudwatch.IAlarmAction{pager(stack)}}).Validate(),
		"alarm actions are given and the alarms skipped: do one of the two")
}
