package delivery

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// RollbackFailedPercent is the share of failed records, of those of five minutes, at which a new version of the transformer
// goes back. What clients send wrong at all times is below it.
const RollbackFailedPercent = 1

func (p *DeliveryProps) validateRollout() error {
	if p.Rollout == nil {
		return nil
	}
	var errs []error
	if p.SkipTransformer || p.Transformer != nil {
		errs = append(errs, errors.New("rollout is for a transformer that is built here: one that is given has an alias of its own, or none"))
	}
	if len(p.Rollout.Samples) == 0 && (p.TransformerPackage != "" || p.changesEvents()) {
		errs = append(errs, errors.New("rollout needs samples: what comes out of this transformer is not known here"))
	}
	return errors.Join(append(errs, p.Rollout.Validate(spec.HookTransformer))...)
}

// changesEvents says whether the declared steps do more than to partition.
func (p *DeliveryProps) changesEvents() bool {
	if p.Transform == nil {
		return false
	}
	for _, step := range p.Transform.Steps {
		if step.Partition == nil {
			return true
		}
	}
	return p.Transform.CloudWatchLogs != nil
}

// rollOut has changes of the function take over step by step, if that is asked for.
func (d *Delivery) rollOut(function awslambda.Function) {
	p := d.props
	if p.Rollout == nil {
		return
	}
	d.Rollout = rollout.NewRollout(d.self, "Rollout", &rollout.RolloutProps{
		Function: function, Kind: spec.HookTransformer, Keys: p.partitionKeys(), Options: p.Rollout,
		Architecture: p.Architecture, LogRetention: p.LogRetention, RemovalPolicy: p.RemovalPolicy,
	})
}

// invoked is what Firehose invokes: the alias, if there is one.
func (d *Delivery) invoked() *string {
	if d.Rollout != nil {
		return d.Rollout.Alias.FunctionArn()
	}
	return d.Transformer.FunctionArn()
}

// watchRollout has a transformer that fails records go back. One that crashes, and a delivery that stands still, make it go back too.
func (d *Delivery) watchRollout() {
	if d.Rollout == nil || !d.props.ownTransformer() {
		return
	}
	d.Rollout.Watch("FailedRecords", "fails over 1 % of its records", awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("100 * failed / (failed + FILL(done, 0))"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"failed": d.MetricFailedRecords(nil),
			"done":   d.metric("SucceedProcessing.Records", awscloudwatch.Stats_SUM(), nil),
		},
		Label:  jsii.String("Failed, in percent"),
		Period: awscdk.Duration_Minutes(jsii.Number(5)),
	}), RollbackFailedPercent)
}
