package database

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// The limits of the alarms, each over periods of five minutes. AWS recommends alarms on the
// same metrics, over minutes: 90 % of the processor, the others at the user's choosing.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html#RDS
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
	// alarmStorageDays is how many days the free storage lasts at the day's rate: time to raise the maximum.
	alarmStorageDays = 7
	// alarmBorrow is how long a client of the proxy waits for a connection in milliseconds, on average:
	// of those that are free it gets one at once.
	alarmBorrow = 1000
)

// mark says of an alarm what it is a symptom of, and how soon somebody has to look.
func mark(id string) watch.Mark {
	severity := map[string]watch.Severity{
		"CPU":            watch.Critical,
		"FreeableMemory": watch.Critical,
		"FreeStorage":    watch.Critical,
		"StorageDays":    watch.Warning,
		"Connections":    watch.Critical,
		"ProxyBorrow":    watch.Critical,
		"ProxyLogins":    watch.Warning, // a single client may have the wrong rights
	}[id]
	return watch.Mark{Section: "database " + id, Symptom: watch.Database, Severity: severity}
}

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

// Alarms are those of the processor, memory, storage, the days until it is full, connections, and
// the proxy if there is one; none with SkipAlarms. That of memory needs an InstanceType, and that of connections a
// MaxConnections, which are known at synth.
func (db *PrivateRds) Alarms() []awscloudwatch.Alarm { return slices.Clone(db.alarms) }

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
		db.alarms = append(db.alarms, watch.Alarm(scope, id, mark(id), props, p.AlarmActions))
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
	add("StorageDays", &awscloudwatch.AlarmProps{
		Metric:             db.metricStorageDays(),
		Threshold:          jsii.Number(alarmStorageDays),
		EvaluationPeriods:  jsii.Number(4),
		DatapointsToAlarm:  jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD,
		// The rate is known from the second datapoint on only.
		TreatMissingData: awscloudwatch.TreatMissingData_NOT_BREACHING,
		AlarmDescription: jsii.Sprintf("%s fills its free storage in under %d days at the rate of the last day. RDS makes it larger up to %d GiB. "+
			"Look first at the largest tables, then raise that maximum.", name, alarmStorageDays, p.MaxAllocatedStorageGiB),
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
	if db.Proxy != nil {
		db.addProxyAlarms(name, add)
	}
}

// addProxyAlarms adds those of the proxy's metrics.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.monitoring.html
func (db *PrivateRds) addProxyAlarms(name string, add func(string, *awscloudwatch.AlarmProps)) {
	metric := func(metric string, statistic *string) awscloudwatch.IMetric {
		return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String("AWS/RDS"), MetricName: &metric, Statistic: statistic,
			DimensionsMap: &map[string]*string{"ProxyName": db.Proxy.DbProxyName()},
		})
	}
	add("ProxyBorrow", &awscloudwatch.AlarmProps{
		Metric:             metric("DatabaseConnectionsBorrowLatency", awscloudwatch.Stats_AVERAGE()),
		Threshold:          jsii.Number(alarmBorrow * 1000), // the metric is in microseconds
		EvaluationPeriods:  jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING, // nobody asks for a connection
		AlarmDescription: jsii.Sprintf("Clients of the proxy of %s wait for over %d ms for a connection, then are refused. "+
			"Look first at pinned sessions (DatabaseConnectionsCurrentlySessionPinned), then at the loader's concurrency.", name, alarmBorrow),
	})
	add("ProxyLogins", &awscloudwatch.AlarmProps{
		Metric:             metric("ClientConnectionsSetupFailedAuth", awscloudwatch.Stats_SUM()),
		Threshold:          jsii.Number(0),
		EvaluationPeriods:  jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		AlarmDescription: jsii.Sprintf("The proxy of %s refuses logins for 15 minutes on end: a token, a role or TLS. "+
			"Look first at the client's rights to rds-db:connect.", name),
	})
}

// metricStorageDays is how many days the free storage lasts, 1000 where it does not shrink.
// Six hours a period keep a single load, and RDS's own enlargement, from being taken for the rate.
func (db *PrivateRds) metricStorageDays() awscloudwatch.IMetric {
	period := awscdk.Duration_Hours(jsii.Number(6))
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   jsii.String("IF(RATE(free) < 0, free / (RATE(free) * -86400), 1000)"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{"free": db.MetricFreeStorage(&awscloudwatch.MetricOptions{Period: period})},
		Label:        jsii.String("Days of storage left"),
		Period:       period,
	})
}
