// Package rollout has new code of a function take over step by step, and go back by itself.
//
// Each change is a version of the function. What invokes the function invokes its
// alias, [Alias], which CodeDeploy moves: a hook checks the version before it gets its first event, some of the
// events go to it for a while, and when an alarm rings, or a hook fails, all of them go to the old one again.
// docs/rollout.md says what that means to a consumer of a stream.
package rollout

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodedeploy"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/internal/watch"
	"github.com/millrace-cdk/millrace/spec"
)

// Alias is the name of the alias that is invoked.
const Alias = "live"

// hookPackage is the deployment hook.
const hookPackage = "github.com/millrace-cdk/millrace/lambdas/hook/cmd"

// Rollout is a function's alias and what moves it.
type Rollout struct {
	constructs.Construct

	Alias  awslambda.Alias    // what is to be invoked
	Before *gofunc.GoFunction // checks a version before it gets its first event
	After  *gofunc.GoFunction // checks that the alias has come to it, when it gets all of them
	// Group is nil with SkipCodeDeploy.
	Group awscodedeploy.LambdaDeploymentGroup

	props *RolloutProps
}

// NewRollout defines a Rollout in scope. It panics on invalid props (see [RolloutProps.Validate]).
func NewRollout(scope constructs.Construct, id string, props *RolloutProps) *Rollout {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("rollout: %s: %w", id, err))
	}
	p := props.withDefaults()

	r := &Rollout{props: p}
	constructs.NewConstruct_Override(r, scope, &id)
	version := p.Function.CurrentVersion()
	r.Before = r.hook("BeforeTraffic", *version.FunctionArn(), version)
	r.After = r.hook("AfterTraffic", AliasArn(p.Function), version)
	r.Alias = awslambda.NewAlias(r, jsii.String("Alias"), &awslambda.AliasProps{AliasName: jsii.String(Alias), Version: version})
	// A hook that still checks the last version would let this one through.
	r.Alias.Node().AddDependency(r.Before, r.After)
	if !p.Options.SkipCodeDeploy {
		r.deployBy(p)
	}
	return r
}

// AliasArn is the alias's ARN by its name: unlike [Rollout.Alias]'s own, it makes nothing wait for the alias.
func AliasArn(function awslambda.IFunction) string { return *function.FunctionArn() + ":" + Alias }

// GrantInvoke lets grantee invoke the alias, and no version past it.
func (r *Rollout) GrantInvoke(grantee awsiam.IGrantable) awsiam.Grant {
	return r.Alias.GrantInvoke(grantee)
}

// hook makes the function that checks version by invoking target.
func (r *Rollout) hook(id, target string, version awslambda.IVersion) *gofunc.GoFunction {
	p := r.props
	text, err := spec.Encode(spec.Hook{Kind: p.Kind, Target: target, Version: *version.Version(), Keys: p.Keys, Samples: p.Options.Samples})
	if err != nil {
		panic(fmt.Errorf("rollout: %s: %w", *r.Node().Path(), err))
	}
	hook := gofunc.NewGoFunction(r, id, &gofunc.GoFunctionProps{
		Package:       hookPackage,
		Description:   "Checks a new version of the " + string(p.Kind),
		Architecture:  p.Architecture,
		Environment:   map[string]string{spec.Variable: text},
		Timeout:       awscdk.Duration_Minutes(jsii.Number(5)),
		LogRetention:  p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	iam.Allow(hook.Role, *p.Function.FunctionArn()+":*", "lambda:InvokeFunction")
	suppress.Rules(suppress.Policy(hook.Role), "Each deploy has another version, and a policy that is changed for it might not be in force yet",
		`AwsSolutions-IAM5[/^Resource::.+:\*$/]`)
	suppress.Rules(hook.LogGroup, "CloudWatch Logs encrypts it with a key of its own; the hook logs samples of its own and no event", "CKV_AWS_158")
	suppress.Rules(hook.Function, "CodeDeploy waits for its answer and takes none for a failure; a dead-letter queue is for events that nobody waits for", "CKV_AWS_116")
	suppress.Rules(hook.Function, "CodeDeploy calls it once in a deploy", "CKV_AWS_115")
	suppress.Rules(hook.Function, "It reaches nothing in a VPC: it invokes the function by Lambda's API", "CKV_AWS_117")
	suppress.Rules(hook.Function, "Its environment is an ARN, a number and synthetic events", "CKV_AWS_173")
	return hook
}

// deployBy has CodeDeploy move the alias.
func (r *Rollout) deployBy(p *RolloutProps) {
	application := awscodedeploy.NewLambdaApplication(r, jsii.String("Application"), nil)
	role := r.role(p)
	r.Group = awscodedeploy.NewLambdaDeploymentGroup(r, jsii.String("DeploymentGroup"), &awscodedeploy.LambdaDeploymentGroupProps{
		Application:              application,
		DeploymentGroupName:      jsii.String(Alias), // see below; it is the only one of the application
		Alias:                    r.Alias,
		DeploymentConfig:         p.Options.config(r),
		Role:                     role.WithoutPolicyUpdates(nil), // CDK would attach a managed policy: any alias, any alarm, any topic
		IgnoreAlarmConfiguration: jsii.Bool(p.Options.IgnoreAlarms),
		AutoRollback: &awscodedeploy.AutoRollbackConfig{
			FailedDeployment: jsii.Bool(true), StoppedDeployment: jsii.Bool(true), DeploymentInAlarm: jsii.Bool(true),
		},
	})
	r.Group.Node().AddDependency(role)
	// By hand, and the group by its literal name: CDK's references make the alias wait for the group, that for its alarms,
	// these for what they watch, and that for the alias.
	r.Alias.Node().DefaultChild().(awslambda.CfnAlias).CfnOptions().SetUpdatePolicy(&awscdk.CfnUpdatePolicy{
		CodeDeployLambdaAliasUpdate: &awscdk.CfnCodeDeployLambdaAliasUpdate{
			ApplicationName:        application.ApplicationName(),
			DeploymentGroupName:    jsii.String(Alias),
			BeforeAllowTrafficHook: r.Before.Function.FunctionName(),
			AfterAllowTrafficHook:  r.After.Function.FunctionName(),
		},
	})
	group := awscdk.Stack_Of(r).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("codedeploy"), Resource: jsii.String("deploymentgroup"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
		ResourceName: jsii.String(*application.ApplicationName() + "/" + Alias),
	})
	for _, hook := range []*gofunc.GoFunction{r.Before, r.After} {
		iam.Allow(hook.Role, *group, "codedeploy:PutLifecycleEventHookExecutionStatus")
		iam.Allow(role, *hook.Function.FunctionArn(), "lambda:InvokeFunction")
	}
	r.watchErrors(p)
}

// role is what CodeDeploy assumes, with what AWSCodeDeployRoleForLambdaLimited has for an alias, on this
// one alone. It has nothing of S3 and SNS: CloudFormation hands over no file, and there is no trigger.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/getting-started-create-service-role.html
func (r *Rollout) role(p *RolloutProps) awsiam.Role {
	role := awsiam.NewRole(r, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("codedeploy.amazonaws.com"), nil),
	})
	// https://docs.aws.amazon.com/codedeploy/latest/userguide/security_confused_deputy_prevention.html
	iam.TrustFor(role, "codedeploy", "deploymentgroup", awscdk.ArnFormat_COLON_RESOURCE_NAME)
	role.AddToPolicy(iam.Statement([]string{*p.Function.FunctionArn(), AliasArn(p.Function)},
		"lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"))
	alarms := awscdk.Stack_Of(r).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ResourceName: jsii.String("*"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
	iam.Allow(role, *alarms, "cloudwatch:DescribeAlarms")
	suppress.Rules(suppress.Policy(role), "It reads the state of alarms, of which any may be added; it changes none", `AwsSolutions-IAM5[/^Resource::.+:alarm:\*$/]`)
	return role
}

// RollBackOn has alarms end a rollout and take it back. An alarm that rings already ends it before it begins.
func (r *Rollout) RollBackOn(alarms ...awscloudwatch.IAlarm) {
	if r.Group == nil {
		return
	}
	for _, alarm := range alarms {
		r.Group.AddAlarm(alarm)
	}
}

// watchErrors has any error of the alias take a rollout back. The function's own alarm waits for a quarter of an hour.
func (r *Rollout) watchErrors(p *RolloutProps) {
	r.Watch("Errors", "crashes or times out", awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String("AWS/Lambda"), MetricName: jsii.String("Errors"), Statistic: awscloudwatch.Stats_SUM(), Period: awscdk.Duration_Minutes(jsii.Number(1)),
		// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
		DimensionsMap: &map[string]*string{"FunctionName": p.Function.FunctionName(), "Resource": jsii.Sprintf("%s:%s", *p.Function.FunctionName(), Alias)},
	}), 0)
}

// Watch makes an alarm that takes a rollout back when metric is above threshold in one period. It
// tells nobody: outside of a rollout it is what the function's own alarms are for.
func (r *Rollout) Watch(id, what string, metric awscloudwatch.IMetric, threshold float64) {
	if r.Group == nil {
		return
	}
	r.RollBackOn(awscloudwatch.NewAlarm(r, &id, &awscloudwatch.AlarmProps{
		AlarmName:        jsii.String(watch.Name(r, id)),
		AlarmDescription: jsii.String(*r.Node().Path() + " " + what + ": a rollout of it goes back"),
		Metric:           metric, Threshold: &threshold, EvaluationPeriods: jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	}))
}
