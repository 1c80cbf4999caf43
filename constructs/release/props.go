package release

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
)

// Defaults of [PipelineProps].
const (
	DefaultBranch = "main"
	// DefaultOutput is where the CDK CLI writes a cloud assembly.
	DefaultOutput = "cdk.out"
	// DefaultCLIVersion is the CDK CLI that mutates the pipeline and shows what will change. The newest
	// is not it: a major version later, the CLI refuses the assemblies of the CDK that this is built on.
	DefaultCLIVersion = "2.1148.1"
	// DefaultAssetsCLIVersion is the npm package cdk-assets, which publishes the functions' code.
	DefaultAssetsCLIVersion = "4.7.3"
	// DefaultLogRetention is how long the logs of every build are kept.
	DefaultLogRetention  = awslogs.RetentionDays_THREE_MONTHS
	DefaultRemovalPolicy = awscdk.RemovalPolicy_RETAIN
)

// maxPatterns is how many patterns a filter of a trigger may have, of each kind.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GitFilePathFilterCriteria.html
const maxPatterns = 8

// PipelineProps say what is released, from where, and through which stages.
type PipelineProps struct {
	// Repository is the repository that the connection leads to, as OWNER/NAME. Required.
	Repository string
	// Connection is the ARN of the connection (CodeConnections) to it, in the pipeline's own region. Required.
	//
	// It is made by hand, once: its other half is a consent in a browser.
	Connection string
	// Branch is the one that is released.
	//
	// Default: [DefaultBranch].
	Branch string
	// Paths are the patterns of files of which a push must change one to start the pipeline, at most eight.
	//
	// Default: any file.
	Paths []string
	// IgnorePaths are patterns of files that start nothing, whatever Paths says, at most eight.
	//
	// Default: none.
	IgnorePaths []string

	// Synth makes the cloud assembly. Required.
	Synth Synth
	// Stages are deployed one after another, in this order. Required.
	Stages []Stage

	// CLIVersion is the version of the npm package aws-cdk.
	//
	// Default: [DefaultCLIVersion].
	CLIVersion string
	// AssetsCLIVersion is the version of the npm package cdk-assets.
	//
	// Default: [DefaultAssetsCLIVersion].
	AssetsCLIVersion string
	// Key encrypts the artifacts and the notifications. It must let the accounts of all stages decrypt,
	// and SNS and CodeStar Notifications use it: to a key of this app that is added.
	//
	// Default: a new customer-managed key, rotated every year.
	Key awskms.IKey
	// Topic is told of releases that failed, succeeded, or wait for a person. It must allow
	// codestar-notifications.amazonaws.com to publish: to a topic of this app that is added.
	//
	// Default: a new topic, encrypted with Key.
	Topic awssns.ITopic
	// Emails are subscribed to Topic. Each is asked to confirm once.
	//
	// Default: none.
	Emails []string
	// LogRetention is how long the logs of every build are kept.
	//
	// Default: [DefaultLogRetention].
	LogRetention awslogs.RetentionDays
	// RemovalPolicy says what becomes of the artifacts, their key and the logs when they leave the stack.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
	// Configure edits the L2 props of the pipeline last, after every default is set.
	//
	// Default: no change.
	Configure func(*awscodepipeline.PipelineProps)
}

// Synth is the step that builds and tests the app and writes its cloud assembly, on arm64.
type Synth struct {
	// Install are shell commands that bring what Commands need.
	//
	// Default: none.
	Install []string
	// Commands are shell commands, run in the repository's root. One that fails ends the release. Required.
	Commands []string
	// Output is the folder of the cloud assembly, from the repository's root.
	//
	// Default: [DefaultOutput].
	Output string
	// Tools is a folder that Commands fill for the checks, such as one with a program in it.
	//
	// Default: none; checks run in the repository's source.
	Tools string
	// Runtimes are the languages of CodeBuild's image, by version, such as golang: latest.
	// https://docs.aws.amazon.com/codebuild/latest/userguide/runtime-versions.html
	//
	// Default: the image's own choice.
	Runtimes map[string]string
	// Caches are patterns of files that are kept from one build to the next.
	//
	// Default: none.
	Caches []string
	// Timeout ends a build that does not.
	//
	// Default: an hour.
	Timeout awscdk.Duration
}

// Stage is one step of the way to production.
type Stage struct {
	// Stage holds the stacks. Its account and region are where they go; the account must have been
	// bootstrapped to trust the pipeline's (docs/release.md). Required.
	Stage awscdk.Stage
	// Approve asks a person first, and shows what the deploy will change.
	//
	// Default: false.
	Approve bool
	// Check runs once the stacks are deployed. If it fails, no later stage is deployed.
	//
	// Default: none.
	Check *Check
}

// Check says whether what was deployed works.
type Check struct {
	// Commands are shell commands, run in the folder of [Synth].Tools, or the source. Required.
	Commands []string
	// Env are environment variables for them.
	//
	// Default: none.
	Env map[string]string
	// Outputs are outputs of the stage's stacks, by the environment variable that holds their value.
	//
	// Default: none.
	Outputs map[string]awscdk.CfnOutput
	// RoleName is the name of the role that the commands run as, for a role of another account to trust it by name.
	//
	// Default: CloudFormation makes one up.
	RoleName string
	// Assumes are the ARNs of roles that the commands may assume: they run in the pipeline's account.
	//
	// Default: none.
	Assumes []string
}

var (
	repositoryName = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+$`)
	connectionARN  = regexp.MustCompile(`^arn:[\w-]+:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/[\w-]+$`)
)

// Validate reports every problem of the props in one error.
func (p *PipelineProps) Validate() error {
	if p == nil {
		p = &PipelineProps{}
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(!repositoryName.MatchString(p.Repository), "repository must be OWNER/NAME, got %q", p.Repository)
	problem(!unresolved(p.Connection) && !connectionARN.MatchString(p.Connection), "connection must be the ARN of a connection, got %q", p.Connection)
	problem(len(p.Paths) > maxPatterns, "paths must be at most %d patterns, got %d", maxPatterns, len(p.Paths))
	problem(len(p.IgnorePaths) > maxPatterns, "ignore paths must be at most %d patterns, got %d", maxPatterns, len(p.IgnorePaths))
	problem(len(p.Synth.Commands) == 0, "synth must have commands that write the cloud assembly")
	problem(p.Synth.Tools != "" && p.Synth.Tools == cmp.Or(p.Synth.Output, DefaultOutput), "synth's tools and its output must be two folders, got %q for both", p.Synth.Tools)
	problem(len(p.Stages) == 0, "stages must be one or more")
	for i, stage := range p.Stages {
		problem(stage.Stage == nil, "stage %d has no stacks: pass the awscdk.Stage", i+1)
		problem(stage.Check != nil && len(stage.Check.Commands) == 0, "stage %d has a check without commands", i+1)
	}
	return errors.Join(errs...)
}

func unresolved(text string) bool { return *awscdk.Token_IsUnresolved(text) }

func (p *PipelineProps) withDefaults() *PipelineProps {
	q := *p
	q.Branch = cmp.Or(q.Branch, DefaultBranch)
	q.Synth.Output = cmp.Or(q.Synth.Output, DefaultOutput)
	q.CLIVersion = cmp.Or(q.CLIVersion, DefaultCLIVersion)
	q.AssetsCLIVersion = cmp.Or(q.AssetsCLIVersion, DefaultAssetsCLIVersion)
	q.LogRetention = cmp.Or(q.LogRetention, DefaultLogRetention)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	q.Paths, q.IgnorePaths, q.Stages = slices.Clone(q.Paths), slices.Clone(q.IgnorePaths), slices.Clone(q.Stages)
	q.Synth.Runtimes = maps.Clone(q.Synth.Runtimes)
	return &q
}
