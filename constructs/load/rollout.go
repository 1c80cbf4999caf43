package load

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// RollbackQuarantinedPercent is the share of quarantined records, of those of five minutes, at which
// a new version of the loader goes back. What clients send wrong at all times is below it.
const RollbackQuarantinedPercent = 1

func (p *PostgresLoaderProps) validateRollout() error {
	if p.Rollout == nil {
		return nil
	}
	var errs []error
	if len(p.Rollout.Samples) == 0 && p.needsMembers() {
		errs = append(errs, errors.New("rollout needs samples: a table takes every event and has a column that must have a value, which the hook's own events do not have"))
	}
	return errors.Join(append(errs, p.Rollout.Validate(spec.HookLoader))...)
}

// needsMembers says whether any event at all must have a member that a table asks for.
func (p *PostgresLoaderProps) needsMembers() bool {
	for _, t := range p.Tables {
		if t.Retired || len(t.EventTypes) > 0 {
			continue
		}
		for _, c := range t.Columns {
			if !c.Retired && !c.Nullable && c.Default == "" {
				return true
			}
		}
	}
	return false
}

// rollOut has changes of the function take over step by step, if that is asked for.
func (l *PostgresLoader) rollOut(p *PostgresLoaderProps) *rollout.Rollout {
	if p.Rollout == nil {
		return nil
	}
	return rollout.NewRollout(l, "Rollout", &rollout.RolloutProps{
		Function: l.Function, Kind: spec.HookLoader, Options: p.Rollout,
		Architecture: p.Architecture, LogRetention: p.LogRetention, RemovalPolicy: p.RemovalPolicy,
	})
}

// invoked is what the mapping invokes: the alias, if there is one.
func (l *PostgresLoader) invoked() *string {
	if l.Rollout != nil {
		return l.Rollout.Alias.FunctionArn()
	}
	return l.Function.FunctionName()
}

// watchRollout has a loader that quarantines records go back. One that crashes, or falls behind, goes back too.
func (l *PostgresLoader) watchRollout() {
	if l.Rollout == nil {
		return
	}
	l.Rollout.Watch("Quarantined", "quarantines over 1 % of its records", awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("100 * quarantined / (quarantined + added + duplicates)"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"quarantined": l.MetricQuarantined(nil), "added": l.MetricRows(nil), "duplicates": l.MetricDuplicates(nil),
		},
		Label:  jsii.String("Quarantined, in percent"),
		Period: awscdk.Duration_Minutes(jsii.Number(5)),
	}), RollbackQuarantinedPercent)
}
