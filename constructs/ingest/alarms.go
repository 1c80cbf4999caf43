package ingest

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// The limits of the alarms, each over periods of five minutes. AWS recommends alarms on the
// same metrics, over minutes: a share of 5XX and of 4XX of 5 %, 2.5 seconds of latency at the 90th percentile.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html#ApiGateway
const (
	// alarmServerErrors is the share of 5XX answers in percent: less than AWS's, since a retry at once would
	// send such a request again, so a hundredth is felt.
	alarmServerErrors = 1
	// alarmClientErrors is the share of 4XX answers in percent: more than AWS's, since single clients err; a
	// tenth of all requests is a release, a credential or a limit.
	alarmClientErrors = 10
	// alarmLatency is of the 99th percentile in milliseconds, far above what a put takes
	// and far below API Gateway's timeout of 29 seconds.
	alarmLatency = 1000
	// alarmDropBand is how many standard deviations below what is usual at this hour are a drop.
	alarmDropBand = 3
)

// MetricRequests is how many requests came, of whatever answer. Default: the sum over five minutes.
func (a *IngestApi) MetricRequests(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("Count", "Sum", options)
}

// MetricServerErrors is how many requests were answered with 5XX. Its statistic Average is
// their share, 0 to 1. Default: the sum over five minutes.
func (a *IngestApi) MetricServerErrors(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("5XXError", "Sum", options)
}

// MetricClientErrors is how many requests were answered with 4XX, throttled ones among them.
// Its statistic Average is their share, 0 to 1. Default: the sum over five minutes.
func (a *IngestApi) MetricClientErrors(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("4XXError", "Sum", options)
}

// MetricLatency is from a request's arrival to its answer, in milliseconds. Default: the
// 99th percentile over five minutes.
func (a *IngestApi) MetricLatency(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.metric("Latency", "p99", options)
}

// metric is one of the stage's.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
func (a *IngestApi) metric(name, statistic string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return a.RestApi.DeploymentStage().Metric(&name, watch.Options(&statistic, options))
}

// Alarms are those of server errors, client errors, latency and a drop of requests; none with SkipAlarms.
func (a *IngestApi) Alarms() []awscloudwatch.Alarm { return slices.Clone(a.alarms) }

// mark says of an alarm what it is a symptom of, and how soon somebody has to look.
func mark(id string) watch.Mark {
	severity := map[string]watch.Severity{
		"ServerErrors": watch.Critical,
		"ClientErrors": watch.Critical,
		"Latency":      watch.Warning, // slow clients still hand over their events
		"RequestDrop":  watch.Warning, // what is unusual may be a holiday
	}[id]
	return watch.Mark{Section: "ingest " + id, Symptom: watch.Refused, Severity: severity}
}

func (a *IngestApi) addAlarms(p IngestApiProps) {
	if p.SkipAlarms {
		return
	}
	alarms := constructs.NewConstruct(a, jsii.String("Alarms"))
	name := *a.Node().Path()
	share := &awscloudwatch.MetricOptions{Statistic: jsii.String("Average")}

	// No request is no error and no latency: missing data breaches nothing.
	serverErrors := awscloudwatch.NewAlarm(alarms, jsii.String("ServerErrors"), &awscloudwatch.AlarmProps{
		AlarmName:         jsii.String(watch.Name(alarms, "ServerErrors")),
		Metric:            a.MetricServerErrors(share),
		Threshold:         jsii.Number(alarmServerErrors / 100.0),
		EvaluationPeriods: jsii.Number(3), DatapointsToAlarm: jsii.Number(2),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		AlarmDescription: jsii.Sprintf("%s answers over %d %% of requests with 5XX: clients have to send these events again. "+
			"Look first at integration_status in the access log: a number is Kinesis's answer (see the stream's and its key's state), "+
			"a dash means that API Gateway did not reach it.", name, alarmServerErrors),
	})
	clientErrors := awscloudwatch.NewAlarm(alarms, jsii.String("ClientErrors"), &awscloudwatch.AlarmProps{
		AlarmName:          jsii.String(watch.Name(alarms, "ClientErrors")),
		Metric:             a.MetricClientErrors(share),
		Threshold:          jsii.Number(alarmClientErrors / 100.0),
		EvaluationPeriods:  jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		AlarmDescription: jsii.Sprintf("%s refuses over %d %% of requests with 4XX: events may be lost at the clients. "+
			"Look first at status in the access log: 429 is a limit of the API or of the stream, 401 and 403 are credentials or the WAF (waf_response), "+
			"400, 413 and 415 are a client's release (api_key_id, caller).", name, alarmClientErrors),
	})
	latency := awscloudwatch.NewAlarm(alarms, jsii.String("Latency"), &awscloudwatch.AlarmProps{
		AlarmName:          jsii.String(watch.Name(alarms, "Latency")),
		Metric:             a.MetricLatency(nil),
		Threshold:          jsii.Number(alarmLatency),
		EvaluationPeriods:  jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		// The 99th percentile of a handful of requests is one slow request.
		EvaluateLowSampleCountPercentile: jsii.String("ignore"),
		AlarmDescription: jsii.Sprintf("One request in a hundred to %s takes over %d ms: clients time out and send again. "+
			"Look first at integration_latency_ms in the access log: high, it is the stream (throttling, its key); low, it is the authorizer, the WAF or API Gateway.", name, alarmLatency),
	})
	// API Gateway sends no Count where nothing comes, hence FILL. An API that rests has zeroes for
	// usual, and zero is not below them. Of an API that never had a request even FILL may
	// have nothing (not documented): then the alarm keeps its state.
	drop := awscloudwatch.NewAnomalyDetectionAlarm(alarms, jsii.String("RequestDrop"), &awscloudwatch.AnomalyDetectionAlarmProps{
		AlarmName: jsii.String(watch.Name(alarms, "RequestDrop")),
		Metric: awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression:   jsii.String("FILL(requests, 0)"),
			UsingMetrics: &map[string]awscloudwatch.IMetric{"requests": a.MetricRequests(nil)},
			Label:        jsii.String("Requests"),
			Period:       awscdk.Duration_Minutes(jsii.Number(5)),
		}),
		StdDevs:            jsii.Number(alarmDropBand),
		EvaluationPeriods:  jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_LESS_THAN_LOWER_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_IGNORE,
		AlarmDescription: jsii.Sprintf("%s has had far fewer requests for 15 minutes than is usual at this hour: clients may not reach it. "+
			"Look first at its address from outside (DNS, certificate, GET on the health path), then at whether a client was released.", name),
	})

	for _, alarm := range []awscloudwatch.Alarm{serverErrors, clientErrors, latency, drop} {
		mark(*alarm.Node().Id()).Put(alarm)
		watch.Tell(alarm, p.AlarmActions)
		a.alarms = append(a.alarms, alarm)
	}
}
