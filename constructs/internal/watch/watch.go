// Package watch is how the constructs make metrics and alarms.
package watch

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
)

// Options returns options, which may be nil and are not changed, with statistic unless they have one.
func Options(statistic *string, options *awscloudwatch.MetricOptions) *awscloudwatch.MetricOptions {
	q := awscloudwatch.MetricOptions{}
	if options != nil {
		q = *options
	}
	if q.Statistic == nil {
		q.Statistic = statistic
	}
	return &q
}

// Alarm defines an alarm in scope that tells actions of itself and of its end.
func Alarm(scope constructs.Construct, id string, props *awscloudwatch.AlarmProps, actions []awscloudwatch.IAlarmAction) awscloudwatch.Alarm {
	alarm := awscloudwatch.NewAlarm(scope, &id, props)
	Tell(alarm, actions)
	return alarm
}

// Tell has alarm tell actions of itself and of its end.
func Tell(alarm awscloudwatch.Alarm, actions []awscloudwatch.IAlarmAction) {
	alarm.AddAlarmAction(actions...)
	alarm.AddOkAction(actions...)
}
