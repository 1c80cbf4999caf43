package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/observe"
)

// Operations is what the person on call has: one alarm a symptom, and the dashboard. The
// alarms themselves are parts of what they watch, and who is told of them is in
// [Foundation], since a confirmed subscription must not be replaced.
type Operations struct {
	Stack     awscdk.Stack
	Symptoms  *observe.Symptoms // nil where composite alarms are skipped
	Dashboard *observe.Dashboard
}

// NewOperations defines env's Operations stack on top of the others.
func NewOperations(scope constructs.Construct, env Environment, foundation *Foundation, pipeline *Pipeline) *Operations {
	stack := newStack(scope, env, "Operations", false)

	var symptoms *observe.Symptoms
	if !env.Operation.SkipSymptoms {
		symptoms = observe.NewSymptoms(stack, "Symptoms", &observe.SymptomsProps{Alerts: foundation.Alerts})
	}
	columns := []observe.Column{
		{Title: "Ingest", Of: pipeline.API},
		{Title: "Stream", Of: foundation.Core},
		{Title: "Lake", Of: pipeline.Lake},
	}
	if pipeline.Parquet != nil {
		columns = append(columns, observe.Column{Title: "Parquet", Of: pipeline.Parquet})
	}
	columns = append(columns,
		observe.Column{Title: "Loader", Of: pipeline.Loader},
		observe.Column{Title: "Database", Of: foundation.Database},
	)
	dashboard := observe.NewDashboard(stack, "Line", &observe.DashboardProps{
		Name:     "Millrace-" + env.Name,
		Symptoms: symptoms,
		Columns:  columns,
		Lag:      []awscloudwatch.IMetric{foundation.Core.MetricIteratorAge(nil)},
		Cost: &observe.Cost{
			Requests: pipeline.API.MetricRequests(hourly()),
			Records:  foundation.Core.MetricIncomingRecords(hourly()),
			Bytes:    foundation.Core.MetricIncomingBytes(hourly()),
			Prices:   env.Operation.Prices,
		},
	})
	output(stack, "DashboardName", dashboard.Name(), "The dashboard of the whole line.")
	return &Operations{Stack: stack, Symptoms: symptoms, Dashboard: dashboard}
}

func hourly() *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Period: awscdk.Duration_Hours(jsii.Number(1))}
}

// alert has alerts told of every alarm of all, less those that the target does not know.
func alert(env Environment, alerts *observe.Alerts, all ...observe.Watched) {
	if env.Operation.SkipMathAlarms {
		for _, watched := range all {
			for _, alarm := range watched.Alarms() {
				if alarm.Node().DefaultChild().(awscloudwatch.CfnAlarm).Metrics() != nil {
					alarm.Node().TryRemoveChild(jsii.String("Resource"))
				}
			}
		}
	}
	alerts.Watch(all...)
}
