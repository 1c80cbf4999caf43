package rollout

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodedeploy"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/spec"
)

// Defaults of [Options].
const (
	// DefaultPercent is the share of invocations that a new version gets at first.
	DefaultPercent = 10
	// DefaultMinutes is as long as the slowest of the alarms takes: a delivery that stands still is
	// noticed after twice its buffers' time and a quarter of an hour.
	DefaultMinutes = 30
)

// maxMinutes is the longest from the first to the last shift: https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html
const maxMinutes = 2880

// Options say how fast new code takes over. Their zero value is a canary of the defaults.
type Options struct {
	// Percent of the invocations go to the new version for Minutes, 1 to 99; with Linear, Percent more every Minutes.
	//
	// Default: [DefaultPercent].
	Percent int
	// Minutes between two shifts. From the first to the last it is at most 2,880.
	//
	// Default: [DefaultMinutes].
	Minutes int
	// Linear shifts by the same step until all is shifted, and not by two.
	//
	// Default: false.
	Linear bool
	// AllAtOnce shifts everything as soon as the first hook has passed: a deploy takes no longer, and the alarms have no
	// time to ring.
	//
	// Default: false.
	AllAtOnce bool
	// Samples are what the hooks send, and what has to come of it. In all they share 4 KB with the rest of
	// the hook's environment. Required for a transformer that does more than partition, one of yours, and a loader of
	// tables that take any event and need members of it.
	//
	// Default: the hook's own, see lambdas/hook.
	Samples []spec.Sample
	// IgnoreAlarms deploys whatever the alarms say: for the fix of what makes them ring.
	//
	// Default: false.
	IgnoreAlarms bool
	// SkipCodeDeploy makes the versions, the alias and the hooks alone, so that CloudFormation moves the
	// alias and calls no hook: for an emulator without CodeDeploy.
	//
	// Default: false.
	SkipCodeDeploy bool
}

// RolloutProps says what is rolled out and how.
type RolloutProps struct {
	// Function is what is rolled out. Required.
	Function awslambda.Function
	// Kind is how the hooks ask it. Required.
	Kind spec.HookKind
	// Keys are the partition keys that a transformer sets for every record.
	//
	// Default: none.
	Keys []string
	// Options say how fast.
	//
	// Default: the zero value.
	Options *Options
	// Architecture is the hooks' processor.
	//
	// Default: ARM_64.
	Architecture awslambda.Architecture
	// LogRetention is how long the hooks' logs are kept.
	//
	// Default: that of [github.com/millrace-cdk/millrace/constructs/gofunc.GoFunctionProps].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of these logs when the rollout leaves the stack.
	//
	// Default: that of [github.com/millrace-cdk/millrace/constructs/gofunc.GoFunctionProps].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *RolloutProps) Validate() error {
	if p == nil {
		p = new(RolloutProps)
	}
	var errs []error
	if p.Function == nil {
		errs = append(errs, errors.New("function is required: pass the function that is rolled out"))
	}
	if p.Kind != spec.HookTransformer && p.Kind != spec.HookLoader {
		errs = append(errs, fmt.Errorf("kind must be %s or %s, got %q", spec.HookTransformer, spec.HookLoader, p.Kind))
	}
	return errors.Join(append(errs, p.Options.Validate(p.Kind))...)
}

// Validate reports every problem of the options for a function of this kind in one error. nil is valid.
func (o *Options) Validate(kind spec.HookKind) error {
	if o == nil {
		return nil
	}
	var errs []error
	if o.Percent < 0 || o.Percent > 99 {
		errs = append(errs, fmt.Errorf("percent must be 1 to 99, got %d: all at once is AllAtOnce", o.Percent))
	}
	if o.AllAtOnce && (o.Percent != 0 || o.Minutes != 0 || o.Linear) {
		errs = append(errs, fmt.Errorf("percent, minutes and linear are for steps, and all at once has none, got %d, %d and %t", o.Percent, o.Minutes, o.Linear))
	}
	if q := o.withDefaults(); q.Minutes < 1 || q.Minutes*q.steps() > maxMinutes {
		errs = append(errs, fmt.Errorf("minutes must be 1 to %d from the first shift to the last, got %d steps of %d", maxMinutes, q.steps(), q.Minutes))
	}
	return errors.Join(append(errs, kind.Validate(o.Samples))...)
}

func (p *RolloutProps) withDefaults() *RolloutProps {
	q := *p
	q.Options = p.Options.withDefaults()
	return &q
}

func (o *Options) withDefaults() *Options {
	q := Options{}
	if o != nil {
		q = *o
	}
	q.Percent = cmp.Or(q.Percent, DefaultPercent)
	q.Minutes = cmp.Or(q.Minutes, DefaultMinutes)
	return &q
}

// steps is how many waits there are before all is shifted.
func (o *Options) steps() int {
	if !o.Linear || o.Percent < 1 {
		return 1
	}
	return (99+o.Percent)/o.Percent - 1
}

// config is what CodeDeploy shifts by.
func (o *Options) config(r *Rollout) awscodedeploy.ILambdaDeploymentConfig {
	percent, interval := jsii.Number(o.Percent), awscdk.Duration_Minutes(jsii.Number(o.Minutes))
	var routing awscodedeploy.TrafficRouting
	switch {
	case o.AllAtOnce:
		return awscodedeploy.LambdaDeploymentConfig_ALL_AT_ONCE()
	case o.Linear:
		routing = awscodedeploy.NewTimeBasedLinearTrafficRouting(&awscodedeploy.TimeBasedLinearTrafficRoutingProps{Interval: interval, Percentage: percent})
	default:
		routing = awscodedeploy.NewTimeBasedCanaryTrafficRouting(&awscodedeploy.TimeBasedCanaryTrafficRoutingProps{Interval: interval, Percentage: percent})
	}
	return awscodedeploy.NewLambdaDeploymentConfig(r, jsii.String("Config"), &awscodedeploy.LambdaDeploymentConfigProps{TrafficRouting: routing})
}
