package release

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/pipelines"
	"github.com/aws/jsii-runtime-go"
)

// sourceName is the name of the stage and of the action that fetch the source.
const sourceName = "Source"

func (r *Pipeline) source(p *PipelineProps) pipelines.CodePipelineSource {
	return pipelines.CodePipelineSource_Connection(&p.Repository, &p.Branch, &pipelines.ConnectionSourceOptions{
		ConnectionArn: &p.Connection,
		ActionName:    jsii.String(sourceName),
		// With a filter the source must not detect changes too, which would start it on every push.
		// https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-triggers.html
		TriggerOnPush: jsii.Bool(false),
		// With its history, as a developer has it: a zip file has no .git, and tests ask git which files there are.
		// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodestarConnectionSource.html
		CodeBuildCloneOutput: jsii.Bool(true),
	})
}

// trigger starts the pipeline on a push to the branch that changes one of the paths.
func (r *Pipeline) trigger(p *PipelineProps) {
	filter := &awscodepipeline.GitPushFilter{BranchesIncludes: jsii.Strings(p.Branch)}
	if len(p.Paths) > 0 {
		filter.FilePathsIncludes = jsii.Strings(p.Paths...)
	}
	if len(p.IgnorePaths) > 0 {
		filter.FilePathsExcludes = jsii.Strings(p.IgnorePaths...)
	}
	action := (*r.Pipeline.Stage(jsii.String(sourceName)).Actions())[0]
	r.Pipeline.AddTrigger(&awscodepipeline.TriggerProps{
		ProviderType: awscodepipeline.ProviderType_CODE_STAR_SOURCE_CONNECTION,
		GitConfiguration: &awscodepipeline.GitConfiguration{
			SourceAction: action,
			PushFilter:   &[]*awscodepipeline.GitPushFilter{filter},
		},
	})
}
