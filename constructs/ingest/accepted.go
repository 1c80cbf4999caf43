package ingest

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// accept says which rules of the scanners the API breaks, and why. What [AuthNone] opens is not accepted here.
func (a *IngestApi) accept(p IngestApiProps) {
	stage := a.RestApi.DeploymentStage()
	suppress.Rules(stage, "There is nothing to cache: every request but the health check writes", "CKV_AWS_120")
	if p.Waf == nil {
		suppress.Rules(stage, "Waf is a prop of the API, since AWS bills it by the month and by request", "AwsSolutions-APIG3")
	}
	for _, method := range *a.RestApi.Methods() {
		a.acceptMethod(p, method)
	}
}

func (a *IngestApi) acceptMethod(p IngestApiProps, method awsapigateway.Method) {
	switch {
	case *method.HttpMethod() == "OPTIONS": // a preflight carries no credentials, which the scanners know
	case *method.HttpMethod() == "GET":
		suppress.Rules(method, "The health check answers from API Gateway itself, reaches nothing and says nothing of the stream",
			"AwsSolutions-APIG4", "AwsSolutions-COG4", "CKV_AWS_59")
	case p.Auth == AuthIAM:
		suppress.Rules(method, "Callers sign their requests with IAM credentials in place of a token of Cognito's", "AwsSolutions-COG4")
	case p.Auth == AuthAPIKey:
		suppress.Rules(method, "Callers have an API key, by choice of the environment: it counts and throttles them, and IAM is what prod asks for",
			"AwsSolutions-APIG4", "AwsSolutions-COG4")
	case p.Auth == AuthAuthorizer:
		suppress.Rules(method, "The authorizer that the props bring decides, in place of Cognito", "AwsSolutions-COG4")
	}
}

// Why a log group of the API has no key of its own.
const logsWithoutKey = "CloudWatch Logs encrypts it with a key of its own; it has no bodies and no credentials"
