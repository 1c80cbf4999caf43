package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/ingest"
)

// checkClient is the name of the API's client that checks it, where clients have keys.
const checkClient = "Check"

// clients are the API's: beside those who use it, one that checks it.
func (e Environment) clients() []ingest.Client {
	if e.CheckedBy == "" || e.API.Auth != ingest.AuthAPIKey {
		return nil
	}
	return []ingest.Client{{Name: "Default"}, {Name: checkClient, RateLimit: 5, BurstLimit: 10}}
}

// checkRole is the name of the role that checks env: the release names it before it is there.
func (e Environment) checkRole() string { return e.stackName("Check") }

// newCheck lets env.CheckedBy do what `millrace check` does: find out where things are, post, and
// look for what it posted. It reads no table: nothing leads to the database.
func newCheck(stack awscdk.Stack, env Environment, foundation *Foundation, api *ingest.IngestApi) {
	account := strings.Split(env.CheckedBy, ":")[4]
	role := awsiam.NewRole(stack, jsii.String("Check"), &awsiam.RoleProps{
		RoleName:    jsii.String(env.checkRole()),
		Description: jsii.String("Checks the environment after a deploy"),
		// By a condition: a principal that is not there yet, or was replaced, is refused or forgotten.
		AssumedBy: awsiam.NewAccountPrincipal(&account).WithConditions(&map[string]any{
			"ArnEquals": map[string]any{"aws:PrincipalArn": env.CheckedBy},
		}),
	})
	lake := foundation.Lake.Bucket
	allow := func(actions []string, resources ...*string) {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources}))
	}
	// A stack's ARN ends in an id that CloudFormation makes up.
	allow([]string{"cloudformation:DescribeStacks"}, stackARN(stack, env.stackName("Foundation")), stackARN(stack, env.stackName("Pipeline")))
	allow([]string{"s3:ListBucket"}, lake.BucketArn())
	allow([]string{"s3:GetObject"}, lake.ArnForObjects(jsii.String("events/*")))
	allow([]string{"kms:Decrypt"}, foundation.Lake.Key.KeyArn())
	if key := api.ApiKeys[checkClient]; key != nil {
		allow([]string{"apigateway:GET"}, key.KeyArn())
		output(stack, "CheckApiKeyId", key.KeyId(), "The id of the API key that `millrace check` uses.")
	} else {
		api.GrantPost(role)
	}
}

func stackARN(stack awscdk.Stack, name string) *string {
	return stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("cloudformation"), Resource: jsii.String("stack"), ResourceName: jsii.String(name + "/*"),
	})
}
