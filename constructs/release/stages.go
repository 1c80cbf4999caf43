package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/pipelines"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
)

// Where the lists of changes lie in the bucket of artifacts, and which execution one is of.
const (
	changesPrefix = "changes/"
	executionID   = "#{codepipeline.PipelineExecutionId}"
)

func (r *Pipeline) addStage(p *PipelineProps, engine pipelines.CodePipeline, synth pipelines.CodeBuildStep, stage Stage) {
	options := &pipelines.AddStageOpts{}
	if stage.Approve {
		options.Pre = r.approval(p, engine, stage.Stage)
	}
	if stage.Check != nil {
		options.Post = &[]pipelines.Step{r.check(p, synth, stage)}
	}
	engine.AddStage(stage.Stage, options)
}

// approval shows what will change and waits for a person's word.
func (r *Pipeline) approval(p *PipelineProps, engine pipelines.CodePipeline, stage awscdk.Stage) *[]pipelines.Step {
	changes := r.changes(p, engine, stage)
	approve := pipelines.NewManualApprovalStep(jsii.String("Approve"), &pipelines.ManualApprovalStepProps{
		Comment: jsii.Sprintf("%s: %s", *stage.StageName(), *changes.ExportedVariable(jsii.String("CHANGES"))),
		ReviewUrl: jsii.Sprintf("https://%[1]s.console.aws.amazon.com/s3/object/%[2]s?region=%[1]s&prefix=%[3]s%[4]s.txt",
			*awscdk.Stack_Of(r).Region(), *r.Artifacts.BucketName(), changesPrefix, executionID),
	})
	return pipelines.Step_Sequence(&[]pipelines.Step{changes, approve})
}

// changes compares the stage's templates with what is deployed, by the role that may only look. A change set
// would tell more, and would need the role that deploys before anybody has agreed.
func (r *Pipeline) changes(p *PipelineProps, engine pipelines.CodePipeline, stage awscdk.Stage) pipelines.CodeBuildStep {
	return pipelines.NewCodeBuildStep(jsii.String("Changes"), &pipelines.CodeBuildStepProps{
		Input:           engine.CloudAssemblyFileSet(),
		InstallCommands: jsii.Strings("npm install --global aws-cdk@" + p.CLIVersion),
		Env: &map[string]*string{
			"EXECUTION": jsii.String(executionID),
			"LIST":      r.Artifacts.S3UrlForObject(jsii.String(changesPrefix)),
		},
		Commands: jsii.Strings(
			fmt.Sprintf("cdk diff --app %s --all --method=template --no-color > changes.txt 2>&1 || { cat changes.txt; exit 1; }", *stage.ArtifactId()),
			"cat changes.txt",
			`count() { grep -cE "$1" changes.txt || true; }`,
			`export CHANGES="$(count '^\[\+\]') added, $(count '^\[~\]') changed, $(count '^\[-\]') removed, `+
				`$(count '^\[.\].* (replace|may be replaced)$') to be replaced, or perhaps"`,
			`aws s3 cp --no-progress --content-type "text/plain; charset=utf-8" changes.txt "$LIST$EXECUTION.txt"`,
		),
		RolePolicyStatements: &[]awsiam.PolicyStatement{
			iam.Statement(lookupRoles(stage), "sts:AssumeRole"),
			iam.Statement([]string{*r.Artifacts.ArnForObjects(jsii.String(changesPrefix + "*"))}, "s3:PutObject"),
			iam.Statement([]string{*r.Key.KeyArn()}, "kms:GenerateDataKey"),
		},
	})
}

// lookupRoles are the roles of the stage's bootstrap stacks that read what is deployed.
func lookupRoles(stage awscdk.Stage) []string {
	replace := strings.NewReplacer(
		"${AWS::Partition}", *awscdk.Aws_PARTITION(),
		"${AWS::AccountId}", *awscdk.Aws_ACCOUNT_ID(),
		"${AWS::Region}", *awscdk.Aws_REGION(),
	)
	found := map[string]bool{}
	for _, stack := range *stage.Synth(nil).Stacks() {
		if role := stack.LookupRole(); role != nil {
			found[replace.Replace(*role.Arn)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// check runs in the pipeline's account: what it needs in the stage's, it assumes.
func (r *Pipeline) check(p *PipelineProps, synth pipelines.CodeBuildStep, stage Stage) pipelines.Step {
	check := stage.Check
	props := &pipelines.CodeBuildStepProps{
		Commands: jsii.Strings(check.Commands...),
		Input:    (*synth.Inputs())[0].FileSet,
	}
	if p.Synth.Tools != "" {
		props.Input = synth.AddOutputDirectory(&p.Synth.Tools)
	}
	if len(check.Env) > 0 {
		env := map[string]*string{}
		for name, value := range check.Env {
			env[name] = &value
		}
		props.Env = &env
	}
	if len(check.Outputs) > 0 {
		props.EnvFromCfnOutputs = &check.Outputs
	}
	if check.RoleName != "" {
		props.Role = awsiam.NewRole(r, jsii.String("CheckRole-"+*stage.Stage.Node().Id()), &awsiam.RoleProps{
			RoleName:    &check.RoleName,
			AssumedBy:   awsiam.NewServicePrincipal(jsii.String("codebuild.amazonaws.com"), nil),
			Description: jsii.Sprintf("Checks what was deployed to %s", *stage.Stage.StageName()),
		})
	}
	if len(check.Assumes) > 0 {
		props.RolePolicyStatements = &[]awsiam.PolicyStatement{iam.Statement(check.Assumes, "sts:AssumeRole")}
	}
	return pipelines.NewCodeBuildStep(jsii.String("Check"), props)
}
