package stacks

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// text is the stack's template as JSON.
func text(t *testing.T, stack awscdk.Stack) string {
	t.Helper()
	all, err := json.Marshal(cdktest.Template(stack).ToJSON())
	require.NoError(t, err)
	return string(all)
}

func TestTheReleaseDeploysTheStacksThatAreDeployedByHandEachToItsAccount(t *testing.T) {
	app := cdktest.NewApp()
	release := NewRelease(app, Releases())
	cdktest.Golden(t, awscdk.Stack_Of(release), "release")
	pipeline := text(t, awscdk.Stack_Of(release))
	for _, part := range []string{"make lint", "make test", "make synth ENV=pipeline", "go build -o build/release/millrace ./cmd/millrace"} {
		assert.Contains(t, pipeline, part)
	}

	assembly := app.Synth(nil)
	require.NoError(t, CheckReferences(assembly))
	got := map[string]string{}
	for _, stack := range *assembly.StacksRecursively() {
		got[*stack.StackName()] = *stack.Environment().Account + " " + *stack.Environment().Region
	}
	assert.Equal(t, map[string]string{
		"Millrace-Release":        "111122223333 eu-west-1",
		"Millrace-dev-Foundation": "444455556666 eu-west-1", "Millrace-dev-Pipeline": "444455556666 eu-west-1", "Millrace-dev-Operations": "444455556666 eu-west-1",
		"Millrace-staging-Foundation": "777788889999 eu-west-1", "Millrace-staging-Pipeline": "777788889999 eu-west-1", "Millrace-staging-Operations": "777788889999 eu-west-1",
		"Millrace-prod-Foundation": "123456789012 eu-west-1", "Millrace-prod-Pipeline": "123456789012 eu-west-1", "Millrace-prod-Operations": "123456789012 eu-west-1",
	}, got)

	// A person agrees before prod, and before nothing else.
	assert.Equal(t, 1, strings.Count(pipeline, `"Provider":"Manual"`))
	assert.Contains(t, pipeline, `"CustomData":"prod: #{prod@Changes.CHANGES}"`)
	for name, account := range map[string]string{"dev": "444455556666", "staging": "777788889999", "prod": "123456789012"} {
		role := "arn:aws:iam::" + account + ":role/Millrace-" + name + "-Check"
		assert.Contains(t, pipeline, "./millrace --root=. check --env="+name+" --region=eu-west-1 --role="+role)
		assert.Contains(t, pipeline, `"Action":"sts:AssumeRole","Effect":"Allow","Resource":"`+role+`"`)
	}
}

func TestTheCheckHasAKeyOfItsOwnWhereClientsHaveKeysAndSignsElsewhere(t *testing.T) {
	checker := "arn:aws:iam::111122223333:role/Millrace-Release-Check"
	env := dev()
	env.CheckedBy = checker
	keyed := text(t, NewMillrace(cdktest.NewApp(), env).Pipeline.Stack)
	assert.Contains(t, keyed, `"CheckApiKeyId":{`)
	assert.Contains(t, keyed, `"ApiKeyId":{`, "the clients keep theirs")
	assert.Equal(t, 2, strings.Count(keyed, `"Type":"AWS::ApiGateway::ApiKey"`))
	assert.Contains(t, keyed, `"Action":"apigateway:GET"`)
	assert.Contains(t, keyed, `"aws:PrincipalArn":"`+checker+`"`)

	env = prod()
	env.CheckedBy = checker
	signed := text(t, NewMillrace(cdktest.NewApp(), env).Pipeline.Stack)
	assert.NotContains(t, signed, "AWS::ApiGateway::ApiKey")
	assert.Contains(t, signed, `"RoleName":"Millrace-prod-Check"`)
	assert.Contains(t, signed, `"Action":"execute-api:Invoke"`)
}

func TestWithoutAReleaseNobodyChecks(t *testing.T) {
	alone := text(t, NewMillrace(cdktest.NewApp(), dev()).Pipeline.Stack)
	assert.NotContains(t, alone, "CheckApiKeyId")
	assert.NotContains(t, alone, "Millrace-dev-Check")
}

func TestAReleaseInAnotherRegionIsOneValue(t *testing.T) {
	r := Releases()
	far := dev()
	far.Account, far.Region, far.AvailabilityZones = "444455556666", "us-east-1", []string{"us-east-1a", "us-east-1b"}
	r.Environments, r.Approve = []Environment{far}, nil
	app := cdktest.NewApp()
	NewRelease(app, r)
	regions := map[string]string{}
	for _, stack := range *app.Synth(nil).StacksRecursively() {
		regions[*stack.StackName()] = *stack.Environment().Region
	}
	assert.Equal(t, map[string]string{
		"Millrace-Release": "eu-west-1", "Millrace-Release-support-us-east-1": "us-east-1",
		"Millrace-dev-Foundation": "us-east-1", "Millrace-dev-Pipeline": "us-east-1", "Millrace-dev-Operations": "us-east-1",
	}, regions)
}

func TestAReleaseReportsEveryProblemAtOnce(t *testing.T) {
	r := Release{Account: "1", Region: "moon", Environments: []Environment{dev(), dev()}, Approve: []string{"prod"}}
	assert.EqualError(t, r.Validate(), strings.Join([]string{
		"release:",
		`Account must be the twelve digits of an AWS account, got "1"`,
		`Region must be an AWS region such as eu-west-1, got "moon"`,
		`environment "dev" has no Account: the pipeline must know where to deploy it`,
		`environment "dev" has no Account: the pipeline must know where to deploy it`,
		`Environments must differ, got "dev" twice`,
		`Approve must name environments of the release, got "prod"`,
	}, "\n"))
	assert.ErrorContains(t, Release{Account: "111122223333", Region: "eu-west-1"}.Validate(), "Environments must be one or more")

	env := dev()
	env.Account, env.CheckedBy = "12", "me"
	err := env.Validate()
	assert.ErrorContains(t, err, `Account must be the twelve digits of an AWS account, got "12"`)
	assert.ErrorContains(t, err, `CheckedBy must be the ARN of a role, got "me"`)
}
