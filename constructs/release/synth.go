package release

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/pipelines"
	"github.com/aws/jsii-runtime-go"
)

// cachePrefix is where in the bucket of artifacts the builds' caches lie.
const cachePrefix = "cache"

// environment is what every build runs on: arm64, which the functions are built for too.
func environment() *awscodebuild.BuildEnvironment {
	return &awscodebuild.BuildEnvironment{
		BuildImage:  awscodebuild.LinuxArmBuildImage_AMAZON_LINUX_2023_STANDARD_3_0(),
		ComputeType: awscodebuild.ComputeType_SMALL,
	}
}

func (r *Pipeline) logging() *awscodebuild.LoggingOptions {
	return &awscodebuild.LoggingOptions{CloudWatch: &awscodebuild.CloudWatchLoggingOptions{LogGroup: r.LogGroup}}
}

// synth has the tests in it: what fails them never becomes an assembly. A slow synth holds up every release
// (https://github.com/aws/aws-cdk/issues/14158), hence the machine and the cache.
func (r *Pipeline) synth(p *PipelineProps, source pipelines.CodePipelineSource) pipelines.CodeBuildStep {
	machine := environment()
	machine.ComputeType = awscodebuild.ComputeType_LARGE
	props := &pipelines.CodeBuildStepProps{
		Input:                  source,
		InstallCommands:        jsii.Strings(p.Synth.Install...),
		Commands:               jsii.Strings(p.Synth.Commands...),
		PrimaryOutputDirectory: &p.Synth.Output,
		BuildEnvironment:       machine,
		PartialBuildSpec:       p.Synth.buildSpec(),
		Timeout:                p.Synth.Timeout,
		Logging:                r.logging(),
	}
	if len(p.Synth.Caches) > 0 {
		props.Cache = awscodebuild.Cache_Bucket(r.Artifacts, &awscodebuild.BucketCacheOptions{Prefix: jsii.String(cachePrefix)})
	}
	return pipelines.NewCodeBuildStep(jsii.String("Synth"), props)
}

// buildSpec is what CDK Pipelines leaves to its users.
func (s Synth) buildSpec() awscodebuild.BuildSpec {
	spec := map[string]any{"version": "0.2"}
	if len(s.Runtimes) > 0 {
		spec["phases"] = map[string]any{"install": map[string]any{"runtime-versions": s.Runtimes}}
	}
	if len(s.Caches) > 0 {
		spec["cache"] = map[string]any{"paths": s.Caches}
	}
	return awscodebuild.BuildSpec_FromObject(&spec)
}
