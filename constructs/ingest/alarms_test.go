package ingest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// alarm is an AWS::CloudWatch::Alarm as deployed.
type alarm struct {
	Properties struct {
		alarmMetric
		AlarmDescription                 string
		ComparisonOperator               string
		Threshold                        *float64
		ThresholdMetricId                string
		Period                           int
		EvaluationPeriods                int
		DatapointsToAlarm                int
		EvaluateLowSampleCountPercentile string
		TreatMissingData                 string
		AlarmActions, OKActions          []any
		Metrics                          []struct {
			Id, Expression string
			MetricStat     struct {
				Metric alarmMetric
				Period int
				Stat   string
			}
		}
	}
}

type alarmMetric struct {
	Namespace, MetricName, Statistic, ExtendedStatistic string
	Dimensions                                          []struct {
		Name  string
		Value any
	}
}

// ofStage asserts that m is a metric of the API's stage and no other.
func ofStage(t *testing.T, stack awscdk.Stack, api *ingest.IngestApi, m alarmMetric) {
	t.Helper()
	assert.Equal(t, "AWS/ApiGateway", m.Namespace)
	dimensions := map[string]any{}
	for _, d := range m.Dimensions {
		dimensions[d.Name] = d.Value
	}
	assert.Equal(t, map[string]any{"ApiName": "Test/Ingest", "Stage": stack.Resolve(api.RestApi.DeploymentStage().StageName())}, dimensions)
	assert.Equal(t, "Test/Ingest", only[struct{ Properties struct{ Name string } }](t, stack, "AWS::ApiGateway::RestApi").Properties.Name,
		"the dimension is the API's name")
}

// alarms returns the deployed alarms by the last part of their ids.
func alarms(t *testing.T, stack awscdk.Stack) map[string]alarm {
	t.Helper()
	all := map[string]alarm{}
	for id, deployed := range find[alarm](t, stack, "AWS::CloudWatch::Alarm") {
		for _, name := range []string{"ServerErrors", "ClientErrors", "Latency", "RequestDrop"} {
			if strings.Contains(id, name) {
				all[name] = deployed
			}
		}
	}
	return all
}

func TestTheAlarmsAreOnByDefault(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})
	deployed := alarms(t, stack)
	require.Len(t, deployed, 4)
	assert.Len(t, api.Alarms(), 4)
	for name, a := range deployed {
		assert.Contains(t, a.Properties.AlarmDescription, "Test/Ingest", name)
		assert.Contains(t, a.Properties.AlarmDescription, "Look first at", name)
		assert.LessOrEqual(t, len(a.Properties.AlarmDescription), 1024, "CloudWatch's limit of a description")
		assert.Equal(t, 3, a.Properties.EvaluationPeriods, name)
		assert.Empty(t, a.Properties.AlarmActions, name)
	}
	for name, want := range map[string]struct {
		metric, statistic string
		threshold         float64
	}{
		"ServerErrors": {"5XXError", "Average", 0.01},
		"ClientErrors": {"4XXError", "Average", 0.1},
		"Latency":      {"Latency", "p99", 1000},
	} {
		a := deployed[name].Properties
		ofStage(t, stack, api, a.alarmMetric)
		assert.Equal(t, want.metric, a.MetricName)
		assert.Equal(t, want.statistic, a.Statistic+a.ExtendedStatistic, name)
		require.NotNil(t, a.Threshold)
		assert.InDelta(t, want.threshold, *a.Threshold, 1e-9, name)
		assert.Equal(t, "GreaterThanThreshold", a.ComparisonOperator, name)
		assert.Equal(t, 300, a.Period, name)
		assert.Equal(t, "notBreaching", a.TreatMissingData, name)
	}
	assert.Equal(t, 2, deployed["ServerErrors"].Properties.DatapointsToAlarm)
	assert.Equal(t, "ignore", deployed["Latency"].Properties.EvaluateLowSampleCountPercentile)
}

func TestADropOfRequestsIsMeasuredAgainstWhatIsUsualAndRestIsNoDrop(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})
	drop := alarms(t, stack)["RequestDrop"].Properties
	assert.Equal(t, "LessThanLowerThreshold", drop.ComparisonOperator)
	assert.Equal(t, "ignore", drop.TreatMissingData, "an API that never had a request has no data")
	assert.Nil(t, drop.Threshold)
	expressions := map[string]string{}
	for _, m := range drop.Metrics {
		if m.Expression != "" {
			expressions[m.Id] = m.Expression
			continue
		}
		ofStage(t, stack, api, m.MetricStat.Metric)
		assert.Equal(t, "Count", m.MetricStat.Metric.MetricName)
		assert.Equal(t, "Sum", m.MetricStat.Stat)
		assert.Equal(t, 300, m.MetricStat.Period)
	}
	require.Len(t, expressions, 2)
	band := expressions[drop.ThresholdMetricId]
	assert.Regexp(t, `^ANOMALY_DETECTION_BAND\(\w+, 3\)$`, band)
	delete(expressions, drop.ThresholdMetricId)
	for id, filled := range expressions {
		assert.Equal(t, "FILL(requests, 0)", filled, "no request is no data, and must count as zero")
		assert.Contains(t, band, "("+id+",")
	}
}

func TestAlarmActionsAreToldOfAnAlarmAndOfItsEnd(t *testing.T) {
	stack := cdktest.NewStack()
	topic := awssns.NewTopic(stack, jsii.String("Topic"), nil)
	ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
		Stream: theirStream(stack, "events"), AlarmActions: []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(topic)},
	})
	want := []any{stack.Resolve(topic.TopicArn())}
	for name, a := range alarms(t, stack) {
		assert.Equal(t, want, a.Properties.AlarmActions, name)
		assert.Equal(t, want, a.Properties.OKActions, name)
	}
}

func TestAlarmsCanBeLeftOut(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{SkipAlarms: true})
	assert.Empty(t, find[any](t, stack, "AWS::CloudWatch::Alarm"))
	assert.Empty(t, api.Alarms())
}

func TestTheMetricsAreTheStagesAndTakeOptions(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{SkipAlarms: true})
	options := &awscloudwatch.MetricOptions{Statistic: jsii.String("Maximum"), Period: awscdk.Duration_Minutes(jsii.Number(1))}
	for _, metric := range []struct {
		of              func(*awscloudwatch.MetricOptions) awscloudwatch.Metric
		name, statistic string
	}{
		{api.MetricRequests, "Count", "Sum"},
		{api.MetricServerErrors, "5XXError", "Sum"},
		{api.MetricClientErrors, "4XXError", "Sum"},
		{api.MetricLatency, "Latency", "p99"},
	} {
		byDefault := metric.of(nil)
		assert.Equal(t, metric.name, *byDefault.MetricName())
		assert.Equal(t, metric.statistic, *byDefault.Statistic())
		assert.Equal(t, "5 minutes", *byDefault.Period().ToHumanString())
		dimensions, err := json.Marshal(stack.Resolve(byDefault.Dimensions()))
		require.NoError(t, err)
		stage, err := json.Marshal(stack.Resolve(api.RestApi.DeploymentStage().StageName()))
		require.NoError(t, err)
		assert.JSONEq(t, `{"ApiName":"Test/Ingest","Stage":`+string(stage)+`}`, string(dimensions))

		asked := metric.of(options)
		assert.Equal(t, "Maximum", *asked.Statistic(), metric.name)
		assert.Equal(t, "1 minute", *asked.Period().ToHumanString(), metric.name)
	}
	assert.Equal(t, "Maximum", *options.Statistic, "options are the caller's")
}
