package video

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// periodMinutes is what a metric sums up, unless it is told otherwise.
const periodMinutes = 5

// mark says of an alarm what it is a symptom of, and how soon somebody has to look.
func mark(id string) watch.Mark {
	m := map[string]watch.Mark{
		"ErrorAcks":        {Symptom: watch.Refused, Severity: watch.Critical}, // video is lost unless its producer has a buffer
		"ConnectionErrors": {Symptom: watch.Refused, Severity: watch.Warning},  // Silent says when it matters
		"Silent":           {Symptom: watch.Refused, Severity: watch.Critical},
	}[id]
	m.Section = "video " + id
	return m
}

// Alarms lists the alarms of each device, in the order of Devices, which are none with SkipAlarms, and else:
//
//   - ErrorAcks: fragments of its video are refused for 15 minutes on end.
//   - ConnectionErrors: it cannot connect for 15 minutes on end.
//   - Silent: no whole fragment came for MaxSilence, unless the devices are Intermittent.
func (v *VideoIngest) Alarms() []awscloudwatch.Alarm { return slices.Clone(v.alarms) }

func (v *VideoIngest) watch(p *VideoIngestProps, scope constructs.Construct, device string) {
	if p.SkipAlarms {
		return
	}
	path := *v.Node().Path() + "'s " + device + " "
	add := func(id, what string, metric awscloudwatch.IMetric, comparison awscloudwatch.ComparisonOperator, threshold, periods float64, missing awscloudwatch.TreatMissingData) {
		v.alarms = append(v.alarms, watch.Alarm(scope, id, mark(id), &awscloudwatch.AlarmProps{
			AlarmDescription:   jsii.String(path + what),
			Metric:             metric,
			Threshold:          &threshold,
			ComparisonOperator: comparison,
			EvaluationPeriods:  &periods,
			TreatMissingData:   missing,
		}, p.AlarmActions))
	}
	more, less := awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD, awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
	add("ErrorAcks", "sends fragments that are refused: they are lost unless it sends them again. Its producer's log has the code of the error acknowledgement.",
		v.MetricErrorAcks(device, nil), more, 0, 3, awscloudwatch.TreatMissingData_NOT_BREACHING)
	add("ConnectionErrors", "cannot connect. Its producer's log has the answer: look first at its credentials, then at the key's policy.",
		v.MetricConnectionErrors(device, nil), more, 0, 3, awscloudwatch.TreatMissingData_NOT_BREACHING)
	if !p.Intermittent {
		add("Silent", "has sent no video for "+*p.MaxSilence.ToHumanString()+". Look first at whether it has power and a network, then at its credentials.",
			v.MetricIncomingFragments(device, nil), less, 1, *p.MaxSilence.ToMinutes(nil)/periodMinutes, awscloudwatch.TreatMissingData_BREACHING)
	}
}

// MetricIncomingFragments is how many whole fragments a device has put, by
// default their sum in 5 minutes. It panics on a device that is none of Devices, as the others do.
// https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/monitoring-cloudwatch.html
func (v *VideoIngest) MetricIncomingFragments(device string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return v.metric(device, "PutMedia.IncomingFragments", awscloudwatch.Stats_SUM(), options)
}

// MetricIncomingBytes is how many bytes a device has put, by default their sum in 5 minutes.
func (v *VideoIngest) MetricIncomingBytes(device string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return v.metric(device, "PutMedia.IncomingBytes", awscloudwatch.Stats_SUM(), options)
}

// MetricErrorAcks is how many of a device's fragments were refused, by default their sum in 5 minutes.
func (v *VideoIngest) MetricErrorAcks(device string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return v.metric(device, "PutMedia.ErrorAckCount", awscloudwatch.Stats_SUM(), options)
}

// MetricConnectionErrors is how often a device could not connect, by default the sum in 5 minutes.
func (v *VideoIngest) MetricConnectionErrors(device string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return v.metric(device, "PutMedia.ConnectionErrors", awscloudwatch.Stats_SUM(), options)
}

// MetricMillisBehindNow is how far viewers of a device's video are behind, in
// milliseconds, by default the most in 5 minutes.
func (v *VideoIngest) MetricMillisBehindNow(device string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return v.metric(device, "GetMedia.MillisBehindNow", awscloudwatch.Stats_MAXIMUM(), options)
}

func (v *VideoIngest) metric(device, name string, statistic *string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return watch.Metric("AWS/KinesisVideo", name, map[string]*string{"StreamName": v.StreamName(device)}, statistic, options)
}
