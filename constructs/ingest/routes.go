package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
)

// call is a method that takes events: a route's for one event, or its for batches.
type call struct {
	Route
	batch bool
}

// path is where events are posted.
func (c call) path() string {
	if c.batch {
		return c.BatchPath
	}
	return c.Path
}

// action is what is called of Kinesis.
func (c call) action() string {
	if c.batch {
		return "PutRecords"
	}
	return "PutRecord"
}

func (r Route) batchPath() string { return cmp.Or(r.BatchPath, r.Path+"/batch") }

// calls are all methods that take events, in the order of their routes.
func (p *IngestApiProps) calls() []call {
	var all []call
	for _, r := range p.Routes {
		all = append(all, call{Route: r})
		if !r.SkipBatch {
			all = append(all, call{Route: r, batch: true})
		}
	}
	return all
}

// paths are where events are posted.
func (p *IngestApiProps) paths() []string {
	var all []string
	for _, c := range p.calls() {
		all = append(all, c.path())
	}
	return all
}

// streams are the streams that events are written to, each once.
func (p *IngestApiProps) streams() []awskinesis.IStream {
	var all []awskinesis.IStream
	seen := map[string]bool{}
	for _, r := range p.Routes {
		if arn := *r.Stream.StreamArn(); !seen[arn] {
			seen[arn] = true
			all = append(all, r.Stream)
		}
	}
	return all
}

// validateStreams reports a stream of another account or region than the API's, as far as both are known
// at synth: the integration names a stream, and would find one of that name here or none.
func (p *IngestApiProps) validateStreams(api awscdk.Stack) error {
	differ := func(theirs, ours *string) bool {
		return theirs != nil && !*awscdk.Token_IsUnresolved(*theirs) && !*awscdk.Token_IsUnresolved(*ours) && *theirs != *ours
	}
	var errs []error
	for _, stream := range p.streams() {
		env := stream.Env()
		if differ(env.Account, api.Account()) || differ(env.Region, api.Region()) {
			errs = append(errs, fmt.Errorf("stream %s must be in the account and region of the API, %s and %s, got %s and %s",
				*stream.Node().Path(), *api.Account(), *api.Region(), *env.Account, *env.Region))
		}
	}
	return errors.Join(errs...)
}

// methodThrottles are the limits of those routes that do not have the API's, for
// the stage's MethodOptions. Logs and metrics stand in each entry, since CDK writes it
// by itself: what an entry leaves out is off for its method.
func (p *IngestApiProps) methodThrottles() *map[string]*awsapigateway.MethodDeploymentOptions {
	options := map[string]*awsapigateway.MethodDeploymentOptions{}
	for _, c := range p.calls() {
		if c.RateLimit == p.RateLimit && c.BurstLimit == p.BurstLimit {
			continue
		}
		options[c.path()+"/POST"] = &awsapigateway.MethodDeploymentOptions{
			ThrottlingRateLimit:  jsii.Number(c.RateLimit),
			ThrottlingBurstLimit: jsii.Number(c.BurstLimit),
			MetricsEnabled:       jsii.Bool(true),
			LoggingLevel:         awsapigateway.MethodLoggingLevel_ERROR,
			DataTraceEnabled:     jsii.Bool(false),
		}
	}
	return &options
}

func (a *IngestApi) addRoutes(p IngestApiProps) {
	validator := a.RestApi.AddRequestValidator(jsii.String("Validator"), &awsapigateway.RequestValidatorOptions{
		ValidateRequestBody:       jsii.Bool(true),
		ValidateRequestParameters: jsii.Bool(true),
	})
	for _, c := range p.calls() {
		a.addCall(p, validator, c)
	}
	if p.HealthPath != "" {
		a.addHealth(p)
	}
}

func (a *IngestApi) addCall(p IngestApiProps, validator awsapigateway.IRequestValidator, c call) {
	answers := answers(c)
	integration := awsapigateway.NewAwsIntegration(&awsapigateway.AwsIntegrationProps{
		Service:               jsii.String("kinesis"),
		Action:                jsii.String(c.action()),
		IntegrationHttpMethod: jsii.String("POST"),
		Options: &awsapigateway.IntegrationOptions{
			CredentialsRole: a.Role,
			// A body of another content type would reach Kinesis as the client wrote it.
			PassthroughBehavior: awsapigateway.PassthroughBehavior_NEVER,
			RequestParameters: &map[string]*string{
				"integration.request.header.Content-Type": jsii.String("'application/x-amz-json-1.1'"),
			},
			RequestTemplates:     &map[string]*string{"application/json": jsii.String(c.request())},
			IntegrationResponses: p.integrationResponses(answers),
		},
	})
	options := &awsapigateway.MethodOptions{
		RequestValidator: validator,
		RequestModels:    &map[string]awsapigateway.IModel{"application/json": a.model(c)},
		MethodResponses:  p.methodResponses(answers),
	}
	a.authorize(p, options)
	resource := a.RestApi.Root().ResourceForPath(jsii.String(c.path()))
	resource.AddMethod(jsii.String("POST"), integration, options)
	if p.Cors != nil {
		a.addPreflight(resource, p.preflight(c))
	}
}

// model is the schema of a call's body. Its id is of the call's path alone, so it stays
// what it is when routes come and go; a colon is in no path, hence no two have one id.
func (a *IngestApi) model(c call) awsapigateway.IModel {
	model := a.RestApi.AddModel(jsii.String("Model"+strings.ReplaceAll(c.path(), "/", ":")), &awsapigateway.ModelOptions{
		ContentType: jsii.String("application/json"),
		Schema:      &awsapigateway.JsonSchema{Type: awsapigateway.JsonSchemaType_OBJECT},
	})
	// CDK's JsonSchema has not all that a schema may have; and a deployment must change with its models.
	schema := c.schema()
	model.Node().DefaultChild().(awsapigateway.CfnModel).SetSchema(schema)
	a.RestApi.LatestDeployment().AddToLogicalId(schema)
	return model
}
