package ingest_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestADomainHasTLS12AndMutualTLSAndTakesTheAPIsAddressAway(t *testing.T) {
	stack := cdktest.NewStack()
	props := everything(stack)
	before := *props.Domain
	api := ingest.NewIngestApi(stack, "Ingest", props)

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::DomainName"), map[string]any{
		"DomainName": "events.example.com", "SecurityPolicy": "TLS_1_2",
		"RegionalCertificateArn":  "arn:aws:acm:eu-west-1:111122223333:certificate/1",
		"MutualTlsAuthentication": map[string]any{"TruststoreUri": "s3://trust/clients.pem"},
		"EndpointConfiguration":   map[string]any{"Types": []string{"REGIONAL"}},
	})
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::RestApi"), map[string]any{"DisableExecuteApiEndpoint": true})
	template.ResourceCountIs(jsii.String("AWS::ApiGateway::BasePathMapping"), jsii.Number(1))
	assert.Equal(t, "https://events.example.com/", *api.URL())
	assert.Equal(t, before, *props.Domain, "props are the caller's")
}

func TestADomainKeepsANewerPolicyAndItsBasePath(t *testing.T) {
	stack := cdktest.NewStack()
	api := ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
		Stream: theirStream(stack, "events"),
		Domain: &awsapigateway.DomainNameOptions{
			DomainName: jsii.String("example.com"), Certificate: certificate(stack), BasePath: jsii.String("ingest"),
			SecurityPolicy: awsapigateway.SecurityPolicy_TLS13_1_3_2025_09, EndpointAccessMode: awsapigateway.EndpointAccessMode_STRICT,
		},
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::DomainName"), map[string]any{
		"SecurityPolicy": "SecurityPolicy_TLS13_1_3_2025_09",
	})
	assert.Equal(t, "https://example.com/ingest/", *api.URL())
}

func TestAPrivateEndpointAndAPolicyAreTakenAsTheyCome(t *testing.T) {
	stack := cdktest.NewStack()
	ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
		Stream: theirStream(stack, "events"), Endpoint: privateEndpoint(stack), Policy: anyone(),
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::RestApi"), map[string]any{
		"EndpointConfiguration": map[string]any{"Types": []string{"PRIVATE"}, "VpcEndpointIds": []string{"vpce-1"}},
		"Policy": map[string]any{"Statement": []any{map[string]any{
			"Action": "execute-api:Invoke", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"}, "Resource": "execute-api:/*",
		}}},
	})
}
