// Package ingest is the pipeline's front door: HTTPS in, Kinesis records out.
//
// [IngestApi] is an Amazon API Gateway REST API that writes to a stream by
// service integration: no Lambda function stands between client and stream.
//
//	POST /events        one JSON object       -> PutRecord
//	POST /events/batch  {"events":[…]}, 1-500 -> PutRecords
//
// A single event becomes a record byte for byte. API Gateway renders the events
// of a batch anew from what it parsed: values stay, but spaces and the spelling
// of numbers and escapes are the template engine's, and of a member that stands
// twice in an object one stays. How AWS's engine spells numbers beyond double
// precision is not documented: a client that needs those digits posts single events.
//
// # What a client sees
//
//	202 {"accepted":N,"request_id":"…"}                                  all stored
//	207 {"accepted":N,"failed":M,"request_id":"…","results":[…]}         some stored: send those with "retryable":true again
//	4xx, 5xx {"error":{"code":"…","message":"…","request_id":"…"}}       nothing known to be stored
//
// A result is {"index":I,"status":202|429|503,"error":null|"throttled"|"unavailable","retryable":B},
// one an event, in the order of the request. 429 and 503 carry Retry-After, in seconds.
//
// The mapping templates are the .vtl files in templates/.
package ingest

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// StageName is the name of the API's one stage, and the first segment of its
// paths. It is not CDK's "prod", which would read wrongly in every other environment.
const StageName = "live"

// IngestApi is a REST API that writes the JSON events posted to it to a Kinesis data stream.
type IngestApi struct {
	constructs.Construct

	// RestApi is the HTTP surface, with a regional endpoint.
	RestApi awsapigateway.RestApi
	// Role is what API Gateway assumes to write to the stream. It can do nothing else.
	Role awsiam.Role
	// AccessLog receives one line of JSON a request, never its body.
	AccessLog awslogs.LogGroup
	// ApiKey is the clients' key; nil unless [AuthAPIKey]. Its value is made by API
	// Gateway and never stands in the template:
	// `aws apigateway get-api-key --include-value --api-key ID`.
	ApiKey awsapigateway.IApiKey
	// UsagePlan throttles each key; nil unless [AuthAPIKey].
	UsagePlan awsapigateway.UsagePlan
}

// NewIngestApi defines an IngestApi in scope. Like CDK's own constructors it
// panics on invalid props.
func NewIngestApi(scope constructs.Construct, id string, props *IngestApiProps) *IngestApi {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("ingest: %w", err))
	}
	p := props.withDefaults()

	a := new(IngestApi)
	constructs.NewConstruct_Override(a, scope, &id)
	a.Role = a.writerRole(p)
	a.AccessLog = a.accessLog(p)
	a.RestApi = a.restApi(p)
	executionLog := a.executionLog(p)
	a.addGatewayResponses(p)
	a.addRoutes(p)
	if p.Auth == AuthAPIKey {
		a.addApiKey(p)
	}

	// A stage is live once it stands: whatever its first request needs stands before.
	stage := a.RestApi.DeploymentStage().Node()
	stage.AddDependency(a.Role, executionLog)
	if !p.SkipAccount {
		stage.AddDependency(accountLogRole(a))
	}
	return a
}

// URL is the base of the routes, with a slash at its end.
func (a *IngestApi) URL() *string { return a.RestApi.Url() }

// GrantPost lets grantee post events: what a client needs under [AuthIAM].
func (a *IngestApi) GrantPost(grantee awsiam.IGrantable) awsiam.Grant {
	arns := jsii.Strings()
	for _, path := range []string{eventPath, batchPath} {
		*arns = append(*arns, a.RestApi.ArnForExecuteApi(jsii.String("POST"), &path, jsii.String(StageName)))
	}
	return awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings("execute-api:Invoke"),
		ResourceArns: arns,
	})
}

// writerRole is what API Gateway assumes. The stream's GrantWrite would add
// kinesis:ListShards, which no route calls; PutRecord on an encrypted stream needs
// kms:GenerateDataKey and no other right on the key.
func (a *IngestApi) writerRole(p IngestApiProps) awsiam.Role {
	role := awsiam.NewRole(a, jsii.String("WriterRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		Description: jsii.String("Lets API Gateway write events to the stream"),
	})
	p.Stream.Grant(role, jsii.String("kinesis:PutRecord"), jsii.String("kinesis:PutRecords"))
	if key := p.Stream.EncryptionKey(); key != nil {
		key.Grant(role, jsii.String("kms:GenerateDataKey"))
	}
	return role
}

func (a *IngestApi) restApi(p IngestApiProps) awsapigateway.RestApi {
	return awsapigateway.NewRestApi(a, jsii.String("RestApi"), &awsapigateway.RestApiProps{
		RestApiName:   a.Node().Path(),
		Description:   jsii.String("Writes JSON events to a Kinesis data stream"),
		EndpointTypes: &[]awsapigateway.EndpointType{awsapigateway.EndpointType_REGIONAL},
		// CDK would make an AWS::ApiGateway::Account an API; accountLogRole makes one a stack.
		CloudWatchRole: jsii.Bool(false),
		DeployOptions: &awsapigateway.StageOptions{
			StageName:            jsii.String(StageName),
			ThrottlingRateLimit:  jsii.Number(p.RateLimit),
			ThrottlingBurstLimit: jsii.Number(p.BurstLimit),
			MetricsEnabled:       jsii.Bool(true),
			LoggingLevel:         awsapigateway.MethodLoggingLevel_ERROR,
			DataTraceEnabled:     jsii.Bool(false), // it would log bodies
			AccessLogDestination: awsapigateway.NewLogGroupLogDestination(a.AccessLog),
			AccessLogFormat:      awsapigateway.AccessLogFormat_Custom(jsii.String(accessLogFormat)),
		},
	})
}

func (a *IngestApi) addApiKey(p IngestApiProps) {
	a.ApiKey = a.RestApi.AddApiKey(jsii.String("Key"), &awsapigateway.ApiKeyOptions{
		Description: jsii.String("Key of the clients of " + *a.Node().Path()),
	})
	a.UsagePlan = a.RestApi.AddUsagePlan(jsii.String("UsagePlan"), &awsapigateway.UsagePlanProps{
		Description: jsii.String("Plan of the clients of " + *a.Node().Path()),
		ApiStages: &[]*awsapigateway.UsagePlanPerApiStage{
			{Api: a.RestApi, Stage: a.RestApi.DeploymentStage()},
		},
		Throttle: &awsapigateway.ThrottleSettings{
			RateLimit:  jsii.Number(p.RateLimit),
			BurstLimit: jsii.Number(p.BurstLimit),
		},
	})
	a.UsagePlan.AddApiKey(a.ApiKey, nil)
}
