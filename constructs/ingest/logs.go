package ingest

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// accessLogFormat is one line of JSON. A variable without a value is logged as a
// bare dash, hence every value stands in quotes; and none of them can hold a quote,
// hence error is the type of the gateway response and not its message, and what an
// authorizer or the integration said of its trouble is in the execution log only.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
const accessLogFormat = `{"request_id":"$context.requestId",` +
	`"extended_request_id":"$context.extendedRequestId",` +
	`"trace_id":"$context.xrayTraceId",` +
	`"time":"$context.requestTimeEpoch",` +
	`"ip":"$context.identity.sourceIp",` +
	`"api_key_id":"$context.identity.apiKeyId",` +
	`"caller":"$context.identity.userArn",` +
	`"subject":"$context.authorizer.claims.sub",` +
	`"method":"$context.httpMethod",` +
	`"path":"$context.resourcePath",` +
	`"status":"$context.status",` +
	`"error":"$context.error.responseType",` +
	`"latency_ms":"$context.responseLatency",` +
	`"response_bytes":"$context.responseLength",` +
	`"waf_status":"$context.waf.status",` +
	`"waf_latency_ms":"$context.waf.latency",` +
	`"waf_response":"$context.wafResponseCode",` +
	`"authorizer_status":"$context.authorizer.status",` +
	`"authorizer_latency_ms":"$context.authorizer.latency",` +
	`"integration_status":"$context.integration.status",` +
	`"integration_latency_ms":"$context.integration.latency",` +
	`"integration_request_id":"$context.integration.requestId"}`

func (a *IngestApi) accessLog(p IngestApiProps) awslogs.LogGroup {
	group := awslogs.NewLogGroup(a, jsii.String("AccessLog"), &awslogs.LogGroupProps{
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	suppress.Rules(group, logsWithoutKey, "CKV_AWS_158")
	return group
}

// executionLog is the log group that API Gateway makes by itself, for ever and
// without a retention, unless it stands before the stage.
func (a *IngestApi) executionLog(p IngestApiProps) awslogs.LogGroup {
	group := awslogs.NewLogGroup(a, jsii.String("ExecutionLog"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.Sprintf("API-Gateway-Execution-Logs_%s/%s", *a.RestApi.RestApiId(), StageName),
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	suppress.Rules(group, logsWithoutKey, "CKV_AWS_158")
	return group
}

// accountLogRole is the role by which API Gateway writes the logs of every API of
// this account and region. It hangs on the stack, since a stack's APIs share it,
// and is retained, since the APIs of other stacks may live by it too.
func accountLogRole(scope constructs.Construct) constructs.IConstruct {
	const id = "ApiGatewayAccount"
	stack := awscdk.Stack_Of(scope)
	if made := stack.Node().TryFindChild(jsii.String(id)); made != nil {
		return made
	}
	shared := constructs.NewConstruct(stack, jsii.String(id))
	role := awsiam.NewRole(shared, jsii.String("LogRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		Description: jsii.String("Lets API Gateway write logs in this account and region"),
		ManagedPolicies: &[]awsiam.IManagedPolicy{
			awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/AmazonAPIGatewayPushToCloudWatchLogs")),
		},
	})
	role.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN)
	suppress.Rules(role, "It is the account's, for the logs of every API in it, and this is the policy that API Gateway documents for it",
		"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]")
	account := awsapigateway.NewCfnAccount(shared, jsii.String("Account"), &awsapigateway.CfnAccountProps{
		CloudWatchRoleArn: role.RoleArn(),
	})
	account.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	return shared
}
