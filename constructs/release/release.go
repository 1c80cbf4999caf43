// Package release defines how a change reaches production: a pipeline that tests
// it, deploys it stage by stage, asks a person before the last one, and changes
// itself as the repository says.
package release

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/pipelines"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Pipeline is a CodePipeline of type V2 that CDK Pipelines fills: source, synth,
// the pipeline's own update, assets, and the stages. It always updates itself;
// without that a new asset would have no step that publishes it
// (https://github.com/aws/aws-cdk/issues/21595).
type Pipeline struct {
	constructs.Construct

	Pipeline  awscodepipeline.Pipeline
	Artifacts awss3.IBucket    // what one step hands to the next, the builds' caches, and the lists of changes
	Key       awskms.IKey      // of Artifacts and Topic
	LogGroup  awslogs.LogGroup // of every build
	Topic     awssns.ITopic    // told of failure, success, and a person's turn
}

// NewPipeline defines a Pipeline in scope, a stack whose account and region are
// given. It panics on invalid props (see [PipelineProps.Validate]).
func NewPipeline(scope constructs.Construct, id string, props *PipelineProps) *Pipeline {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("release: %s: %w", id, err))
	}
	p := props.withDefaults()

	r := new(Pipeline)
	constructs.NewConstruct_Override(r, scope, &id)
	r.narrow()
	r.Key = r.key(p)
	r.Artifacts = r.artifacts(p)
	r.LogGroup = r.logGroup(p)
	r.Pipeline = r.pipeline(p)
	source := r.source(p)
	synth := r.synth(p, source)
	engine := r.engine(p, synth)
	for _, stage := range p.Stages {
		r.addStage(p, engine, synth, stage)
	}
	engine.BuildPipeline()
	r.trigger(p)
	r.useConnection(p)
	r.Topic = r.notify(p)
	r.trust()
	r.accept()
	return r
}

// engine is CDK Pipelines. It is given the pipeline, since one of its own making could
// be neither filtered by path nor told how executions meet.
func (r *Pipeline) engine(p *PipelineProps, synth pipelines.CodeBuildStep) pipelines.CodePipeline {
	return pipelines.NewCodePipeline(r, jsii.String("Cdk"), &pipelines.CodePipelineProps{
		CodePipeline:        r.Pipeline,
		Synth:               synth,
		CliVersion:          &p.CLIVersion,
		CdkAssetsCliVersion: &p.AssetsCLIVersion,
		// One project publishes all assets, each once to each account: fifty projects for fifty
		// functions would each wait for a machine.
		PublishAssetsInParallel: jsii.Bool(false),
		CodeBuildDefaults: &pipelines.CodeBuildOptions{
			BuildEnvironment: environment(),
			Logging:          r.logging(),
		},
	})
}

// pipeline is empty at first. What makes it one that crosses accounts: a bucket with a key of
// its own (else "Artifact Bucket must have a KMS Key"), and keys in other regions too.
func (r *Pipeline) pipeline(p *PipelineProps) awscodepipeline.Pipeline {
	props := &awscodepipeline.PipelineProps{
		PipelineType: awscodepipeline.PipelineType_V2,
		// A push that comes while another waits takes its place: what is deployed is the newest.
		ExecutionMode:  awscodepipeline.ExecutionMode_SUPERSEDED,
		ArtifactBucket: r.Artifacts,
		// Of the buckets that CDK makes for stages in other regions.
		CrossAccountKeys:  jsii.Bool(true),
		EnableKeyRotation: jsii.Bool(true),
		// A pipeline that has changed itself begins again as what it now is: https://github.com/aws/aws-cdk/issues/23835
		RestartExecutionOnUpdate: jsii.Bool(true),
		Role:                     r.role(),
	}
	if p.Configure != nil {
		p.Configure(props)
	}
	return awscodepipeline.NewPipeline(r, jsii.String("Pipeline"), props)
}

// Name is the pipeline's name.
func (r *Pipeline) Name() *string { return r.Pipeline.PipelineName() }
