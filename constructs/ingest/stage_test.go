package ingest_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestTheStageThrottlesMeasuresAndLogsErrorsButNoBodies(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{RateLimit: 7, BurstLimit: 9})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::Stage"), map[string]any{
		"StageName": "live",
		"MethodSettings": []any{map[string]any{
			"HttpMethod": "*", "ResourcePath": "/*",
			"ThrottlingRateLimit": 7, "ThrottlingBurstLimit": 9,
			"MetricsEnabled": true, "LoggingLevel": "ERROR", "DataTraceEnabled": false,
		}},
	})
}

func TestARouteWithLimitsOfItsOwnKeepsItsMetricsAndLogs(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/a"}, {Path: "/b", SkipBatch: true, RateLimit: 7, BurstLimit: 9}}})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::Stage"), map[string]any{
		"MethodSettings": []any{
			map[string]any{
				"HttpMethod": "*", "ResourcePath": "/*",
				"ThrottlingRateLimit": ingest.DefaultRateLimit, "ThrottlingBurstLimit": ingest.DefaultBurstLimit,
				"MetricsEnabled": true, "LoggingLevel": "ERROR", "DataTraceEnabled": false,
			},
			map[string]any{
				"HttpMethod": "POST", "ResourcePath": "/~1b",
				"ThrottlingRateLimit": 7, "ThrottlingBurstLimit": 9,
				"MetricsEnabled": true, "LoggingLevel": "ERROR", "DataTraceEnabled": false,
			},
		},
	})
}

func TestAnOldDeploymentStaysForTheStageToGoBackTo(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	cdktest.Template(stack).HasResource(jsii.String("AWS::ApiGateway::Deployment"), map[string]any{"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"})
}

func TestRequestsAreTracedUnlessSkipped(t *testing.T) {
	for _, skip := range []bool{false, true} {
		stack, _ := newAPI(ingest.IngestApiProps{SkipTracing: skip})
		cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::Stage"), map[string]any{"TracingEnabled": !skip})
	}
}

func TestAnswersAreCompressedFromTheSizeAskedFor(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{MinCompressionSize: awscdk.Size_Kibibytes(jsii.Number(2))})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::RestApi"), map[string]any{"MinimumCompressionSize": 2048})
}

func TestTheDefaultsAreWhatTheirConstantsSay(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::Stage"), map[string]any{
		"MethodSettings": []any{map[string]any{
			"HttpMethod": "*", "ResourcePath": "/*",
			"ThrottlingRateLimit": ingest.DefaultRateLimit, "ThrottlingBurstLimit": ingest.DefaultBurstLimit,
			"MetricsEnabled": true, "LoggingLevel": "ERROR", "DataTraceEnabled": false,
		}},
	})
	template.AllResources(jsii.String("AWS::Logs::LogGroup"), map[string]any{
		"DeletionPolicy": "Retain",
		"Properties":     map[string]any{"RetentionInDays": 30},
	})
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::RestApi"), map[string]any{
		"Name":                      "Test/Ingest",
		"EndpointConfiguration":     map[string]any{"Types": []string{"REGIONAL"}},
		"Policy":                    assertions.Match_Absent(),
		"DisableExecuteApiEndpoint": assertions.Match_Absent(),
		"MinimumCompressionSize":    assertions.Match_Absent(),
	})
	template.ResourceCountIs(jsii.String("AWS::WAFv2::WebACL"), jsii.Number(0))
	template.ResourceCountIs(jsii.String("AWS::ApiGateway::DomainName"), jsii.Number(0))
}

func TestEveryLogGroupHasTheRetentionAndRemovalPolicyOfTheProps(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{Waf: &ingest.Waf{}, LogRetention: awslogs.RetentionDays_ONE_WEEK, RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Logs::LogGroup"), jsii.Number(3))
	template.AllResources(jsii.String("AWS::Logs::LogGroup"), map[string]any{
		"DeletionPolicy": "Delete",
		"Properties":     map[string]any{"RetentionInDays": 7},
	})
}

func TestTheExecutionLogAndTheRoleStandBeforeTheStage(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})
	stage := only[deletable](t, stack, "AWS::ApiGateway::Stage")

	executionLogs := 0
	for id, group := range find[deletable](t, stack, "AWS::Logs::LogGroup") {
		name, err := json.Marshal(group.Properties["LogGroupName"])
		require.NoError(t, err)
		if strings.Contains(string(name), "API-Gateway-Execution-Logs_") {
			executionLogs++
			assert.Contains(t, string(name), `"/live"`)
			assert.Contains(t, stage.DependsOn, id, "API Gateway would make it first, without a retention")
		}
	}
	assert.Equal(t, 1, executionLogs)
	for id := range find[any](t, stack, "AWS::IAM::Policy") {
		assert.Contains(t, stage.DependsOn, id, "a first request could find the role without its rights")
	}
	assert.NotNil(t, api.AccessLog)
}

func TestAnAccessLogLineIsJSONWhateverItsValuesAndHoldsNoBody(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	stage := only[struct {
		Properties struct {
			AccessLogSetting struct{ Format string }
		}
	}](t, stack, "AWS::ApiGateway::Stage")
	format := stage.Properties.AccessLogSetting.Format

	// API Gateway writes a dash for a variable without a value.
	line := regexp.MustCompile(`\$[a-zA-Z.]+`).ReplaceAllString(format, "-")
	var fields map[string]string
	require.NoError(t, json.Unmarshal([]byte(line), &fields))
	assert.NotContains(t, format, "\n")
	for _, variable := range []string{
		"$context.requestId", "$context.identity.sourceIp", "$context.status", "$context.responseLatency",
		"$context.integration.status", "$context.integration.latency", "$context.error.responseType", "$context.identity.apiKeyId",
		"$context.xrayTraceId", "$context.waf.status", "$context.wafResponseCode", "$context.authorizer.status", "$context.authorizer.claims.sub",
	} {
		assert.Contains(t, format, `"`+variable+`"`)
	}
	assert.NotContains(t, format, "$input")
	assert.NotContains(t, format, "essage", "a message can hold quotes and a client's text")
}

// deploymentID is the logical id of the API's deployment. A deployment is a snapshot:
// only a new one, under a new id, brings a change to the stage.
func deploymentID(t *testing.T, props ingest.IngestApiProps, stream string) string {
	t.Helper()
	stack := cdktest.NewStack()
	props.Stream = theirStream(stack, stream)
	ingest.NewIngestApi(stack, "Ingest", &props)
	for id := range find[any](t, stack, "AWS::ApiGateway::Deployment") {
		return id
	}
	t.Fatal("no deployment")
	return ""
}

func TestAChangedTemplateMakesANewDeployment(t *testing.T) {
	// The stream's name stands in the request templates and in nothing else of the API.
	same := deploymentID(t, ingest.IngestApiProps{}, "events")
	assert.Equal(t, same, deploymentID(t, ingest.IngestApiProps{}, "events"), "one source, one id")
	assert.Equal(t, same, deploymentID(t, ingest.IngestApiProps{RateLimit: 5, SkipTracing: true}, "events"), "a setting of the stage needs no new deployment")
	assert.NotEqual(t, same, deploymentID(t, ingest.IngestApiProps{}, "others"))
	assert.NotEqual(t, same, deploymentID(t, ingest.IngestApiProps{Auth: ingest.AuthAPIKey}, "events"))
	assert.NotEqual(t, same, deploymentID(t, ingest.IngestApiProps{Policy: anyone()}, "events"), "API Gateway asks for a deployment after a change of the policy")
	assert.NotEqual(t, same, deploymentID(t, ingest.IngestApiProps{MinCompressionSize: awscdk.Size_Bytes(jsii.Number(0))}, "events"))
}
