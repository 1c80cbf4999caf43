package ingest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// openAPI is as much of a document as tests look at.
type openAPI struct {
	Security []map[string][]string
	Servers  []struct {
		Variables map[string]struct{ Default string }
	}
	Paths      map[string]map[string]openAPIOperation
	Components struct {
		Responses       map[string]openAPIResponse
		Schemas         map[string]json.RawMessage
		SecuritySchemes map[string]map[string]any
	}
}

type openAPIOperation struct {
	Parameters  []struct{ Name, In string }
	Security    []map[string][]string
	RequestBody struct {
		Content map[string]openAPIContent
	}
	Responses map[string]openAPIResponse
}

type openAPIResponse struct {
	Ref     string `json:"$ref"`
	Headers map[string]any
	Content map[string]openAPIContent
}

type openAPIContent struct {
	Examples map[string]struct{ Value json.RawMessage }
}

// document returns what api says of itself, held to the specification of OpenAPI 3.1.
func document(t *testing.T, api *ingest.IngestApi) (openAPI, validator.Validator) {
	t.Helper()
	text, err := api.OpenAPI()
	require.NoError(t, err)
	parsed, err := libopenapi.NewDocument(text)
	require.NoError(t, err)
	require.Equal(t, "3.1.0", parsed.GetVersion())
	held, errs := validator.NewValidator(parsed)
	require.Empty(t, errs, "what it refers to is there")
	valid, problems := held.ValidateDocument()
	for _, problem := range problems {
		t.Error(problem)
	}
	require.True(t, valid)

	var d openAPI
	require.NoError(t, json.Unmarshal(text, &d))
	return d, held
}

// answers are an operation's answers by status, references followed.
func (d openAPI) answers(o openAPIOperation) map[string]openAPIResponse {
	all := map[string]openAPIResponse{}
	for status, r := range o.Responses {
		if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
			r = d.Components.Responses[name]
		}
		all[status] = r
	}
	return all
}

// manyRoutes is an API with all that a document tells.
func manyRoutes(stack awscdk.Stack) *ingest.IngestApi {
	return ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
		Stream: theirStream(stack, "events"), Auth: ingest.AuthAPIKey, HealthPath: "/health", Waf: &ingest.Waf{}, SkipAccount: true,
		Cors: &awsapigateway.CorsOptions{AllowOrigins: jsii.Strings("https://app.example.com")},
		Routes: []ingest.Route{
			{
				Path: "/clicks", PartitionKey: ingest.KeySource{JSONPath: "$.user.id", Header: "X-Device-Id"},
				ExplicitHashKey: ingest.KeySource{JSONPath: "$.hash", Header: "x-device-id"},
			},
			{Path: "/a/b", SkipBatch: true},
			{Path: "/a_b", BatchPath: "/many"},
			{Path: "/Error"},
			{Path: "/devices", Schema: deviceSchema()},
		},
	})
}

func TestTheDocumentIsValidOpenAPIWhateverTheProps(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		_, api := newAPI(ingest.IngestApiProps{})
		d, _ := document(t, api)
		assert.Len(t, d.Paths, 2)
		assert.Equal(t, "awsSigv4", d.Components.SecuritySchemes["iam"]["x-amazon-apigateway-authtype"])
		assert.Equal(t, []map[string][]string{{"iam": {}}}, d.Security)
		assert.Equal(t, "https://API-ID.execute-api.REGION.amazonaws.com/live", d.Servers[0].Variables["url"].Default)
	})
	t.Run("everything", func(t *testing.T) {
		d, _ := document(t, manyRoutes(cdktest.NewStack()))
		assert.Len(t, d.Paths, 10, "five routes, four of them with batches, and health")
		assert.Len(t, d.Components.Schemas, 8, "three of answers and one a route: no two share a name")
		assert.Equal(t, []map[string][]string{{"api_key": {}}}, d.Security)
		assert.Equal(t, []map[string][]string{}, d.Paths["/health"]["get"].Security, "open to all")
		assert.Equal(t, []struct{ Name, In string }{{"X-Device-Id", "header"}}, d.Paths["/clicks"]["post"].Parameters, "a header's case does not count")
		for _, status := range []string{"413", "429"} {
			assert.Len(t, d.Components.Responses["Error"+status].Content["application/json"].Examples, map[string]int{"413": 2, "429": 3}[status], "WAF has words of its own")
		}
		assert.Empty(t, d.Paths["/devices"]["post"].RequestBody.Content["application/json"].Examples, "only the user knows what fits")
	})
	t.Run("Cognito, by mutual TLS", func(t *testing.T) {
		stack := cdktest.NewStack()
		_, api := stack, ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
			Stream: theirStream(stack, "events"), Auth: ingest.AuthCognito,
			UserPools:           []awscognito.IUserPool{awscognito.NewUserPool(stack, jsii.String("Pool"), nil)},
			AuthorizationScopes: []string{"events/post"},
			Domain: &awsapigateway.DomainNameOptions{
				DomainName:  jsii.String("events.example.com"),
				BasePath:    jsii.String("in"),
				Certificate: awscertificatemanager.Certificate_FromCertificateArn(stack, jsii.String("Certificate"), jsii.String("arn:aws:acm:eu-west-1:111122223333:certificate/a")),
				Mtls:        &awsapigateway.MTLSConfig{Bucket: awss3.Bucket_FromBucketName(stack, jsii.String("Trust"), jsii.String("trust")), Key: jsii.String("ca.pem")},
			},
		})
		d, _ := document(t, api)
		assert.Equal(t, []map[string][]string{{"cognito": {"events/post"}, "mutual_tls": {}}}, d.Security)
		assert.Equal(t, "https://events.example.com/in", d.Servers[0].Variables["url"].Default)
		assert.Contains(t, d.Paths["/events"]["post"].Responses, "401")
	})
	t.Run("an authorizer of the user's", func(t *testing.T) {
		stack := cdktest.NewStack()
		api := ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
			Stream: theirStream(stack, "events"), Auth: ingest.AuthAuthorizer,
			Authorizer: awsapigateway.NewCognitoUserPoolsAuthorizer(stack, jsii.String("Authorizer"), &awsapigateway.CognitoUserPoolsAuthorizerProps{
				CognitoUserPools: &[]awscognito.IUserPool{awscognito.NewUserPool(stack, jsii.String("Pool"), nil)},
			}),
		})
		d, _ := document(t, api)
		assert.Equal(t, []map[string][]string{{"authorizer": {}}}, d.Security)
	})
	t.Run("none", func(t *testing.T) {
		_, api := newAPI(ingest.IngestApiProps{Auth: ingest.AuthNone})
		d, _ := document(t, api)
		assert.Equal(t, []map[string][]string{}, d.Security)
		assert.NotContains(t, d.Paths["/events"]["post"].Responses, "401")
		assert.NotContains(t, d.Paths["/events"]["post"].Responses, "403")
	})
}

func TestTheSamePropsGiveTheSameDocument(t *testing.T) {
	first, err := manyRoutes(cdktest.NewStack()).OpenAPI()
	require.NoError(t, err)
	second, err := manyRoutes(cdktest.NewStack()).OpenAPI()
	require.NoError(t, err)
	assert.Equal(t, string(first), string(second))
}

// TestTheDocumentHasWhatIsDeployed reads the template, so that an answer which is added there cannot be forgotten here.
func TestTheDocumentHasWhatIsDeployed(t *testing.T) {
	stack := cdktest.NewStack()
	d, _ := document(t, manyRoutes(stack))

	resources := find[struct {
		Properties struct {
			PathPart string
			ParentId map[string]any
		}
	}](t, stack, "AWS::ApiGateway::Resource")
	var path func(id string) string
	path = func(id string) string {
		parent, _ := resources[id].Properties.ParentId["Ref"].(string)
		if _, nested := resources[parent]; nested {
			return path(parent) + "/" + resources[id].Properties.PathPart
		}
		return "/" + resources[id].Properties.PathPart
	}
	override := regexp.MustCompile(`responseOverride\.header\.([\w-]+)`)
	seen := 0
	for _, m := range find[struct {
		Properties struct {
			HttpMethod      string
			ResourceId      map[string]any
			Integration     struct{ IntegrationResponses []integrationResponse }
			MethodResponses []struct{ StatusCode string }
		}
	}](t, stack, "AWS::ApiGateway::Method") {
		if m.Properties.HttpMethod == http.MethodOptions { // a browser's, not a client's
			continue
		}
		seen++
		at := path(m.Properties.ResourceId["Ref"].(string))
		operation, ok := d.Paths[at][strings.ToLower(m.Properties.HttpMethod)]
		require.True(t, ok, "%s %s is not in the document", m.Properties.HttpMethod, at)
		described := d.answers(operation)
		for _, r := range m.Properties.MethodResponses {
			assert.Contains(t, described, r.StatusCode, at)
		}
		for _, r := range m.Properties.Integration.IntegrationResponses {
			for parameter := range r.ResponseParameters {
				if name := strings.TrimPrefix(parameter, "method.response.header."); name != "Content-Type" {
					assert.Contains(t, described[r.StatusCode].Headers, name, "%s %s", at, r.StatusCode)
				}
			}
			for _, template := range r.ResponseTemplates {
				if set := override.FindStringSubmatch(template); set != nil {
					assert.Contains(t, described["429"].Headers, set[1], at)
				}
			}
		}
	}
	count := 0
	for _, operations := range d.Paths {
		count += len(operations)
	}
	assert.Equal(t, seen, count, "the document has what is not deployed")

	deployed := 0
	answers := d.answers(d.Paths["/clicks"]["post"])
	elsewhere := []string{ // of other kinds of authentication, and of paths that are not there
		"MISSING_AUTHENTICATION_TOKEN", "RESOURCE_NOT_FOUND", "INVALID_SIGNATURE", "EXPIRED_TOKEN", "UNAUTHORIZED", "ACCESS_DENIED",
		"AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR",
	}
	for _, r := range find[deployedGatewayResponse](t, stack, "AWS::ApiGateway::GatewayResponse") {
		if slices.Contains(elsewhere, r.Properties.ResponseType) {
			continue
		}
		status := r.Properties.StatusCode
		switch r.Properties.ResponseType {
		case "DEFAULT_4XX":
			status = "4XX"
		case "DEFAULT_5XX":
			status = "5XX"
		}
		deployed++
		var body failure
		require.NoError(t, json.Unmarshal([]byte(r.Properties.ResponseTemplates["application/json"]), &body))
		require.Contains(t, answers, status, r.Properties.ResponseType)
		var example failure
		require.NoError(t, json.Unmarshal(answers[status].Content["application/json"].Examples[body.Error.Code].Value, &example), "%s: no example of %s", status, body.Error.Code)
		assert.Equal(t, body.Error.Message, example.Error.Message)
		for name := range r.Properties.ResponseParameters {
			assert.Contains(t, answers[status].Headers, strings.TrimPrefix(name, "gatewayresponse.header."), r.Properties.ResponseType)
		}
	}
	assert.NotZero(t, deployed)
}

func TestEveryExampleFitsItsSchemaAndWhatIsWrongDoesNot(t *testing.T) {
	d, held := document(t, manyRoutes(cdktest.NewStack()))
	request := func(method, path string, body []byte) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://events.example.com"+path, bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Api-Key", "key")
		return r
	}
	tried := 0
	for path, operations := range d.Paths {
		for method, operation := range operations {
			method = strings.ToUpper(method)
			for name, example := range operation.RequestBody.Content["application/json"].Examples {
				valid, problems := held.ValidateHttpRequest(request(method, path, example.Value))
				assert.True(t, valid, "%s %s: %s: %v", method, path, name, problems)
				tried++
			}
			for status, answer := range d.answers(operation) {
				for name, example := range answer.Content["application/json"].Examples {
					code, err := strconv.Atoi(strings.Replace(status, "XX", "55", 1)) // one of the range
					require.NoError(t, err)
					valid, problems := held.ValidateHttpResponse(request(method, path, []byte(`{"a":1}`)), &http.Response{
						StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(example.Value)),
					})
					assert.True(t, valid, "%s %s: %s %s: %v", method, path, status, name, problems)
					tried++
				}
			}
		}
	}
	assert.Greater(t, tried, 100)

	for _, body := range []string{`{}`, `[]`, `"a"`} {
		valid, _ := held.ValidateHttpRequest(request("POST", "/clicks", []byte(body)))
		assert.False(t, valid, body)
	}
	for _, body := range []string{`{"events":[]}`, `{"events":[{}]}`, `{"events":[{"a":1}],"more":1}`, `{"events":[` + strings.Repeat(`{"a":1},`, 500) + `{"a":1}]}`} {
		valid, _ := held.ValidateHttpRequest(request("POST", "/clicks/batch", []byte(body)))
		assert.False(t, valid, "%.40s", body)
	}
	valid, _ := held.ValidateHttpResponse(request("POST", "/clicks", nil), &http.Response{
		StatusCode: http.StatusTooManyRequests, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"message":"Too Many Requests"}`)),
	})
	assert.False(t, valid, "API Gateway's own shape is not ours")
}
