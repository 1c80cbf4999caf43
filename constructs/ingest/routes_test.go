package ingest_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
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
		ResourceId         struct{ Ref string }
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

// methods returns the deployed POST methods of an API with one route by the Kinesis action that they call.
func methods(t *testing.T, stack awscdk.Stack) map[string]method {
	t.Helper()
	byAction := map[string]method{}
	for name, m := range methodsByPath(t, stack) {
		if !strings.HasPrefix(name, "POST ") {
			continue
		}
		uri, err := json.Marshal(m.Properties.Integration.Uri)
		require.NoError(t, err)
		found := regexp.MustCompile(`:kinesis:action/(\w+)"`).FindStringSubmatch(string(uri))
		require.NotNil(t, found, "%s is not an action of Kinesis", uri)
		require.NotContains(t, byAction, found[1])
		byAction[found[1]] = m
	}
	return byAction
}

// methodsByPath returns all deployed methods, such as "POST /events".
func methodsByPath(t *testing.T, stack awscdk.Stack) map[string]method {
	t.Helper()
	type resource struct {
		Properties struct {
			PathPart string
			ParentId struct{ Ref string }
		}
	}
	resources := find[resource](t, stack, "AWS::ApiGateway::Resource")
	byPath := map[string]method{}
	for _, m := range find[method](t, stack, "AWS::ApiGateway::Method") {
		path, id := "", m.Properties.ResourceId.Ref
		for resources[id].Properties.PathPart != "" {
			path, id = "/"+resources[id].Properties.PathPart+path, resources[id].Properties.ParentId.Ref
		}
		byPath[m.Properties.HttpMethod+" "+path] = m
	}
	return byPath
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

func TestEachRouteIsAResourceOfItsOwnForItsStream(t *testing.T) {
	stack := cdktest.NewStack()
	clicks, views := theirStream(stack, "clicks"), theirStream(stack, "views")
	ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: views, HealthPath: "/health", Routes: []ingest.Route{
		{Path: "/clicks", Stream: clicks},
		{Path: "/views", SkipBatch: true},
		{Path: "/v2/clicks", BatchPath: "/v2/clicks-batch", Stream: clicks},
	}})
	deployed := methodsByPath(t, stack)
	var names []string
	for name, m := range deployed {
		names = append(names, name)
		if name == "GET /health" {
			continue
		}
		stream := map[bool]string{true: "clicks", false: "views"}[strings.Contains(name, "clicks")]
		assert.Contains(t, m.Properties.Integration.RequestTemplates["application/json"], `"StreamName": "`+stream+`"`, name)
		uri, err := json.Marshal(m.Properties.Integration.Uri)
		require.NoError(t, err)
		assert.Equal(t, strings.Contains(name, "batch"), strings.Contains(string(uri), "action/PutRecords"), name)
	}
	assert.ElementsMatch(t, []string{"POST /clicks", "POST /clicks/batch", "POST /views", "POST /v2/clicks", "POST /v2/clicks-batch", "GET /health"}, names)
	assert.NotContains(t, strings.Join(names, ""), "{", "no part of a path is a parameter")

	var written []string
	for _, p := range find[policy](t, stack, "AWS::IAM::Policy") {
		for _, s := range p.Properties.PolicyDocument.Statement {
			written = append(written, s.Resource.(string))
		}
	}
	assert.ElementsMatch(t, []string{*clicks.StreamArn(), *views.StreamArn()}, written, "one right a stream, and no other")
}

func TestAGranteeMayPostToEveryRouteAndToNothingElse(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{HealthPath: "/health", Routes: []ingest.Route{{Path: "/a"}, {Path: "/b", BatchPath: "/bs"}}})
	api.GrantPost(awsiam.NewUser(stack, jsii.String("Client"), nil)).AssertSuccess()
	text, err := json.Marshal(find[policy](t, stack, "AWS::IAM::Policy"))
	require.NoError(t, err)
	var granted []string
	for _, match := range regexp.MustCompile(`"(/live/[^"]*)"`).FindAllStringSubmatch(string(text), -1) {
		granted = append(granted, match[1])
	}
	assert.ElementsMatch(t, []string{"/live/POST/a", "/live/POST/a/batch", "/live/POST/b", "/live/POST/bs"}, granted)
}

func TestTheIdsOfARouteStayWhereOthersComeAndGo(t *testing.T) {
	ids := func(paths ...string) map[string]bool {
		var routes []ingest.Route
		for _, path := range paths {
			routes = append(routes, ingest.Route{Path: path})
		}
		stack, _ := newAPI(ingest.IngestApiProps{Routes: routes})
		all := map[string]bool{}
		for _, kind := range []string{"AWS::ApiGateway::Resource", "AWS::ApiGateway::Method", "AWS::ApiGateway::Model", "AWS::ApiGateway::RequestValidator"} {
			for id := range find[any](t, stack, kind) {
				all[id] = true
			}
		}
		return all
	}
	alone, among := ids("/b"), ids("/a", "/b", "/a-b", "/ab", "/a.b", "/c/b", "/a/b")
	assert.Subset(t, among, alone)
	assert.Subset(t, ids("/a/b", "/b", "/a-b", "/ab", "/c/b", "/a.b", "/a"), among)
	assert.Equal(t, alone, ids("/b"))
}

func TestHealthIsAnsweredWithoutAStreamOrAProof(t *testing.T) {
	for _, auth := range []ingest.Auth{ingest.AuthIAM, ingest.AuthAPIKey} {
		stack, _ := newAPI(ingest.IngestApiProps{HealthPath: "/health", Auth: auth})
		m := methodsByPath(t, stack)["GET /health"].Properties
		assert.Equal(t, "NONE", m.AuthorizationType)
		assert.False(t, m.ApiKeyRequired)
		assert.Equal(t, "MOCK", m.Integration.Type)
		assert.Nil(t, m.Integration.Credentials)
		assert.Equal(t, map[string]string{"application/json": `{"statusCode":200}`}, m.Integration.RequestTemplates)
		require.Len(t, m.Integration.IntegrationResponses, 1)
		assert.Equal(t, "200", m.Integration.IntegrationResponses[0].StatusCode)
		assert.JSONEq(t, `{"status":"ok"}`, m.Integration.IntegrationResponses[0].ResponseTemplates["application/json"])
	}
	stack, _ := newAPI(ingest.IngestApiProps{})
	for name := range methodsByPath(t, stack) {
		assert.NotContains(t, name, "GET")
	}
}

func TestARouteWithLimitsOfItsOwnIsThrottledByThem(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{RateLimit: 7, BurstLimit: 9, Routes: []ingest.Route{{Path: "/a", RateLimit: 3}, {Path: "/b"}}})
	settings, ok := only[deletable](t, stack, "AWS::ApiGateway::Stage").Properties["MethodSettings"].([]any)
	require.True(t, ok)
	byPath := map[string]map[string]any{}
	for _, s := range settings {
		setting := s.(map[string]any)
		byPath[setting["HttpMethod"].(string)+" "+setting["ResourcePath"].(string)] = setting
	}
	require.Len(t, byPath, 3, "a method that has the API's limits has no settings of its own")
	for name, rate := range map[string]float64{"* /*": 7, "POST /~1a": 3, "POST /~1a~1batch": 3} {
		require.Contains(t, byPath, name)
		assert.InDelta(t, rate, byPath[name]["ThrottlingRateLimit"], 0, name)
		assert.InDelta(t, 9, byPath[name]["ThrottlingBurstLimit"], 0, name)
		assert.Equal(t, "ERROR", byPath[name]["LoggingLevel"], name)
		assert.Equal(t, true, byPath[name]["MetricsEnabled"], name)
		assert.Equal(t, false, byPath[name]["DataTraceEnabled"], name)
	}
}
