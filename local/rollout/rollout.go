// Package rollout moves the aliases of deployed functions, as CodeDeploy does on AWS: a version has
// to pass the hook before it gets its first event, and once more when it gets all of them; else the alias
// goes back. The emulator has no CodeDeploy; our launcher of it has CloudFormation leave the aliases alone.
//
// What is deployed is read through the Lambda API: which functions have hooks, and what these send. The check itself is
// the hook's own code, lambdas/hook.
//
//	what                        as CodeDeploy does it?
//	--------------------------  -----------------------------------------------------------
//	BeforeAllowTraffic hook     yes, by the deployed hook's spec, in this process
//	traffic                     all at once: the emulator regards no weights
//	AfterAllowTraffic hook      yes
//	rollback                    yes, after a hook that failed; the emulator's alarms ring for nothing
//	the deploy                  is over by then: what is refused is no failed deploy but a failed rollout
package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/millrace-cdk/millrace/lambdas/hook"
	"github.com/millrace-cdk/millrace/spec"
)

// API is the part of Lambda's API that a rollout takes.
type API interface {
	hook.Lambda
	lambda.ListFunctionsAPIClient
	GetAlias(context.Context, *lambda.GetAliasInput, ...func(*lambda.Options)) (*lambda.GetAliasOutput, error)
	PublishVersion(context.Context, *lambda.PublishVersionInput, ...func(*lambda.Options)) (*lambda.PublishVersionOutput, error)
	UpdateAlias(context.Context, *lambda.UpdateAliasInput, ...func(*lambda.Options)) (*lambda.UpdateAliasOutput, error)
}

// Outcome is what became of one function's rollout.
type Outcome struct {
	Function string `json:"function"` // its ARN
	From     string `json:"from"`     // the version that the alias led to
	To       string `json:"to"`       // the version that the function is now; equal to From: there was nothing to do
	// Refused is why the alias leads to From again, or still. Empty: it leads to To.
	Refused string `json:"refused,omitempty"`
}

// Run rolls out every deployed function that has hooks. The error is of what could not
// be done; a version that is refused is in its function's outcome.
func Run(ctx context.Context, api API) ([]Outcome, error) {
	hooks, err := deployedHooks(ctx, api)
	if err != nil {
		return nil, err
	}
	var outcomes []Outcome
	for _, h := range hooks {
		outcome, err := rollOut(ctx, api, h)
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}

// Refused is an error of every version that was refused; nil if none was.
func Refused(outcomes []Outcome) error {
	var errs []error
	for _, o := range outcomes {
		if o.Refused != "" {
			errs = append(errs, fmt.Errorf("version %s of %s is refused, and version %s goes on: %s", o.To, o.Function, o.From, o.Refused))
		}
	}
	return errors.Join(errs...)
}

// deployed is a function's hook after traffic, whose target is the alias.
type deployed struct {
	function, alias string
	spec            spec.Hook
}

func deployedHooks(ctx context.Context, api API) ([]deployed, error) {
	var hooks []deployed
	pages := lambda.NewListFunctionsPaginator(api, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing functions: %w", err)
		}
		for _, f := range page.Functions {
			if h, ok := hookOf(f); ok {
				hooks = append(hooks, h)
			}
		}
	}
	slices.SortFunc(hooks, func(a, b deployed) int { return strings.Compare(a.function, b.function) })
	return hooks, nil
}

// hookOf tells the hooks after traffic from all other functions by their spec.
func hookOf(f types.FunctionConfiguration) (deployed, bool) {
	var h deployed
	if f.Environment == nil || spec.Decode(f.Environment.Variables[spec.Variable], &h.spec) != nil {
		return h, false // it has none, or another function's
	}
	h.function, h.alias = Split(h.spec.Target)
	return h, h.spec.Kind != "" && strings.Trim(h.alias, "0123456789") != ""
}

// Split cuts a function's ARN into that of the function and the version or the alias, if it has one.
func Split(arn string) (function, qualifier string) {
	parts := strings.SplitN(arn, ":", 8)
	if len(parts) < 8 {
		return arn, ""
	}
	return strings.Join(parts[:7], ":"), parts[7]
}

func rollOut(ctx context.Context, api API, h deployed) (Outcome, error) {
	o := Outcome{Function: h.function}
	alias, err := api.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &h.function, Name: &h.alias})
	if err != nil {
		return o, fmt.Errorf("reading alias %s of %s: %w", h.alias, h.function, err)
	}
	// What has not changed since the last version is that version.
	version, err := api.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &h.function})
	if err != nil {
		return o, fmt.Errorf("publishing a version of %s: %w", h.function, err)
	}
	o.From, o.To = aws.ToString(alias.FunctionVersion), aws.ToString(version.Version)
	if o.From == o.To {
		return o, nil
	}
	h.spec.Version = o.To
	if refused := h.check(ctx, api, h.function+":"+o.To); refused != nil {
		o.Refused = refused.Error()
		return o, ctx.Err()
	}
	if err := Point(ctx, api, h.function, h.alias, o.To); err != nil {
		return o, err
	}
	if refused := h.check(ctx, api, h.function+":"+h.alias); refused != nil {
		o.Refused = refused.Error()
		return o, errors.Join(ctx.Err(), Point(context.WithoutCancel(ctx), api, h.function, h.alias, o.From))
	}
	return o, nil
}

func (h deployed) check(ctx context.Context, api API, target string) error {
	h.spec.Target = target
	return (&hook.Hook{Spec: h.spec, Lambda: api}).Check(ctx)
}

// Point has the alias lead to a version, without a check.
func Point(ctx context.Context, api interface {
	UpdateAlias(context.Context, *lambda.UpdateAliasInput, ...func(*lambda.Options)) (*lambda.UpdateAliasOutput, error)
}, function, alias, version string,
) error {
	_, err := api.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: &function, Name: &alias, FunctionVersion: &version})
	if err != nil {
		return fmt.Errorf("moving alias %s of %s to version %s: %w", alias, function, version, err)
	}
	return nil
}

// Force makes a version of what the function is now and points the alias in arn to it, without a
// check: for faults on purpose. back points it to where it was. Without an alias in arn there is nothing to do.
func Force(ctx context.Context, api API, arn string) (back func(context.Context) error, err error) {
	function, alias := Split(arn)
	if alias == "" {
		return func(context.Context) error { return nil }, nil
	}
	was, err := api.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &function, Name: &alias})
	if err != nil {
		return nil, fmt.Errorf("reading alias %s of %s: %w", alias, function, err)
	}
	version, err := api.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &function})
	if err != nil {
		return nil, fmt.Errorf("publishing a version of %s: %w", function, err)
	}
	from := aws.ToString(was.FunctionVersion)
	back = func(ctx context.Context) error { return Point(ctx, api, function, alias, from) }
	return back, Point(ctx, api, function, alias, *version.Version)
}
