package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/release"
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

// checkRole is the name of the role that checks env: the release knows it by that.
func (e Environment) checkRole() string { return e.stackName("Check") }

// newCheck lets env.CheckedBy do what `millrace check` does: find out where things are, post, and
// look for what it posted. It reads no table: nothing leads to the database.
func newCheck(stack awscdk.Stack, env Environment, foundation *Foundation, api *ingest.IngestApi) {
	check := release.NewCheckRole(stack, "Check", &release.CheckRoleProps{
		RoleName: env.checkRole(),
		By:       env.CheckedBy,
		Stacks:   []string{env.stackName("Foundation"), env.stackName("Pipeline")},
	})
	check.GrantReadObjects(foundation.Lake.Bucket, "events/")
	if key := api.ApiKeys[checkClient]; key != nil {
		check.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("apigateway:GET"), Resources: &[]*string{key.KeyArn()},
		}))
		output(stack, "CheckApiKeyId", key.KeyId(), "The id of the API key that `millrace check` uses.")
	} else {
		api.GrantPost(check.Role)
	}
}
