package analytics_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/analytics"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/lambdas/aggregator"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// windows returns an aggregate of these props over a stream of another stack, and the stack that has nothing else in it.
func windows(edit func(awscdk.Stack, *analytics.WindowedAggregateProps)) (*analytics.WindowedAggregate, awscdk.Stack) {
	app := cdktest.NewApp()
	core := stream.NewStreamingCore(awscdk.NewStack(app, jsii.String("Ground"), nil), "Core", nil)
	stack := awscdk.NewStack(app, jsii.String("Test"), nil)
	props := &analytics.WindowedAggregateProps{Source: core.Stream, Key: "$.device.id", Values: []spec.WindowValue{{Name: "level"}}}
	if edit != nil {
		edit(stack, props)
	}
	return analytics.NewWindowedAggregate(stack, "Windows", props), stack
}

func windowsPager(stack awscdk.Stack) awscloudwatch.IAlarmAction {
	return awscloudwatchactions.NewSnsAction(awssns.Topic_FromTopicArn(stack, jsii.String("Pager"), jsii.String("arn:aws:sns:eu-west-1:111122223333:pager")))
}

// theOne returns the ID and the resource of a type whose ID begins with prefix.
func theOne(t *testing.T, stack awscdk.Stack, resourceType, prefix string) (string, map[string]any) {
	t.Helper()
	var ids []string
	all := *cdktest.Template(stack).FindResources(&resourceType, nil)
	for id := range all {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	require.Len(t, ids, 1, "resources of type %s that begin with %s", resourceType, prefix)
	return ids[0], *all[ids[0]]
}

func TestGoldenOfWindows(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		_, stack := windows(nil)
		cdktest.Golden(t, stack, "windows-minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		_, stack := windows(func(stack awscdk.Stack, p *analytics.WindowedAggregateProps) {
			p.EventTypes, p.EventType = []string{"measured"}, "level_per_minute"
			p.Window, p.Lateness = awscdk.Duration_Minutes(jsii.Number(5)), awscdk.Duration_Seconds(jsii.Number(30))
			p.StartingPosition, p.Disabled = awslambda.StartingPosition_LATEST, true
			p.BatchSize, p.BatchWindow = 10_000, awscdk.Duration_Seconds(jsii.Number(5))
			p.RetryAttempts, p.MaxRecordAge = 100, awscdk.Duration_Days(jsii.Number(3))
			p.FailureRetention, p.MaxLag = awscdk.Duration_Days(jsii.Number(365)), awscdk.Duration_Minutes(jsii.Number(10))
			p.AlarmActions = []awscloudwatch.IAlarmAction{windowsPager(stack)}
			p.Architecture, p.Timeout, p.MemoryMiB = awslambda.Architecture_X86_64(), awscdk.Duration_Minutes(jsii.Number(5)), 1_024
			p.LogRetention, p.RemovalPolicy = awslogs.RetentionDays_ONE_YEAR, awscdk.RemovalPolicy_DESTROY
			p.Configure = func(f *awslambda.FunctionProps) { f.ReservedConcurrentExecutions = jsii.Number(8) }
		})
		cdktest.Golden(t, stack, "windows-everything")
	})
	t.Run("bring your own", func(t *testing.T) {
		_, stack := windows(func(stack awscdk.Stack, p *analytics.WindowedAggregateProps) {
			p.Source = awskinesis.NewStream(stack, jsii.String("TheirStream"), nil)
			p.Results = awskinesis.Stream_FromStreamArn(stack, jsii.String("TheirResults"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/results"))
			p.OnFailure = awss3.NewBucket(stack, jsii.String("TheirBucket"), nil)
		})
		cdktest.Golden(t, stack, "windows-bring-your-own")
	})
}

func TestTheMappingHasWindowsBisectsRetriesToAnEndAndKeepsWhatFailed(t *testing.T) {
	_, stack := windows(nil)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"TumblingWindowInSeconds":        60,
		"StartingPosition":               "TRIM_HORIZON",
		"BatchSize":                      1_000,
		"MaximumBatchingWindowInSeconds": 1,
		"MaximumRetryAttempts":           500,
		"MaximumRecordAgeInSeconds":      43_200,
		"MetricsConfig":                  map[string]any{"Metrics": []any{"EventCount"}},
		"FunctionResponseTypes":          []any{"ReportBatchItemFailures"},
		"BisectBatchOnFunctionError":     true,
		"ParallelizationFactor":          assertions.Match_Absent(),
		"Enabled":                        assertions.Match_Absent(),
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": map[string]any{
			"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^WindowsOnFailure")), "Arn"},
		}}},
	})
}

func TestTheFunctionIsToldWhatToCountAndWhere(t *testing.T) {
	_, stack := windows(func(_ awscdk.Stack, p *analytics.WindowedAggregateProps) {
		p.Lateness = awscdk.Duration_Minutes(jsii.Number(2))
	})
	_, function := theOne(t, stack, "AWS::Lambda::Function", "WindowsAggregator")
	variable := function["Properties"].(map[string]any)["Environment"].(map[string]any)["Variables"].(map[string]any)[spec.Variable]
	joined := variable.(map[string]any)["Fn::Join"].([]any)[1].([]any)
	var text strings.Builder
	for _, part := range joined {
		if fixed, ok := part.(string); ok {
			text.WriteString(fixed)
		} else {
			assert.Equal(t, "Arn", part.(map[string]any)["Fn::GetAtt"].([]any)[1])
			text.WriteString("ARN")
		}
	}
	var got spec.Windows
	require.NoError(t, spec.Decode(text.String(), &got))
	assert.Equal(t, spec.Windows{Results: "ARN", EventType: "window", Key: "$.device.id", Values: []spec.WindowValue{{Name: "level"}}, LatenessSeconds: 120}, got)
	_, err := aggregator.New(got)
	assert.NoError(t, err)
}

func TestTheFunctionMayReadTheStreamPutResultsAndKeepFailuresAndNothingElse(t *testing.T) {
	_, stack := windows(nil)
	_, policy := theOne(t, stack, "AWS::IAM::Policy", "WindowsAggregatorRoleDefaultPolicy")
	text, err := json.Marshal(policy["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)["Statement"])
	require.NoError(t, err)
	var statements []struct {
		Action   any
		Resource any
	}
	require.NoError(t, json.Unmarshal(text, &statements))
	var got []string
	for _, s := range statements {
		actions, several := s.Action.([]any)
		if !several {
			actions = []any{s.Action}
		}
		on, err := json.Marshal(s.Resource)
		require.NoError(t, err)
		where := "?"
		for _, name := range []string{"OnFailure", "AggregatorLogGroup", "ResultsStream", "ResultsKey", "CoreStream", "CoreKey"} {
			if strings.Contains(string(on), name) {
				where = name
			}
		}
		for _, action := range actions {
			got = append(got, action.(string)+" on "+where)
		}
		assert.NotContains(t, string(on), `"*"`)
	}
	slices.Sort(got)
	assert.Equal(t, []string{
		"kinesis:DescribeStream on CoreStream", "kinesis:DescribeStreamSummary on CoreStream", "kinesis:GetRecords on CoreStream",
		"kinesis:GetShardIterator on CoreStream", "kinesis:ListShards on CoreStream", "kinesis:PutRecords on ResultsStream",
		"kms:Decrypt on CoreKey", "kms:GenerateDataKey on CoreKey", "kms:GenerateDataKey on ResultsKey",
		"logs:CreateLogStream on AggregatorLogGroup", "logs:PutLogEvents on AggregatorLogGroup",
		"s3:ListBucket on OnFailure", "s3:PutObject on OnFailure",
	}, got)
}

func TestTheAggregateWatchesItsFunctionAndWhatItCouldNotCount(t *testing.T) {
	w, stack := windows(func(stack awscdk.Stack, p *analytics.WindowedAggregateProps) {
		p.Results = awskinesis.Stream_FromStreamArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/results"))
	})
	function, _ := theOne(t, stack, "AWS::Lambda::Function", "WindowsAggregator")
	mapping, _ := theOne(t, stack, "AWS::Lambda::EventSourceMapping", "")
	byFunction := []any{map[string]any{"Name": "FunctionName", "Value": map[string]any{"Ref": function}}}
	byMapping := []any{map[string]any{"Name": "EventSourceMappingUUID", "Value": map[string]any{"Ref": mapping}}}
	own := func(metric string, periods int) map[string]any {
		return map[string]any{"MetricName": metric, "Namespace": aggregator.MetricNamespace, "EvaluationPeriods": periods}
	}
	want := map[string]map[string]any{
		"Errors":           {"MetricName": "Errors", "EvaluationPeriods": 3},
		"Throttles":        {"MetricName": "Throttles", "EvaluationPeriods": 3},
		"Duration":         {"MetricName": "Duration", "Statistic": "Maximum", "Threshold": 48_000, "EvaluationPeriods": 3},
		"IteratorAge":      {"MetricName": "IteratorAge", "Statistic": "Maximum", "Threshold": 301_000, "EvaluationPeriods": 3},
		"Unusable":         own(aggregator.MetricUnusable, 1),
		"Spilled":          own(aggregator.MetricSpilled, 3),
		"TerminatedEarly":  own(aggregator.MetricTerminatedEarly, 1),
		"KeptOnFailure":    {"MetricName": "OnFailureDestinationDeliveredEventCount", "Dimensions": byMapping},
		"OnFailureRefused": {"MetricName": "DestinationDeliveryFailures"},
		"Dropped":          {"MetricName": "DroppedEventCount", "Dimensions": byMapping},
	}
	require.Len(t, w.Alarms(), len(want))
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::CloudWatch::Alarm"), jsii.Number(len(want)))
	for id, properties := range want {
		all := map[string]any{
			"AlarmName": "Test-Windows-" + id, "AlarmDescription": assertions.Match_StringLikeRegexp(jsii.String("#windows-" + strings.ToLower(id) + "$")),
			"Namespace": "AWS/Lambda", "Period": 300, "Dimensions": byFunction, "Statistic": "Sum", "Threshold": 0,
			"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
		}
		maps.Copy(all, properties)
		template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), all)
	}
}

func TestTheAlarmsOfANewStreamOfResultsAreAmongThem(t *testing.T) {
	w, stack := windows(nil)
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::CloudWatch::Alarm"), jsii.Number(len(w.Alarms())))
}

func TestTheMetricsAreTheAggregatorsOwnByTheNamesThatItWrites(t *testing.T) {
	w, _ := windows(nil)
	for name, metric := range map[string]awscloudwatch.Metric{
		aggregator.MetricEvents: w.MetricEvents(nil), aggregator.MetricLate: w.MetricLate(nil), aggregator.MetricUnusable: w.MetricUnusable(nil),
		aggregator.MetricRepeated: w.MetricRepeated(nil), aggregator.MetricRows: w.MetricRows(nil), aggregator.MetricSpilled: w.MetricSpilled(nil),
		aggregator.MetricTerminatedEarly: w.MetricTerminatedEarly(nil),
	} {
		assert.Equal(t, aggregator.MetricNamespace, *metric.Namespace())
		assert.Equal(t, name, *metric.MetricName())
		assert.Contains(t, *metric.Dimensions(), aggregator.MetricDimension)
	}
}

func TestAlarmsOfWindowsTellWhomTheyAreGivenOrAreSkipped(t *testing.T) {
	_, stack := windows(func(stack awscdk.Stack, p *analytics.WindowedAggregateProps) {
		p.AlarmActions = []awscloudwatch.IAlarmAction{windowsPager(stack)}
	})
	told := []any{"arn:aws:sns:eu-west-1:111122223333:pager"}
	cdktest.Template(stack).AllResourcesProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"AlarmActions": told, "OKActions": told})

	w, stack := windows(func(_ awscdk.Stack, p *analytics.WindowedAggregateProps) { p.SkipAlarms = true })
	assert.Empty(t, w.Alarms())
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::CloudWatch::Alarm"), jsii.Number(0))
}

func TestTheTableOfTheResultsIsTheLoaders(t *testing.T) {
	w, _ := windows(func(_ awscdk.Stack, p *analytics.WindowedAggregateProps) { p.EventType = "per_minute" })
	table := w.Table("levels")
	require.NoError(t, table.Validate())
	assert.Equal(t, []string{"per_minute"}, table.EventTypes)
}

func TestAnAggregateIsAScopeAndLeavesItsPropsAlone(t *testing.T) {
	props := &analytics.WindowedAggregateProps{Source: awskinesis.NewStream(cdktest.NewStack(), jsii.String("Stream"), nil)}
	before := *props
	w := analytics.NewWindowedAggregate(awscdk.Stack_Of(props.Source), "Windows", props)
	assert.Equal(t, "Test/Windows/Child", *constructs.NewConstruct(w, jsii.String("Child")).Node().Path())
	assert.Equal(t, before, *props)
}

func TestEveryProblemOfAWindowedAggregateIsToldAtOnce(t *testing.T) {
	source := awskinesis.NewStream(cdktest.NewStack(), jsii.String("Stream"), nil)
	err := (&analytics.WindowedAggregateProps{
		Source: source, Results: source, Key: "device", Values: []spec.WindowValue{{Name: "A"}}, EventTypes: []string{"window"},
		Window: awscdk.Duration_Seconds(jsii.Number(901)), Lateness: awscdk.Duration_Millis(jsii.Number(1)),
		StartingPosition: awslambda.StartingPosition_AT_TIMESTAMP, BatchSize: 10_001, BatchWindow: awscdk.Duration_Seconds(jsii.Number(301)), RetryAttempts: -1,
		MaxRecordAge: awscdk.Duration_Days(jsii.Number(1)), OnFailure: awss3.Bucket_FromBucketName(source, jsii.String("Bucket"), jsii.String("theirs")),
		FailureRetention: awscdk.Duration_Hours(jsii.Number(1)), MaxLag: awscdk.Duration_Seconds(jsii.Number(59)),
		SkipAlarms: true, AlarmActions: []awscloudwatch.IAlarmAction{nil},
	}).Validate()
	for _, problem := range []string{
		"results must be another stream than source", `key: path must be like $.device.id, $.tags[0] or $['odd name'], got "device"`, `got "A"`,
		"event types must not have the results' own, window", "window must be 1 to 900 whole seconds, got 901", "lateness must be 0 to", "got 0.001",
		`starting position must be TRIM_HORIZON or LATEST, got "AT_TIMESTAMP"`, "batch size must be 1 to 10000, got 10001",
		"batch window must be 0 to 300 whole seconds, got 301", "retry attempts must be 1 to 10000, got -1", "max record age must be less than the retention of source, 24 hours",
		"failure retention is of a new bucket", "failure retention must be 1 to", "max lag must be 60 to 604800 whole seconds, got 59", "alarm actions are given and the alarms skipped",
	} {
		assert.ErrorContains(t, err, problem)
	}
	assert.ErrorContains(t, (*analytics.WindowedAggregateProps)(nil).Validate(), "source is required: pass the stream to aggregate")
	assert.ErrorContains(t, (&analytics.WindowedAggregateProps{Source: source, EventTypes: []string{strings.Repeat("x", 3_500)}}).Validate(), "must be at most 3500 bytes of JSON")
	assert.Contains(t, cdktest.Panics(t, func() { analytics.NewWindowedAggregate(source, "Windows", nil) }), "analytics: Windows: source is required")
}
