package stacks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/release"
)

// ReleaseName is what `-c env=` calls the stack that releases to the environments.
const ReleaseName = "pipeline"

// Release says from where the environments are deployed, and into which accounts.
type Release struct {
	// Account and Region are where the pipeline itself stands. Its account holds no data, and deploys into all.
	Account, Region string
	// Repository is the source, as OWNER/NAME, Connection the ARN of the connection to it, Branch what is released.
	Repository, Connection, Branch string
	// Environments are deployed in this order, each with an Account.
	Environments []Environment
	// Receiving are the environments that others copy into ([Recovery.CopyTo]). The Foundation of one is deployed in the stage of
	// the environment that copies, into the same account and before it: S3 replicates to no bucket that is not there. Its
	// Pipeline and Operations are deployed by hand when they are needed (docs/disaster-recovery.md).
	//
	// Default: none.
	Receiving []Environment
	// Approve names the environments that a person must agree to.
	Approve []string
	// Emails are told of a release that failed, succeeded, or waits. Default: none; subscribe to the topic.
	Emails []string
}

// Validate reports all that is wrong with r at once, a line a problem.
func (r Release) Validate() error {
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(!accountID.MatchString(r.Account), "Account must be the twelve digits of an AWS account, got %q", r.Account)
	problem(!regionName.MatchString(r.Region), "Region must be an AWS region such as eu-west-1, got %q", r.Region)
	problem(len(r.Environments) == 0, "Environments must be one or more")
	known := map[string]bool{}
	for _, env := range r.Environments {
		problem(env.Account == "", "environment %q has no Account: the pipeline must know where to deploy it", env.Name)
		problem(known[env.Name], "Environments must differ, got %q twice", env.Name)
		known[env.Name] = true
		if to := env.Recovery.CopyTo; to != "" {
			second, found := r.receiving(to)
			problem(!found, "environment %q copies to %q, which must be one of Receiving: it has to be deployed before", env.Name, to)
			problem(found && second.Region != env.Recovery.CopyRegion, "environment %q copies to %q in %s, which is in %s", env.Name, to, env.Recovery.CopyRegion, second.Region)
		}
	}
	for _, env := range r.Receiving {
		problem(!env.Recovery.Receiving, "environment %q of Receiving must be one that receives: Recovery.Receiving", env.Name)
	}
	for _, name := range r.Approve {
		problem(!known[name], "Approve must name environments of the release, got %q", name)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("release:\n%w", err)
	}
	return nil
}

// receiving is the environment of that name that receives copies.
func (r Release) receiving(name string) (Environment, bool) {
	for _, env := range r.Receiving {
		if env.Name == name {
			return env, true
		}
	}
	return Environment{}, false
}

// NewRelease defines the stack that releases r's environments, and theirs as its stages, in scope, an app. It panics with
// every problem of r at once.
func NewRelease(scope constructs.Construct, r Release) *release.Pipeline {
	if err := r.Validate(); err != nil {
		panic(err)
	}
	stack := awscdk.NewStack(scope, jsii.String("Millrace-Release"), &awscdk.StackProps{
		Env:                   &awscdk.Environment{Account: &r.Account, Region: &r.Region},
		TerminationProtection: jsii.Bool(true),
		Tags:                  &map[string]*string{"millrace:environment": jsii.String(ReleaseName)},
	})
	var stages []release.Stage
	for _, env := range r.Environments {
		stages = append(stages, r.stage(stack, env))
	}
	pipeline := release.NewPipeline(stack, "Release", &release.PipelineProps{
		Repository:  r.Repository,
		Connection:  r.Connection,
		Branch:      r.Branch,
		IgnorePaths: []string{"docs/**", "*.md", ".github/**"},
		Synth:       r.synth(),
		Stages:      stages,
		Emails:      r.Emails,
	})
	output(stack, "PipelineName", pipeline.Name(), "The pipeline that releases.")
	output(stack, "TopicArn", pipeline.Topic.TopicArn(), "The SNS topic that is told of releases.")
	return pipeline
}

// synth is what a developer runs too, then the assembly of all stages, and the program that checks them.
func (r Release) synth() release.Synth {
	return release.Synth{
		Commands: []string{
			"make lint",
			"make test",
			"make synth ENV=" + ReleaseName,
			"go build -o build/release/millrace ./cmd/millrace",
		},
		Tools:    "build/release",
		Runtimes: map[string]string{"golang": "latest", "nodejs": "22", "python": "3.12"},
		// The modules of all languages, what was compiled, and Postgres's programs. Not .venv and .tools: programs of a virtual
		// environment have its absolute path inside, and each build is in another folder.
		Caches:  []string{"/go/pkg/mod/**/*", "/root/.cache/**/*", "/root/.npm/**/*", "node_modules/**/*"},
		Timeout: awscdk.Duration_Hours(jsii.Number(2)),
	}
}

// stage is env as one of the pipeline's stages, with a check that the pipeline may run there.
func (r Release) stage(stack awscdk.Stack, env Environment) release.Stage {
	role := "Millrace-Release-Check-" + env.Name
	env.CheckedBy = "arn:aws:iam::" + r.Account + ":role/" + role
	stage := awscdk.NewStage(stack, jsii.String(env.Name), &awscdk.StageProps{
		Env: &awscdk.Environment{Account: &env.Account, Region: &env.Region},
	})
	millrace := NewMillrace(stage, env)
	if second, found := r.receiving(env.Recovery.CopyTo); found {
		second.Account = env.Account
		millrace.Foundation.Stack.AddStackDependency(NewFoundation(stage, second).Stack, jsii.String("It copies there"))
	}

	assumes := "arn:aws:iam::" + env.Account + ":role/" + env.checkRole()
	return release.Stage{
		Stage:   stage,
		Approve: slices.Contains(r.Approve, env.Name),
		Check: &release.Check{
			RoleName: role,
			Assumes:  []string{assumes},
			Commands: []string{"chmod +x millrace", "./millrace --root=. check --env=" + env.Name + " --region=" + env.Region + " --role=" + assumes},
		},
	}
}
