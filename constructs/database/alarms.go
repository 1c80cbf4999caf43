package database

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// The limits of the alarms, each over periods of five minutes.
const (
	// alarmCPU is in percent. A loader that catches up may use it all for minutes.
	alarmCPU = 90
	// alarmMemory is what is left in percent of the class's memory: below it Postgres loses its cache, then the server swaps.
	alarmMemory = 5
	// alarmStorage is what is left in percent of AllocatedStorageGiB. RDS grows the volume when a
	// tenth has been left for five minutes, once in six hours.
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
	alarmStorage = 8
	// alarmConnections is in percent of MaxConnections, of which Postgres keeps some for itself.
	alarmConnections = 80
)

const bytesPerGiB = 1 << 30

// MetricCPU is the processor's use in percent. Default: the average over five minutes.
func (db *PrivateRds) MetricCPU(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return db.metric("CPUUtilization", "Average", options)
}

// MetricFreeableMemory is the memory that can be had, in bytes. Default: the least in five minutes.
func (db *PrivateRds) MetricFreeableMemory(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return db.metric("FreeableMemory", "Minimum", options)
}

// MetricFreeStorage is the storage that is left, in bytes. Default: the least in five minutes.
func (db *PrivateRds) MetricFreeStorage(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return db.metric("FreeStorageSpace", "Minimum", options)
}

// MetricConnections is how many connections are open. Default: the most in five minutes.
func (db *PrivateRds) MetricConnections(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return db.metric("DatabaseConnections", "Maximum", options)
}

// metric is one of the instance's.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
func (db *PrivateRds) metric(name, statistic string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return db.Instance.Metric(&name, watch.Options(&statistic, options))
}

// Alarms are those of the processor, memory, storage and connections; none with
// SkipAlarms. That of memory needs an InstanceType, and that of connections a
// MaxConnections, which are known at synth.
func (db *PrivateRds) Alarms() []awscloudwatch.IAlarm { return db.alarms }

func (db *PrivateRds) addAlarms(p *PrivateRdsProps) {
	if p.SkipAlarms {
		return
	}
	scope := constructs.NewConstruct(db, jsii.String("Alarms"))
	name := *db.Node().Path()
	add := func(id string, props *awscloudwatch.AlarmProps) {
		if props.TreatMissingData == "" {
			props.TreatMissingData = awscloudwatch.TreatMissingData_MISSING
		}
		db.alarms = append(db.alarms, watch.Alarm(scope, id, props, p.AlarmActions))
	}
	add("CPU", &awscloudwatch.AlarmProps{
		Metric:             db.MetricCPU(nil),
		Threshold:          jsii.Number(alarmCPU),
		EvaluationPeriods:  jsii.Number(6),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		// A server that says nothing for half an hour is down or unreachable for RDS too.
		TreatMissingData: awscloudwatch.TreatMissingData_BREACHING,
		AlarmDescription: jsii.Sprintf("%s has used over %d %% of its processor for 30 minutes, or has reported nothing: the loader falls behind. "+
			"Look first at Database Insights, which names the statement, then at the class.", name, alarmCPU),
	})
	if memory := memoryGiB(*p.InstanceType.ToString()); memory > 0 {
		add("FreeableMemory", &awscloudwatch.AlarmProps{
			Metric:             db.MetricFreeableMemory(nil),
			Threshold:          jsii.Number(float64(int(memory * bytesPerGiB * alarmMemory / 100))),
			EvaluationPeriods:  jsii.Number(3),
			ComparisonOperator: awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD,
			AlarmDescription: jsii.Sprintf("%s has under %d %% of its %g GiB of memory left: it will swap, then restart. "+
				"Look first at the connections and at enhanced monitoring, then at the class.", name, alarmMemory, memory),
		})
	}
	add("FreeStorage", &awscloudwatch.AlarmProps{
		Metric:             db.MetricFreeStorage(nil),
		Threshold:          jsii.Number(float64(p.AllocatedStorageGiB * bytesPerGiB / 100 * alarmStorage)),
		EvaluationPeriods:  jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD,
		AlarmDescription: jsii.Sprintf("%s has little storage left, and RDS has not made it larger: a full disk stops the server. "+
			"Look first whether the storage is at its maximum of %d GiB, or grew less than six hours ago.", name, p.MaxAllocatedStorageGiB),
	})
	if p.MaxConnections > 0 {
		add("Connections", &awscloudwatch.AlarmProps{
			Metric:             db.MetricConnections(nil),
			Threshold:          jsii.Number(p.MaxConnections * alarmConnections / 100),
			EvaluationPeriods:  jsii.Number(3),
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
			AlarmDescription: jsii.Sprintf("%s has over %d %% of its %d connections open: clients will be refused. "+
				"Look first at pg_stat_activity by user, then at the loader's concurrency.", name, alarmConnections, p.MaxConnections),
		})
	}
}
