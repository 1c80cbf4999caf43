package ingest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func pages(origins ...string) *awsapigateway.CorsOptions {
	return &awsapigateway.CorsOptions{AllowOrigins: jsii.Strings(origins...)}
}

func TestAPageOfTheAllowedOriginMayPostAndReadEveryAnswer(t *testing.T) {
	for origin, vary := range map[string]string{"https://app.example.com": "'Origin'", "*": ""} {
		cors := pages(origin)
		cors.ExposeHeaders = jsii.Strings("ETag")
		stack, _ := newAPI(ingest.IngestApiProps{HealthPath: "/health", Cors: cors, Routes: []ingest.Route{{Path: "/a", PartitionKey: ingest.KeySource{Header: "X-Device"}}, {Path: "/b", SkipBatch: true}}})
		want := map[string]string{
			"Access-Control-Allow-Origin":   "'" + origin + "'",
			"Access-Control-Expose-Headers": "'Retry-After,x-amzn-RequestId,ETag'",
		}
		if vary != "" {
			want["Vary"] = vary
		}
		deployed := methodsByPath(t, stack)
		for name, m := range deployed {
			if strings.HasPrefix(name, "OPTIONS ") {
				continue
			}
			for _, r := range m.Properties.Integration.IntegrationResponses {
				for header, value := range want {
					assert.Equal(t, value, r.ResponseParameters["method.response.header."+header], "%s %s", name, r.StatusCode)
				}
				assert.Equal(t, vary, r.ResponseParameters["method.response.header.Vary"])
			}
			for _, r := range m.Properties.MethodResponses {
				for header := range want {
					assert.Contains(t, r.ResponseParameters, "method.response.header."+header, "%s %s", name, r.StatusCode)
				}
			}
		}
		for _, r := range find[deployedGatewayResponse](t, stack, "AWS::ApiGateway::GatewayResponse") {
			for header, value := range want {
				assert.Equal(t, value, r.Properties.ResponseParameters["gatewayresponse.header."+header], r.Properties.ResponseType)
			}
		}

		for path, allowed := range map[string]string{"/a": "X-Device", "/a/batch": "X-Device", "/b": ""} {
			require.Contains(t, deployed, "OPTIONS "+path)
			preflight := deployed["OPTIONS "+path].Properties
			assert.Equal(t, "NONE", preflight.AuthorizationType)
			assert.False(t, preflight.ApiKeyRequired)
			assert.Equal(t, "NEVER", preflight.Integration.PassthroughBehavior, "a body of another content type must not be the mock's request")
			require.Len(t, preflight.Integration.IntegrationResponses, 1)
			headers := preflight.Integration.IntegrationResponses[0].ResponseParameters
			assert.Equal(t, "'"+origin+"'", headers["method.response.header.Access-Control-Allow-Origin"])
			assert.Equal(t, "'POST'", headers["method.response.header.Access-Control-Allow-Methods"])
			assert.Contains(t, headers["method.response.header.Access-Control-Allow-Headers"], "Content-Type,X-Amz-Date,Authorization,X-Api-Key")
			assert.Equal(t, allowed != "", strings.Contains(headers["method.response.header.Access-Control-Allow-Headers"], "X-Device"), path)
		}
		assert.NotContains(t, deployed, "OPTIONS /health", "a GET without headers of its own needs no preflight")
	}
}

func TestCredentialsAreAllowedInEveryAnswerWhereTheyAre(t *testing.T) {
	cors := pages("https://app.example.com")
	cors.AllowCredentials = jsii.Bool(true)
	stack, _ := newAPI(ingest.IngestApiProps{Cors: cors})
	for _, r := range find[deployedGatewayResponse](t, stack, "AWS::ApiGateway::GatewayResponse") {
		assert.Equal(t, "'true'", r.Properties.ResponseParameters["gatewayresponse.header.Access-Control-Allow-Credentials"], r.Properties.ResponseType)
	}
}

func TestWithoutCorsNoOriginIsNamed(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{})
	for name, m := range methodsByPath(t, stack) {
		assert.NotContains(t, name, "OPTIONS")
		for _, r := range m.Properties.Integration.IntegrationResponses {
			assert.NotContains(t, r.ResponseParameters, "method.response.header.Access-Control-Allow-Origin", name)
		}
	}
}

func TestCorsIsRefusedWhereErrorsCouldNotCarryIt(t *testing.T) {
	credentials := pages("*")
	credentials.AllowCredentials = jsii.Bool(true)
	exposing := pages("*")
	exposing.ExposeHeaders = jsii.Strings("a'b")
	change := func(change func(*awsapigateway.CorsOptions)) *awsapigateway.CorsOptions {
		options := pages("*")
		change(options)
		return options
	}
	for says, cors := range map[string]*awsapigateway.CorsOptions{
		"must allow headers by name, or \"*\", got \"a b\"":                  change(func(o *awsapigateway.CorsOptions) { o.AllowHeaders = jsii.Strings("a b") }),
		"must allow methods of HTTP in capitals, or ANY alone, got \"post\"": change(func(o *awsapigateway.CorsOptions) { o.AllowMethods = jsii.Strings("post", "POST") }),
		"must allow methods of HTTP in capitals, or ANY alone, got \"ANY\"":  change(func(o *awsapigateway.CorsOptions) { o.AllowMethods = jsii.Strings("ANY", "POST") }),
		"must allow POST, by which events come, got [\"GET\"]":               change(func(o *awsapigateway.CorsOptions) { o.AllowMethods = jsii.Strings("GET") }),
		"status 200 or 204, got 201":                                         change(func(o *awsapigateway.CorsOptions) { o.StatusCode = jsii.Number(201) }),
		"not both": change(func(o *awsapigateway.CorsOptions) {
			o.MaxAge, o.DisableCache = awscdk.Duration_Hours(jsii.Number(1)), jsii.Bool(true)
		}),
		"must allow one origin, or \"*\" for all, got 2": pages("https://a.example.com", "https://b.example.com"),
		"got \"app.example.com\"":                        pages("app.example.com"),
		"got \"https://a.example.com/path\"":             pages("https://a.example.com/path"),
		"got \"https://a'b\"":                            pages("https://a'b"),
		"browsers refuse them":                           credentials,
		"got \"a'b\"":                                    exposing,
	} {
		assert.ErrorContains(t, (&ingest.IngestApiProps{Cors: cors}).Validate(), says)
	}
}

func TestCorsTakesEveryMethodAndTheStatusesOfAPreflight(t *testing.T) {
	stream := theirStream(cdktest.NewStack(), "events")
	for _, methods := range []*[]*string{awsapigateway.Cors_ALL_METHODS(), jsii.Strings("ANY"), jsii.Strings("POST")} {
		cors := pages("*")
		cors.AllowMethods, cors.AllowHeaders, cors.StatusCode = methods, jsii.Strings("*"), jsii.Number(200)
		assert.NoError(t, (&ingest.IngestApiProps{Stream: stream, Cors: cors}).Validate())
	}
}
