package observe

import (
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// A dashboard's grid is 24 columns wide, its rows are about 45 pixels high on a laptop:
// what is red stands in the first nine, above the fold.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
const (
	gridWidth      = 24
	maxColumns     = 8
	symptomsHeight = 3
	statusHeight   = 6
	lagHeight      = 6
	graphHeight    = 5
	maxStatuses    = 100 // alarms of a widget
)

// Dashboard shows a line in the data's order: what is red, symptom by symptom and stage by stage; how far readers
// are behind and what a million events cost; then a column a stage, with a graph of each
// critical alarm's metric and its limit. It names alarms of other stacks by their
// names, so that a deploy of theirs never waits for it.
type Dashboard struct {
	constructs.Construct

	Dashboard awscloudwatch.Dashboard
}

// Name is the dashboard's.
func (d *Dashboard) Name() *string { return d.Dashboard.DashboardName() }

// Column is a stage of the line.
type Column struct {
	// Title is the stage's.
	Title string
	// Of has the stage's alarms.
	Of Watched
}

// DashboardProps configures [Dashboard].
type DashboardProps struct {
	// Columns are the stages in the data's order, 1 to 8. Required.
	Columns []Column
	// Symptoms stand above them.
	//
	// Default: none.
	Symptoms *Symptoms
	// Lag are metrics of how far readers are behind, in milliseconds.
	//
	// Default: none; there is no such graph.
	Lag []awscloudwatch.IMetric
	// Cost is what a million events cost.
	//
	// Default: none; there is no such graph.
	Cost *Cost
	// Name is the dashboard's, which must be one of the account's.
	//
	// Default: CloudFormation makes one.
	Name string
}

// Validate reports every problem of the props in one error.
func (p *DashboardProps) Validate() error {
	if p == nil || len(p.Columns) == 0 {
		return errors.New("columns must be given")
	}
	var errs []error
	if len(p.Columns) > maxColumns {
		errs = append(errs, fmt.Errorf("columns must be 1 to %d, got %d", maxColumns, len(p.Columns)))
	}
	for i, column := range p.Columns {
		if column.Title == "" || column.Of == nil {
			errs = append(errs, fmt.Errorf("columns must have a title and alarms, got column %d (%q) without", i+1, column.Title))
		} else if n := len(column.Of.Alarms()); n > maxStatuses {
			errs = append(errs, fmt.Errorf("column %s must have %d alarms at most, got %d", column.Title, maxStatuses, n))
		}
	}
	if p.Cost != nil {
		errs = append(errs, p.Cost.validate())
	}
	return errors.Join(errs...)
}

// NewDashboard defines a Dashboard in scope. It panics on invalid props (see [DashboardProps.Validate]).
func NewDashboard(scope constructs.Construct, id string, props *DashboardProps) *Dashboard {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("observe: %s: %w", id, err))
	}
	d := new(Dashboard)
	constructs.NewConstruct_Override(d, scope, &id)
	q := &awscloudwatch.DashboardProps{DefaultInterval: awscdk.Duration_Hours(jsii.Number(3))}
	if props.Name != "" {
		q.DashboardName = &props.Name
	}
	d.Dashboard = awscloudwatch.NewDashboard(d, jsii.String("Dashboard"), q)
	known := newReferences(d)
	if props.Symptoms != nil && len(props.Symptoms.Names()) > 0 {
		d.Dashboard.AddWidgets(symptoms(props.Symptoms))
	}
	d.Dashboard.AddWidgets(each(props, func(c Column, width float64) awscloudwatch.IWidget { return status(c, width, known) })...)
	if graphs := lagAndCost(props); len(graphs) > 0 {
		d.Dashboard.AddWidgets(graphs...)
	}
	d.Dashboard.AddWidgets(each(props, func(c Column, width float64) awscloudwatch.IWidget { return graphs(c, width, known) })...)
	return d
}

// each makes a widget a column.
func each(p *DashboardProps, widget func(Column, float64) awscloudwatch.IWidget) []awscloudwatch.IWidget {
	var all []awscloudwatch.IWidget
	for _, column := range p.Columns {
		all = append(all, widget(column, float64(gridWidth/len(p.Columns))))
	}
	return all
}

// symptoms names composite alarms, which are of the dashboard's own stack or of one before it.
func symptoms(s *Symptoms) awscloudwatch.IWidget {
	var alarms []interfacesawscloudwatch.IAlarmRef
	for _, symptom := range s.Names() {
		alarms = append(alarms, s.Composite(symptom))
	}
	return awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: jsii.String("Symptoms: each red one has paged"), Alarms: &alarms, Width: jsii.Number(gridWidth), Height: jsii.Number(symptomsHeight),
	})
}

// status is red where an alarm of the stage is.
func status(c Column, width float64, known *references) awscloudwatch.IWidget {
	alarms := []interfacesawscloudwatch.IAlarmRef{}
	for _, alarm := range c.Of.Alarms() {
		if !watch.LeftOut(alarm) {
			alarms = append(alarms, known.to(alarm))
		}
	}
	return awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: &c.Title, Alarms: &alarms, Width: &width, Height: jsii.Number(statusHeight),
	})
}

// graphs are the metrics of the stage's critical alarms, each with its limit.
func graphs(c Column, width float64, known *references) awscloudwatch.IWidget {
	var all []awscloudwatch.IWidget
	for _, alarm := range c.Of.Alarms() {
		if watch.LeftOut(alarm) || watch.Marked(alarm).Severity != Critical {
			continue
		}
		all = append(all, awscloudwatch.NewAlarmWidget(&awscloudwatch.AlarmWidgetProps{
			Title: jsii.String(c.Title + ": " + *alarm.Node().Id()), Alarm: known.to(alarm), Width: &width, Height: jsii.Number(graphHeight),
		}))
	}
	return awscloudwatch.NewColumn(all...)
}

func lagAndCost(p *DashboardProps) []awscloudwatch.IWidget {
	var all []awscloudwatch.IWidget
	if len(p.Lag) > 0 {
		all = append(all, awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: jsii.String("Lag: how far the slowest reader is behind"), Left: &p.Lag,
			LeftYAxis: &awscloudwatch.YAxisProps{Label: jsii.String("ms"), Min: jsii.Number(0), ShowUnits: jsii.Bool(false)},
			Width:     jsii.Number(gridWidth / 2), Height: jsii.Number(lagHeight),
		}))
	}
	if p.Cost != nil {
		all = append(all, awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: jsii.String("Cost per million events, at the prices of the props"), Left: &[]awscloudwatch.IMetric{p.Cost.metric()},
			LeftYAxis: &awscloudwatch.YAxisProps{Label: jsii.String("US dollars"), Min: jsii.Number(0), ShowUnits: jsii.Bool(false)},
			Width:     jsii.Number(gridWidth / 2), Height: jsii.Number(lagHeight),
		}))
	}
	return all
}
