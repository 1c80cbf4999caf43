package observe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// Releases watches a CodePipeline: that its executions do not fail.
type Releases struct {
	constructs.Construct

	alarms []awscloudwatch.Alarm
}

// ReleasesProps configures [Releases].
type ReleasesProps struct {
	// Pipeline is the one that releases. Required.
	Pipeline awscodepipeline.IPipeline
}

// Validate reports every problem of the props in one error.
func (p *ReleasesProps) Validate() error {
	if p == nil || p.Pipeline == nil {
		return errors.New("pipeline must be given")
	}
	return nil
}

// NewReleases defines Releases in scope. It panics on invalid props (see [ReleasesProps.Validate]).
func NewReleases(scope constructs.Construct, id string, props *ReleasesProps) *Releases {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("observe: %s: %w", id, err))
	}
	r := new(Releases)
	constructs.NewConstruct_Override(r, scope, &id)
	// https://docs.aws.amazon.com/codepipeline/latest/userguide/metrics-dimensions.html
	failed := awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String("AWS/CodePipeline"), MetricName: jsii.String("FailedPipelineExecutions"), Statistic: awscloudwatch.Stats_SUM(),
		DimensionsMap: &map[string]*string{"PipelineName": props.Pipeline.PipelineName()},
	})
	r.alarms = []awscloudwatch.Alarm{single(r, "Failed", watch.Mark{Section: "releases Failed", Symptom: Release, Severity: Warning},
		"failed: what runs is the release before. Look first at the stage that failed.", failed, 0)}
	return r
}

// Alarms are that of failed executions.
func (r *Releases) Alarms() []awscloudwatch.Alarm { return slices.Clone(r.alarms) }
