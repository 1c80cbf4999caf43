package release_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/release"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

const (
	tools, testing1, production = "111122223333", "444455556666", "777788889999"
	connection                  = "arn:aws:codeconnections:eu-west-1:111122223333:connection/0000"
)

// pipelineStack is where a release stands: cross-account deploys need an account that is known.
func pipelineStack() awscdk.Stack {
	return awscdk.NewStack(cdktest.NewApp(), jsii.String("Release"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String(tools), Region: jsii.String("eu-west-1")},
	})
}

// stage is one stack with a topic, an output and a file to publish.
func stage(t *testing.T, stack awscdk.Stack, name, account, region string) (awscdk.Stage, awscdk.CfnOutput) {
	t.Helper()
	of := awscdk.NewStage(stack, &name, &awscdk.StageProps{Env: &awscdk.Environment{Account: &account, Region: &region}})
	app := awscdk.NewStack(of, jsii.String("App"), nil)
	topic := awssns.NewTopic(app, jsii.String("Topic"), nil)
	file := filepath.Join(t.TempDir(), "code")
	require.NoError(t, os.WriteFile(file, []byte("the same for all stages"), 0o600))
	awss3assets.NewAsset(app, jsii.String("Code"), &awss3assets.AssetProps{Path: &file})
	return of, awscdk.NewCfnOutput(app, jsii.String("Name"), &awscdk.CfnOutputProps{Value: topic.TopicName()})
}

// everything uses every prop that is data.
func everything(t *testing.T, stack awscdk.Stack) *release.PipelineProps {
	t.Helper()
	first, name := stage(t, stack, "test", testing1, "eu-west-1")
	last, _ := stage(t, stack, "prod", production, "eu-west-1")
	return &release.PipelineProps{
		Repository:  "octo/orders",
		Connection:  connection,
		Branch:      "trunk",
		Paths:       []string{"src/**"},
		IgnorePaths: []string{"**.md"},
		Synth: release.Synth{
			Install:  []string{"make setup"},
			Commands: []string{"make test", "make synth"},
			Output:   "out",
			Tools:    "bin",
			Runtimes: map[string]string{"golang": "latest"},
			Caches:   []string{"/go/pkg/mod/**/*"},
			Timeout:  awscdk.Duration_Hours(jsii.Number(2)),
		},
		Stages: []release.Stage{
			{Stage: first, Check: &release.Check{
				Commands: []string{"./check"},
				Env:      map[string]string{"STAGE": "test"},
				Outputs:  map[string]awscdk.CfnOutput{"TOPIC": name},
				RoleName: "orders-check-test",
				Assumes:  []string{"arn:aws:iam::" + testing1 + ":role/orders-check"},
			}},
			{Stage: last, Approve: true},
		},
		Emails: []string{"releases@example.com"},
	}
}

// minimal is what must be said.
func minimal(t *testing.T, stack awscdk.Stack) *release.PipelineProps {
	t.Helper()
	only, _ := stage(t, stack, "prod", production, "eu-west-1")
	return &release.PipelineProps{
		Repository: "octo/orders",
		Connection: connection,
		Synth:      release.Synth{Commands: []string{"npx cdk synth"}},
		Stages:     []release.Stage{{Stage: only}},
	}
}

// template is a synthesized stack, read as JSON.
type template map[string]struct {
	Type       string
	Properties map[string]any
}

func synthesize(t *testing.T, stack awscdk.Stack) template {
	t.Helper()
	text, err := json.Marshal((*cdktest.Template(stack).ToJSON())["Resources"])
	require.NoError(t, err)
	var all template
	require.NoError(t, json.Unmarshal(text, &all))
	return all
}

// one is the properties of the one resource of the type whose logical id has the text.
func (all template) one(t *testing.T, kind, id string) map[string]any {
	t.Helper()
	var found []map[string]any
	for name, resource := range all {
		if resource.Type == kind && strings.Contains(name, id) {
			found = append(found, resource.Properties)
		}
	}
	require.Len(t, found, 1, "%s with %s", kind, id)
	return found[0]
}

// action is one of the pipeline's, as its name, provider and order.
type action struct {
	stage, name, provider string
	order                 float64
}

func (all template) actions(t *testing.T) (actions []action, configurations map[string]map[string]any) {
	t.Helper()
	configurations = map[string]map[string]any{}
	for _, stage := range all.one(t, "AWS::CodePipeline::Pipeline", "")["Stages"].([]any) {
		stage := stage.(map[string]any)
		for _, one := range stage["Actions"].([]any) {
			one := one.(map[string]any)
			a := action{stage["Name"].(string), one["Name"].(string), one["ActionTypeId"].(map[string]any)["Provider"].(string), one["RunOrder"].(float64)}
			actions = append(actions, a)
			configurations[a.stage+"/"+a.name], _ = one["Configuration"].(map[string]any)
		}
	}
	return actions, configurations
}

// buildSpec is the one of the project whose id has the text.
func (all template) buildSpec(t *testing.T, id string) string {
	t.Helper()
	spec := all.one(t, "AWS::CodeBuild::Project", id)["Source"].(map[string]any)["BuildSpec"]
	text, err := json.Marshal(spec)
	require.NoError(t, err)
	return strings.NewReplacer(`\n`, "", `\\\"`, `"`, `\"`, `"`).Replace(string(text))
}

func TestAChangeGoesThroughEveryStageInOrder(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	actions, _ := synthesize(t, stack).actions(t)
	assert.Equal(t, []action{
		{"Source", "Source", "CodeStarSourceConnection", 1},
		{"Build", "Synth", "CodeBuild", 1},
		{"UpdatePipeline", "SelfMutate", "CodeBuild", 1},
		{"Assets", "FileAssets", "CodeBuild", 1},
		{"test", "App.Prepare", "CloudFormation", 1},
		{"test", "App.Deploy", "CloudFormation", 2},
		{"test", "Check", "CodeBuild", 3},
		{"prod", "Changes", "CodeBuild", 1},
		{"prod", "Approve", "Manual", 2},
		{"prod", "App.Prepare", "CloudFormation", 3},
		{"prod", "App.Deploy", "CloudFormation", 4},
	}, actions)
}

func TestThePipelineIsOfTypeV2AndTheNewestChangeTakesThePlaceOfAWaitingOne(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", minimal(t, stack))
	pipeline := synthesize(t, stack).one(t, "AWS::CodePipeline::Pipeline", "")
	assert.Equal(t, "V2", pipeline["PipelineType"])
	assert.Equal(t, "SUPERSEDED", pipeline["ExecutionMode"])
	assert.Equal(t, true, pipeline["RestartExecutionOnUpdate"], "what has changed itself begins again")
}

func TestThePipelineChangesItselfByTheAssemblyThatWasTested(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	all := synthesize(t, stack)
	spec := all.buildSpec(t, "SelfMutation")
	assert.Contains(t, spec, "npm install -g aws-cdk@"+release.DefaultCLIVersion)
	assert.Contains(t, spec, "cdk -a . deploy Release --require-approval=never")
	_, configurations := all.actions(t)
	for _, before := range []string{"Build/Synth", "UpdatePipeline/SelfMutate"} {
		assert.Contains(t, configurations[before]["EnvironmentVariables"], "_PROJECT_CONFIG_HASH", "a changed project runs as changed: %s", before)
	}
}

func TestAPushToTheBranchThatChangesAPathStartsIt(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	all := synthesize(t, stack)
	assert.Equal(t, []any{map[string]any{
		"ProviderType": "CodeStarSourceConnection",
		"GitConfiguration": map[string]any{"SourceActionName": "Source", "Push": []any{map[string]any{
			"Branches":  map[string]any{"Includes": []any{"trunk"}},
			"FilePaths": map[string]any{"Includes": []any{"src/**"}, "Excludes": []any{"**.md"}},
		}}},
	}}, all.one(t, "AWS::CodePipeline::Pipeline", "")["Triggers"])
	_, configurations := all.actions(t)
	assert.Equal(t, map[string]any{
		"ConnectionArn": connection, "FullRepositoryId": "octo/orders", "BranchName": "trunk", "DetectChanges": false,
		"OutputArtifactFormat": "CODEBUILD_CLONE_REF",
	}, configurations["Source/Source"], "the filter alone starts it, and builds clone it with its history")
}

func TestWhoClonesTheSourceMayUseTheConnectionByEitherNameOfItsService(t *testing.T) {
	stack := pipelineStack()
	props := minimal(t, stack)
	props.Stages[0].Check = &release.Check{Commands: []string{"make check"}}
	release.NewPipeline(stack, "Release", props)
	all := synthesize(t, stack)
	for _, role := range []string{"SourceCodePipelineActionRoleDefaultPolicy", "SynthCdkBuildProjectRoleDefaultPolicy", "CheckRoleDefaultPolicy"} {
		policy, err := json.Marshal(all.one(t, "AWS::IAM::Policy", role))
		require.NoError(t, err)
		for _, action := range []string{"codeconnections:UseConnection", "codestar-connections:UseConnection"} {
			assert.Contains(t, string(policy), `{"Action":"`+action+`","Effect":"Allow","Resource":"`+connection+`"}`, role)
		}
	}
}

func TestSynthTestsOnArm64WithItsCacheAndHandsOverTheAssemblyAndTheTools(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	all := synthesize(t, stack)
	project := all.one(t, "AWS::CodeBuild::Project", "Synth")
	environment := project["Environment"].(map[string]any)
	assert.Equal(t, "ARM_CONTAINER", environment["Type"])
	assert.Equal(t, "BUILD_GENERAL1_LARGE", environment["ComputeType"])
	assert.Equal(t, false, environment["PrivilegedMode"])
	assert.Equal(t, "S3", project["Cache"].(map[string]any)["Type"])
	assert.InDelta(t, 120, project["TimeoutInMinutes"], 0)

	spec := regexp.MustCompile(`\s+`).ReplaceAllString(all.buildSpec(t, "Synth"), " ")
	for _, part := range []string{
		`"cache": { "paths": [ "/go/pkg/mod/**/*" ] }`, `"runtime-versions": { "golang": "latest" }`, `"commands": [ "make setup" ]`,
		`"commands": [ "make test", "make synth" ]`, `"base-directory": "out"`, `"base-directory": "bin"`,
	} {
		assert.Contains(t, spec, part)
	}
}

func TestEveryBuildRunsOnArm64AndIsLoggedInOneGroupThatForgets(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	projects := 0
	for id, resource := range synthesize(t, stack) {
		if resource.Type != "AWS::CodeBuild::Project" {
			continue
		}
		projects++
		assert.Equal(t, "ARM_CONTAINER", resource.Properties["Environment"].(map[string]any)["Type"], id)
		assert.Contains(t, resource.Properties, "LogsConfig", id)
		assert.Contains(t, resource.Properties, "EncryptionKey", id)
	}
	assert.Equal(t, 5, projects)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Logs::LogGroup"), map[string]any{"RetentionInDays": 90})
}

func TestOneProjectPublishesTheSameFileOnceToEachAccount(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	folder := *awscdk.App_Of(stack).Synth(nil).Directory()
	specs, err := filepath.Glob(filepath.Join(folder, "buildspec-*.yaml"))
	require.NoError(t, err)
	require.Len(t, specs, 1)
	text, err := os.ReadFile(specs[0])
	require.NoError(t, err)
	assert.Contains(t, string(text), "cdk-assets@"+release.DefaultAssetsCLIVersion)
	published := regexp.MustCompile(`publish \\"([0-9a-f]{64}):(\d{12})-`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, published, 2)
	assert.Equal(t, published[0][1], published[1][1], "one file")
	assert.ElementsMatch(t, []string{testing1, production}, []string{published[0][2], published[1][2]})
}

func TestAPersonSeesWhatWillChangeBeforeTheyAgree(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	all := synthesize(t, stack)
	_, configurations := all.actions(t)
	approve := configurations["prod/Approve"]
	assert.Equal(t, "prod: #{prod@Changes.CHANGES}", approve["CustomData"])
	link, err := json.Marshal(approve["ExternalEntityLink"])
	require.NoError(t, err)
	assert.Contains(t, string(link), "prefix=changes/#{codepipeline.PipelineExecutionId}.txt")

	spec := all.buildSpec(t, "Changes")
	assert.Contains(t, spec, "cdk diff --app assembly-Release-prod --all --method=template")
	assert.Contains(t, spec, `"exported-variables": [      "CHANGES"`)
	policy, err := json.Marshal(all.one(t, "AWS::IAM::Policy", "ChangesRoleDefaultPolicy"))
	require.NoError(t, err)
	assert.Contains(t, string(policy), "cdk-hnb659fds-lookup-role-"+production)
	assert.NotContains(t, string(policy), "deploy-role", "nothing is changed before somebody has agreed")
}

func TestACheckRunsTheToolsWithTheStagesOutputsAsARoleThatTheStageKnows(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	all := synthesize(t, stack)
	_, configurations := all.actions(t)
	assert.Contains(t, configurations["test/Check"]["EnvironmentVariables"], `{"name":"TOPIC","type":"PLAINTEXT","value":"#{`)
	assert.Contains(t, all.buildSpec(t, "testCheck"), "./check")
	assert.Equal(t, "orders-check-test", all.one(t, "AWS::IAM::Role", "CheckRole")["RoleName"])
	policy, err := json.Marshal(all.one(t, "AWS::IAM::Policy", "CheckRole"))
	require.NoError(t, err)
	assert.Contains(t, string(policy), `"Action":"sts:AssumeRole","Effect":"Allow","Resource":"arn:aws:iam::`+testing1+`:role/orders-check"`)
}

func TestWithoutToolsACheckRunsInTheSource(t *testing.T) {
	stack := pipelineStack()
	props := minimal(t, stack)
	props.Stages[0].Check = &release.Check{Commands: []string{"make check"}}
	release.NewPipeline(stack, "Release", props)
	inputs := map[string]any{}
	for _, stage := range synthesize(t, stack).one(t, "AWS::CodePipeline::Pipeline", "")["Stages"].([]any) {
		for _, one := range stage.(map[string]any)["Actions"].([]any) {
			one := one.(map[string]any)
			inputs[one["Name"].(string)] = one["InputArtifacts"]
		}
	}
	assert.Equal(t, inputs["Synth"], inputs["Check"])
}

func TestArtifactsArePrivateEncryptedByOurKeyLoggedAndForgotten(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", minimal(t, stack))
	bucket := synthesize(t, stack).one(t, "AWS::S3::Bucket", "ArtifactsBucket")
	encryption, err := json.Marshal(bucket["BucketEncryption"])
	require.NoError(t, err)
	assert.Contains(t, string(encryption), "ReleaseKey")
	assert.Contains(t, bucket, "LoggingConfiguration")
	lifecycle, err := json.Marshal(bucket["LifecycleConfiguration"])
	require.NoError(t, err)
	assert.Contains(t, string(lifecycle), `"ExpirationInDays":90`)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::KMS::Key"), map[string]any{"EnableKeyRotation": true})
}

func TestSomebodyIsToldOfAnEndAndOfTheirTurnOverATopicOfOurKey(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	all := synthesize(t, stack)
	rule := all.one(t, "AWS::CodeStarNotifications::NotificationRule", "")
	assert.Equal(t, []any{
		"codepipeline-pipeline-pipeline-execution-failed", "codepipeline-pipeline-pipeline-execution-succeeded", "codepipeline-pipeline-manual-approval-needed",
	}, rule["EventTypeIds"])
	assert.Contains(t, all.one(t, "AWS::SNS::Topic", ""), "KmsMasterKeyId")
	assert.Equal(t, "releases@example.com", all.one(t, "AWS::SNS::Subscription", "")["Endpoint"])
	policy, err := json.Marshal(all.one(t, "AWS::SNS::TopicPolicy", ""))
	require.NoError(t, err)
	assert.Contains(t, string(policy), `"Action":"sns:Publish","Effect":"Allow","Principal":{"Service":"codestar-notifications.amazonaws.com"}`)
	key, err := json.Marshal(all.one(t, "AWS::KMS::Key", ""))
	require.NoError(t, err)
	assert.Contains(t, string(key), `"Action":["kms:Decrypt","kms:GenerateDataKey"],"Condition":{"StringEquals":{"kms:ViaService":`)
}

// What each role may assume is what leads out of the pipeline's account.
func TestEachRoleAssumesItsOwnOthersAndNoMore(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	all := synthesize(t, stack)
	bootstrapped := regexp.MustCompile(`(\d{12}):role/cdk-hnb659fds-([a-z-]+)-role-`)
	want := map[string][]string{
		"ReleaseRoleDefaultPolicy": {testing1 + " deploy", production + " deploy"},
		"FileRole":                 {testing1 + " file-publishing", production + " file-publishing"},
		"Changes":                  {production + " lookup"},
		"SelfMutation":             nil, "Synth": nil, "CheckRole": nil, "SourceCodePipelineActionRole": nil, "CodeBuildActionRole": nil,
	}
	for id, resource := range all {
		if resource.Type != "AWS::IAM::Policy" {
			continue
		}
		text, err := json.Marshal(resource.Properties)
		require.NoError(t, err)
		var got []string
		for _, match := range bootstrapped.FindAllStringSubmatch(string(text), -1) {
			got = append(got, match[1]+" "+match[2])
		}
		known := false
		for part, roles := range want {
			if strings.Contains(id, part) {
				known = true
				assert.ElementsMatch(t, roles, got, id)
			}
		}
		assert.True(t, known, "a policy that nobody thought of: %s", id)
	}
}

func TestOnlyOurOwnBuildsAndPipelinesActByTheRoles(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	roles := 0
	for id, resource := range synthesize(t, stack) {
		if resource.Type != "AWS::IAM::Role" {
			continue
		}
		roles++
		text, err := json.Marshal(resource.Properties["AssumeRolePolicyDocument"])
		require.NoError(t, err)
		if strings.Contains(string(text), `"Service"`) {
			assert.Contains(t, string(text), `"aws:SourceAccount":"`+tools+`"`, id)
		} else {
			assert.Contains(t, string(text), `"Principal":{"AWS":{"Fn::GetAtt":["ReleaseRole`, id)
		}
		assert.NotContains(t, string(text), ":root", "%s trusts a whole account", id)
	}
	assert.Equal(t, 9, roles)
}

func TestAStageInAnotherRegionGetsArtifactsThereByTheStackThatThePipelineDependsOn(t *testing.T) {
	stack := pipelineStack()
	props := minimal(t, stack)
	far, _ := stage(t, stack, "far", production, "us-east-1")
	props.Stages = append(props.Stages, release.Stage{Stage: far})
	release.NewPipeline(stack, "Release", props)
	assembly := awscdk.App_Of(stack).Synth(nil)
	names := map[string]string{}
	for _, one := range *assembly.Stacks() {
		names[*one.StackName()] = *one.Environment().Region
	}
	assert.Equal(t, map[string]string{"Release": "eu-west-1", "Release-support-us-east-1": "us-east-1"}, names)
	var depends []string
	for _, on := range *stack.Dependencies() {
		depends = append(depends, *on.StackName())
	}
	assert.Equal(t, []string{"Release-support-us-east-1"}, depends, "what updates the pipeline deploys it too")
	bucket := synthesize(t, (*stack.Dependencies())[0]).one(t, "AWS::S3::Bucket", "")
	lifecycle, err := json.Marshal(bucket["LifecycleConfiguration"])
	require.NoError(t, err)
	assert.Contains(t, string(lifecycle), `"ExpirationInDays":90`, "there too artifacts are forgotten")
}

// A stack of support in each account is what a pipeline that mutates itself cannot deploy: https://github.com/aws/aws-cdk/issues/16374
func TestNoAccountNeedsAStackOfSupport(t *testing.T) {
	stack := pipelineStack()
	release.NewPipeline(stack, "Release", everything(t, stack))
	assert.Len(t, *awscdk.App_Of(stack).Synth(nil).Stacks(), 1)
}

func TestProblemsAreReportedAllAtOnce(t *testing.T) {
	long := make([]string, 9)
	err := (&release.PipelineProps{
		Repository: "orders", Connection: "mine", Paths: long, IgnorePaths: long,
		Synth: release.Synth{Tools: "cdk.out"}, Stages: []release.Stage{{Check: &release.Check{}}},
	}).Validate()
	assert.EqualError(t, err, strings.Join([]string{
		`repository must be OWNER/NAME, got "orders"`,
		`connection must be the ARN of a connection, got "mine"`,
		"paths must be at most 8 patterns, got 9",
		"ignore paths must be at most 8 patterns, got 9",
		"synth must have commands that write the cloud assembly",
		`synth's tools and its output must be two folders, got "cdk.out" for both`,
		"stage 1 has no stacks: pass the awscdk.Stage",
		"stage 1 has a check without commands",
	}, "\n"))
	assert.Contains(t, cdktest.Panics(t, func() { release.NewPipeline(pipelineStack(), "Release", nil) }), "release: Release: repository must be")
}

func TestPropsAreNotChangedAndConfigureHasTheLastWord(t *testing.T) {
	stack := pipelineStack()
	props := minimal(t, stack)
	props.Configure = func(p *awscodepipeline.PipelineProps) { p.ExecutionMode = awscodepipeline.ExecutionMode_QUEUED }
	release.NewPipeline(stack, "Release", props)
	assert.Empty(t, props.Branch)
	assert.Equal(t, "QUEUED", synthesize(t, stack).one(t, "AWS::CodePipeline::Pipeline", "")["ExecutionMode"])
}

func TestTheCLIIsTheOneThatTheRepositoryUses(t *testing.T) {
	text, err := os.ReadFile("../../package.json")
	require.NoError(t, err)
	var npm struct{ Dependencies map[string]string }
	require.NoError(t, json.Unmarshal(text, &npm))
	assert.Equal(t, release.DefaultCLIVersion, npm.Dependencies["aws-cdk"])
}
