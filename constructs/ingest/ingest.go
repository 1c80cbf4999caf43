package ingest

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// StageName is the name of the API's one stage, and the first segment of its
// paths. It is not CDK's "prod", which would read wrongly in every other environment.
const StageName = "live"

// IngestApi is a REST API that writes the JSON events posted to it to Kinesis data streams.
type IngestApi struct {
	constructs.Construct

	// RestApi is the HTTP surface.
	RestApi awsapigateway.RestApi
	// Role is what API Gateway assumes to write to the streams. It can do nothing else.
	Role awsiam.Role
	// AccessLog receives one line of JSON a request, never its body.
	AccessLog awslogs.LogGroup
	// ApiKey is the key of the client named Default, which is the one there is where no
	// client was named; nil without it. A key's value is made by API Gateway and never
	// stands in the template:
	// `aws apigateway get-api-key --include-value --api-key ID`.
	ApiKey awsapigateway.IApiKey
	// UsagePlan throttles ApiKey; nil without it.
	UsagePlan awsapigateway.UsagePlan
	// ApiKeys are the keys of all clients by the clients' names; empty unless [AuthAPIKey].
	ApiKeys map[string]awsapigateway.IApiKey
	// WebAcl is the web application firewall before the API; nil without [IngestApiProps].Waf.
	WebAcl awswafv2.CfnWebACL

	props      IngestApiProps // with defaults
	authorizer awsapigateway.IAuthorizer
	alarms     []awscloudwatch.Alarm
}

// NewIngestApi defines an IngestApi in scope. Like CDK's own constructors it
// panics on invalid props.
func NewIngestApi(scope constructs.Construct, id string, props *IngestApiProps) *IngestApi {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("ingest: %w", err))
	}
	p := props.withDefaults()
	if err := p.validateStreams(awscdk.Stack_Of(scope)); err != nil {
		panic(fmt.Errorf("ingest: %w", err))
	}

	a := &IngestApi{props: p}
	constructs.NewConstruct_Override(a, scope, &id)
	a.Role = a.writerRole(p)
	a.AccessLog = a.accessLog(p)
	a.RestApi = a.restApi(p)
	executionLog := a.executionLog(p)
	a.authorizer = a.newAuthorizer(p)
	a.addGatewayResponses(p)
	a.addRoutes(p)
	a.addClients(p)
	a.addWaf(p)
	a.addAlarms(p)
	a.accept(p)

	// A stage is live once it stands: whatever its first request needs stands before.
	stage := a.RestApi.DeploymentStage().Node()
	stage.AddDependency(a.Role, executionLog)
	if !p.SkipAccount {
		stage.AddDependency(accountLogRole(a))
	}
	return a
}

// GrantPost lets grantee post events to every route: what a client needs under [AuthIAM].
func (a *IngestApi) GrantPost(grantee awsiam.IGrantable) awsiam.Grant {
	arns := jsii.Strings()
	for _, path := range a.props.paths() {
		*arns = append(*arns, a.RestApi.ArnForExecuteApi(jsii.String("POST"), &path, jsii.String(StageName)))
	}
	return awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings("execute-api:Invoke"),
		ResourceArns: arns,
	})
}

// writerRole is what API Gateway assumes. A stream's GrantWrite would add
// kinesis:ListShards, which no route calls; PutRecord on an encrypted stream needs
// kms:GenerateDataKey and no other right on the key.
func (a *IngestApi) writerRole(p IngestApiProps) awsiam.Role {
	role := awsiam.NewRole(a, jsii.String("WriterRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		Description: jsii.String("Lets API Gateway write events to the stream"),
	})
	for _, stream := range p.streams() {
		stream.Grant(role, jsii.String("kinesis:PutRecord"), jsii.String("kinesis:PutRecords"))
		if key := stream.EncryptionKey(); key != nil {
			key.Grant(role, jsii.String("kms:GenerateDataKey"))
		}
	}
	return role
}

func (a *IngestApi) restApi(p IngestApiProps) awsapigateway.RestApi {
	endpoint := p.Endpoint
	if endpoint == nil {
		endpoint = &awsapigateway.EndpointConfiguration{
			Types: &[]awsapigateway.EndpointType{awsapigateway.EndpointType_REGIONAL},
		}
	}
	return awsapigateway.NewRestApi(a, jsii.String("RestApi"), &awsapigateway.RestApiProps{
		RestApiName:               a.Node().Path(),
		Description:               jsii.String("Writes JSON events to a Kinesis data stream"),
		EndpointConfiguration:     endpoint,
		DomainName:                domainName(p),
		DisableExecuteApiEndpoint: disableExecuteApi(p),
		Policy:                    p.Policy,
		MinCompressionSize:        p.MinCompressionSize,
		// What the stage can be pointed back to: `millrace rollback api`.
		RetainDeployments: jsii.Bool(true),
		// CDK would make an AWS::ApiGateway::Account an API; accountLogRole makes one a stack.
		CloudWatchRole: jsii.Bool(false),
		DeployOptions: &awsapigateway.StageOptions{
			StageName:            jsii.String(StageName),
			ThrottlingRateLimit:  jsii.Number(p.RateLimit),
			ThrottlingBurstLimit: jsii.Number(p.BurstLimit),
			MethodOptions:        p.methodThrottles(),
			MetricsEnabled:       jsii.Bool(true),
			LoggingLevel:         awsapigateway.MethodLoggingLevel_ERROR,
			DataTraceEnabled:     jsii.Bool(false), // it would log bodies
			TracingEnabled:       jsii.Bool(!p.SkipTracing),
			AccessLogDestination: awsapigateway.NewLogGroupLogDestination(a.AccessLog),
			AccessLogFormat:      awsapigateway.AccessLogFormat_Custom(jsii.String(accessLogFormat)),
		},
	})
}
