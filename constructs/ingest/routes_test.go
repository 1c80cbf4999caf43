package ingest_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// method is an AWS::ApiGateway::Method as deployed.
type method struct {
	Properties struct {
		HttpMethod         string
		AuthorizationType  string
		ApiKeyRequired     bool
		RequestModels      map[string]any
		RequestValidatorId any
		Integration        struct {
			Type                string
			PassthroughBehavior string
			Credentials         any
			Uri                 any
			RequestParameters   map[string]string
			// RequestTemplates are plain text, since the tests' stream has a plain name.
			RequestTemplates     map[string]string
			IntegrationResponses []integrationResponse
		}
		MethodResponses []struct {
			StatusCode         string
			ResponseParameters map[string]bool
		}
	}
}

type integrationResponse struct {
	StatusCode         string
	SelectionPattern   *string
	ResponseParameters map[string]string
	ResponseTemplates  map[string]string
}

// methods returns the deployed methods by the Kinesis action that they call.
func methods(t *testing.T, stack awscdk.Stack) map[string]method {
	t.Helper()
	byAction := map[string]method{}
	for _, m := range find[method](t, stack, "AWS::ApiGateway::Method") {
		uri, err := json.Marshal(m.Properties.Integration.Uri)
		require.NoError(t, err)
		found := regexp.MustCompile(`:kinesis:action/(\w+)"`).FindStringSubmatch(string(uri))
		require.NotNil(t, found, "%s is not an action of Kinesis", uri)
		byAction[found[1]] = m
	}
	return byAction
}

func TestEachRouteCallsKinesisByTheRoleAlone(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})
	deployed := methods(t, stack)

	require.Len(t, deployed, 2)
	for action, request := range map[string]string{"PutRecord": `"Data"`, "PutRecords": `"Records"`} {
		m := deployed[action].Properties
		assert.Equal(t, "POST", m.HttpMethod)
		assert.Equal(t, "AWS", m.Integration.Type)
		assert.Equal(t, stack.Resolve(api.Role.RoleArn()), m.Integration.Credentials)
		assert.Equal(t, "NEVER", m.Integration.PassthroughBehavior, "a body of another content type must not reach Kinesis as it came")
		assert.Equal(t, map[string]string{"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"}, m.Integration.RequestParameters)
		require.Len(t, m.Integration.RequestTemplates, 1)
		assert.Contains(t, m.Integration.RequestTemplates["application/json"], `"StreamName": "events"`)
		assert.Contains(t, m.Integration.RequestTemplates["application/json"], request)
	}
	paths := map[string]bool{}
	for _, resource := range find[deletable](t, stack, "AWS::ApiGateway::Resource") {
		paths[resource.Properties["PathPart"].(string)] = true
	}
	assert.Equal(t, map[string]bool{"events": true, "batch": true}, paths)
}

func TestNoTemplateHasAPlaceholderLeft(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	for _, m := range methods(t, stack) {
		assert.NotContains(t, m.Properties.Integration.RequestTemplates["application/json"], "{{")
		for _, r := range m.Properties.Integration.IntegrationResponses {
			assert.NotContains(t, r.ResponseTemplates["application/json"], "{{")
		}
	}
}

func TestBodyAndParametersAreValidated(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::RequestValidator"), map[string]any{
		"ValidateRequestBody": true, "ValidateRequestParameters": true,
	})
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::Model"), map[string]any{
		"ContentType": "application/json",
		"Schema": map[string]any{
			"$schema": "http://json-schema.org/draft-04/schema#", "title": "One event", "type": "object", "minProperties": 1,
		},
	})
	template.HasResourceProperties(jsii.String("AWS::ApiGateway::Model"), map[string]any{
		"ContentType": "application/json",
		"Schema": map[string]any{
			"$schema": "http://json-schema.org/draft-04/schema#", "title": "A batch of events", "type": "object",
			"required": []any{"events"}, "additionalProperties": false,
			"properties": map[string]any{"events": map[string]any{
				"type": "array", "minItems": 1, "maxItems": 500,
				"items": map[string]any{"type": "object", "minProperties": 1},
			}},
		},
	})
	for action, m := range methods(t, stack) {
		assert.NotNil(t, m.Properties.RequestValidatorId, action)
		assert.Len(t, m.Properties.RequestModels, 1, action)
		assert.Contains(t, m.Properties.RequestModels, "application/json", action)
	}
}

func TestIAMIsAskedForUnlessKeysAre(t *testing.T) {
	t.Run("IAM", func(t *testing.T) {
		stack, api := newAPI(ingest.IngestApiProps{})
		for action, m := range methods(t, stack) {
			assert.Equal(t, "AWS_IAM", m.Properties.AuthorizationType, action)
			assert.False(t, m.Properties.ApiKeyRequired, action)
		}
		assert.Nil(t, api.ApiKey)
		assert.Nil(t, api.UsagePlan)
		assert.Empty(t, find[any](t, stack, "AWS::ApiGateway::ApiKey"))
	})
	t.Run("API key", func(t *testing.T) {
		stack, api := newAPI(ingest.IngestApiProps{Auth: ingest.AuthAPIKey, RateLimit: 7, BurstLimit: 9})
		for action, m := range methods(t, stack) {
			assert.Equal(t, "NONE", m.Properties.AuthorizationType, action)
			assert.True(t, m.Properties.ApiKeyRequired, action)
		}
		require.NotNil(t, api.ApiKey)
		template := cdktest.Template(stack)
		template.HasResourceProperties(jsii.String("AWS::ApiGateway::ApiKey"), map[string]any{"Enabled": true})
		template.HasResourceProperties(jsii.String("AWS::ApiGateway::UsagePlan"), map[string]any{
			"ApiStages": []any{map[string]any{
				"ApiId": stack.Resolve(api.RestApi.RestApiId()),
				"Stage": stack.Resolve(api.RestApi.DeploymentStage().StageName()),
			}},
			"Throttle": map[string]any{"RateLimit": 7, "BurstLimit": 9},
		})
		template.HasResourceProperties(jsii.String("AWS::ApiGateway::UsagePlanKey"), map[string]any{
			"KeyId": stack.Resolve(api.ApiKey.KeyId()), "KeyType": "API_KEY",
			"UsagePlanId": stack.Resolve(api.UsagePlan.UsagePlanId()),
		})
		assert.NotContains(t, only[deletable](t, stack, "AWS::ApiGateway::ApiKey").Properties, "Value", "a key's value has no place in a template")
	})
}

// selected returns the integration response that API Gateway takes for an HTTP
// status of the backend: the one whose pattern matches the whole of it, else the
// one without a pattern.
func selected(t *testing.T, responses []integrationResponse, status string) integrationResponse {
	t.Helper()
	var matching, patternless []integrationResponse
	for _, r := range responses {
		switch {
		case r.SelectionPattern == nil:
			patternless = append(patternless, r)
		case regexp.MustCompile(`^(?:` + *r.SelectionPattern + `)$`).MatchString(status):
			matching = append(matching, r)
		}
	}
	require.Len(t, patternless, 1, "exactly one response has no selection pattern")
	require.LessOrEqual(t, len(matching), 1, "which of two matching responses wins is not documented")
	return append(matching, patternless...)[0]
}

func TestNoStatusOfKinesisButSuccessIsASuccess(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	for action, m := range methods(t, stack) {
		for status, want := range map[string]string{
			"200": "202",
			"400": "400", // then decided by the error type, see TestAnErrorOfKinesisIsTold
			"403": "502",
			"404": "502",
			"413": "413",
			"429": "429",
			"500": "503",
			"503": "503",
			"504": "503",
			"302": "502",
			"999": "502",
		} {
			got := selected(t, m.Properties.Integration.IntegrationResponses, status)
			assert.Equal(t, want, got.StatusCode, "%s: Kinesis answers %s", action, status)
			retry := got.ResponseParameters["method.response.header.Retry-After"]
			assert.Equal(t, want == "429" || want == "503", retry != "", "%s: Kinesis answers %s, Retry-After", action, status)
		}
	}
}

func TestEveryStatusAndHeaderThatIsMappedIsDeclared(t *testing.T) {
	override := regexp.MustCompile(`\$context\.responseOverride\.(status|header)\.?([\w-]*) = "?(\w+)`)
	stack, _ := newAPI(ingest.IngestApiProps{})
	for action, m := range methods(t, stack) {
		declared := map[string]map[string]bool{}
		for _, r := range m.Properties.MethodResponses {
			assert.NotContains(t, declared, r.StatusCode, "%s declares a status twice", action)
			declared[r.StatusCode] = r.ResponseParameters
		}
		mapped := map[string]bool{}
		for _, r := range m.Properties.Integration.IntegrationResponses {
			assert.False(t, mapped[r.StatusCode], "%s: API Gateway keeps one integration response for a status, %s has two", action, r.StatusCode)
			mapped[r.StatusCode] = true
			require.Contains(t, declared, r.StatusCode, action)
			for parameter := range r.ResponseParameters {
				assert.Contains(t, declared[r.StatusCode], parameter, "%s %s", action, r.StatusCode)
			}
			text := r.ResponseTemplates["application/json"]
			set := override.FindAllStringSubmatch(text, -1)
			assert.Len(t, set, strings.Count(text, "responseOverride"), "an override that this test cannot read")
			for _, s := range set {
				if s[1] == "status" {
					assert.Contains(t, declared, s[3], action)
					continue
				}
				for status, parameters := range declared {
					assert.Contains(t, parameters, "method.response.header."+s[2], "%s %s", action, status)
				}
			}
		}
	}
}
