package ingest

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

// addHealth answers probes without a call to anything. It says that API Gateway serves this stage, and
// nothing of the stream: a probe that wrote to it would leave records there.
func (a *IngestApi) addHealth(p IngestApiProps) {
	healthy := []answer{{status: "200", template: `{"status":"ok"}`}}
	integration := awsapigateway.NewMockIntegration(&awsapigateway.IntegrationOptions{
		// A probe with a content type of its own gets 415: its body must not choose the mock's answer.
		PassthroughBehavior: awsapigateway.PassthroughBehavior_NEVER,
		// A mock answers with the integration response of the status that its request names.
		RequestTemplates:     &map[string]*string{"application/json": jsii.String(`{"statusCode":200}`)},
		IntegrationResponses: p.integrationResponses(healthy),
	})
	a.RestApi.Root().ResourceForPath(&p.HealthPath).AddMethod(jsii.String("GET"), integration, &awsapigateway.MethodOptions{
		AuthorizationType: awsapigateway.AuthorizationType_NONE,
		ApiKeyRequired:    jsii.Bool(false),
		MethodResponses:   p.methodResponses(healthy),
	})
}
