package ingest

import (
	"embed"
	"path"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
)

const (
	eventPath = "/events"
	batchPath = "/events/batch"

	// maxBatch is how many records PutRecords takes.
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
	maxBatch = 500
)

//go:embed templates/*.vtl
var templates embed.FS

// route is one method of the API and what it calls.
type route struct {
	path     string
	action   string // of Kinesis
	request  string // mapping template of the integration request
	accepted string // mapping template of the integration response to 2xx
	body     *awsapigateway.JsonSchema
}

func (a *IngestApi) addRoutes(p IngestApiProps) {
	validator := a.RestApi.AddRequestValidator(jsii.String("Validator"), &awsapigateway.RequestValidatorOptions{
		ValidateRequestBody:       jsii.Bool(true),
		ValidateRequestParameters: jsii.Bool(true),
	})
	a.addRoute(p, validator, route{
		path: eventPath, action: "PutRecord",
		request: "event.request.vtl", accepted: "event.accepted.vtl",
		body: eventSchema(),
	})
	a.addRoute(p, validator, route{
		path: batchPath, action: "PutRecords",
		request: "batch.request.vtl", accepted: "batch.accepted.vtl",
		body: batchSchema(),
	})
}

func (a *IngestApi) addRoute(p IngestApiProps, validator awsapigateway.IRequestValidator, r route) {
	responses := responses(r)
	integration := awsapigateway.NewAwsIntegration(&awsapigateway.AwsIntegrationProps{
		Service:               jsii.String("kinesis"),
		Action:                &r.action,
		IntegrationHttpMethod: jsii.String("POST"),
		Options: &awsapigateway.IntegrationOptions{
			CredentialsRole: a.Role,
			// A body of another content type would reach Kinesis as the client wrote it.
			PassthroughBehavior: awsapigateway.PassthroughBehavior_NEVER,
			RequestParameters: &map[string]*string{
				"integration.request.header.Content-Type": jsii.String("'application/x-amz-json-1.1'"),
			},
			RequestTemplates: &map[string]*string{
				"application/json": jsii.String(template(r.request, map[string]string{"STREAM_NAME": *p.Stream.StreamName()})),
			},
			IntegrationResponses: integrationResponses(responses),
		},
	})
	options := &awsapigateway.MethodOptions{
		AuthorizationType: awsapigateway.AuthorizationType_IAM,
		RequestValidator:  validator,
		RequestModels: &map[string]awsapigateway.IModel{
			"application/json": a.RestApi.AddModel(jsii.String(r.action+"Model"), &awsapigateway.ModelOptions{
				ContentType: jsii.String("application/json"),
				Schema:      r.body,
			}),
		},
		MethodResponses: methodResponses(responses),
	}
	if p.Auth == AuthAPIKey {
		options.AuthorizationType = awsapigateway.AuthorizationType_NONE
		options.ApiKeyRequired = jsii.Bool(true)
	}
	a.RestApi.Root().ResourceForPath(&r.path).AddMethod(jsii.String("POST"), integration, options)
}

// eventSchema is any JSON object with a member: the members that millrace knows are
// all optional and the rest is the client's. An empty object is no event; to refuse
// it is also to refuse an empty body, which API Gateway takes as {}.
func eventSchema() *awsapigateway.JsonSchema {
	return &awsapigateway.JsonSchema{
		Schema:        awsapigateway.JsonSchemaVersion_DRAFT4,
		Title:         jsii.String("One event"),
		Type:          awsapigateway.JsonSchemaType_OBJECT,
		MinProperties: jsii.Number(1),
	}
}

// batchSchema takes no member beside events, since it would be dropped silently.
func batchSchema() *awsapigateway.JsonSchema {
	return &awsapigateway.JsonSchema{
		Schema:               awsapigateway.JsonSchemaVersion_DRAFT4,
		Title:                jsii.String("A batch of events"),
		Type:                 awsapigateway.JsonSchemaType_OBJECT,
		AdditionalProperties: jsii.Bool(false),
		Required:             jsii.Strings("events"),
		Properties: &map[string]*awsapigateway.JsonSchema{
			"events": {
				Type:     awsapigateway.JsonSchemaType_ARRAY,
				MinItems: jsii.Number(1),
				MaxItems: jsii.Number(maxBatch),
				Items: &awsapigateway.JsonSchema{
					Type:          awsapigateway.JsonSchemaType_OBJECT,
					MinProperties: jsii.Number(1),
				},
			},
		},
	}
}

// template returns the mapping template of that name, with the text of each
// {{PLACEHOLDER}} put in.
func template(name string, texts map[string]string) string {
	text, err := templates.ReadFile(path.Join("templates", name))
	if err != nil {
		panic(err) // the binary was built without the file: our own bug
	}
	filled := string(text)
	for placeholder, text := range texts {
		filled = strings.ReplaceAll(filled, "{{"+placeholder+"}}", text)
	}
	return filled
}
