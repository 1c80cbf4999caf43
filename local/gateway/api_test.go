package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/gateway"
	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
)

// api is a REST API that a test makes in the emulator and calls through the gateway.
type api struct {
	*apigateway.Client
	id, stage string
	gateway   *gateway.Gateway
	key       string // sent as x-api-key if not empty
}

// method is what a test deploys at a path.
type method struct {
	verb, path string
	uri        string // empty: a MOCK integration
	request    map[string]string
	responses  []answer
	model      string
	parameters map[string]bool
	mapped     map[string]string // parameters of the integration request
	pass       string            // passthrough behavior; empty: WHEN_NO_MATCH
	auth       string
	keyed      bool
	timeout    int32
}

// answer is an integration response and its method response.
type answer struct {
	status, pattern, template string
	headers                   map[string]string // by the client's header
}

func newAPI(t testing.TB, config aws.Config, gateway *gateway.Gateway, change ...func(*apigateway.CreateRestApiInput)) *api {
	t.Helper()
	client := apigateway.NewFromConfig(config)
	input := &apigateway.CreateRestApiInput{Name: aws.String(t.Name())}
	for _, change := range change {
		change(input)
	}
	made, err := client.CreateRestApi(t.Context(), input)
	require.NoError(t, err)
	return &api{Client: client, id: *made.Id, stage: "v1", gateway: gateway}
}

// resource is the id of the resource at path, made if it is not there.
func (a *api) resource(t testing.TB, path string) string {
	t.Helper()
	paths := map[string]string{} // ids
	list := func() {
		found, err := a.GetResources(t.Context(), &apigateway.GetResourcesInput{RestApiId: &a.id, Limit: aws.Int32(500)})
		require.NoError(t, err)
		for _, r := range found.Items {
			paths[strings.TrimSuffix(*r.Path, "/")] = *r.Id
		}
	}
	list()
	parent := ""
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		child := parent + "/" + part
		if paths[child] == "" {
			_, err := a.CreateResource(t.Context(), &apigateway.CreateResourceInput{
				RestApiId: &a.id, ParentId: aws.String(paths[parent]), PathPart: aws.String(part),
			})
			// The SDK drops its request's body as soon as an answer is there. The emulator answers so
			// fast that this can break the connection; the SDK then retries what was done.
			var conflict *types.ConflictException
			if !errors.As(err, &conflict) {
				require.NoError(t, err)
			}
			list()
		}
		parent = child
	}
	return paths[parent]
}

func (a *api) add(t testing.TB, m method) {
	t.Helper()
	id := a.resource(t, m.path)
	put := &apigateway.PutMethodInput{
		RestApiId: &a.id, ResourceId: &id, HttpMethod: &m.verb, ApiKeyRequired: m.keyed,
		AuthorizationType: aws.String("NONE"), RequestParameters: m.parameters,
	}
	if m.auth != "" {
		put.AuthorizationType = &m.auth
	}
	if m.model != "" || m.parameters != nil {
		validator, err := a.CreateRequestValidator(t.Context(), &apigateway.CreateRequestValidatorInput{
			RestApiId: &a.id, Name: aws.String("all"), ValidateRequestBody: m.model != "", ValidateRequestParameters: true,
		})
		require.NoError(t, err)
		put.RequestValidatorId = validator.Id
	}
	if m.model != "" {
		put.RequestModels = map[string]string{"application/json": m.model}
	}
	_, err := a.PutMethod(t.Context(), put)
	require.NoError(t, err)

	integration := &apigateway.PutIntegrationInput{
		RestApiId: &a.id, ResourceId: &id, HttpMethod: &m.verb, Type: types.IntegrationTypeMock,
		RequestTemplates: m.request, RequestParameters: m.mapped,
	}
	if m.uri != "" {
		integration.Type, integration.Uri, integration.IntegrationHttpMethod = types.IntegrationTypeAws, &m.uri, aws.String("POST")
	}
	if m.pass != "" {
		integration.PassthroughBehavior = &m.pass
	}
	if m.timeout != 0 {
		integration.TimeoutInMillis = &m.timeout
	}
	_, err = a.PutIntegration(t.Context(), integration)
	require.NoError(t, err)
	for _, r := range m.responses {
		declared, mapped := map[string]bool{}, map[string]string{}
		for name, source := range r.headers {
			declared["method.response.header."+name], mapped["method.response.header."+name] = false, source
		}
		_, err := a.PutMethodResponse(t.Context(), &apigateway.PutMethodResponseInput{
			RestApiId: &a.id, ResourceId: &id, HttpMethod: &m.verb, StatusCode: &r.status, ResponseParameters: declared,
		})
		require.NoError(t, err)
		response := &apigateway.PutIntegrationResponseInput{
			RestApiId: &a.id, ResourceId: &id, HttpMethod: &m.verb, StatusCode: &r.status,
			SelectionPattern: &r.pattern, ResponseParameters: mapped,
		}
		if r.template != "" {
			response.ResponseTemplates = map[string]string{"application/json": r.template}
		}
		_, err = a.PutIntegrationResponse(t.Context(), response)
		require.NoError(t, err)
	}
}

func (a *api) addModel(t testing.TB, name, schema string) {
	t.Helper()
	_, err := a.CreateModel(t.Context(), &apigateway.CreateModelInput{
		RestApiId: &a.id, Name: &name, ContentType: aws.String("application/json"), Schema: &schema,
	})
	require.NoError(t, err)
}

func (a *api) addGatewayResponse(t testing.TB, kind types.GatewayResponseType, status, template string, headers map[string]string) {
	t.Helper()
	put := &apigateway.PutGatewayResponseInput{RestApiId: &a.id, ResponseType: kind, ResponseParameters: headers}
	if status != "" {
		put.StatusCode = &status
	}
	if template != "" {
		put.ResponseTemplates = map[string]string{"application/json": template}
	}
	_, err := a.PutGatewayResponse(t.Context(), put)
	require.NoError(t, err)
}

// deploy makes a deployment and waits until the gateway serves it.
func (a *api) deploy(t testing.TB) {
	t.Helper()
	_, err := a.CreateDeployment(t.Context(), &apigateway.CreateDeploymentInput{
		RestApiId: &a.id, StageName: &a.stage, Variables: map[string]string{"color": "blue"},
	})
	require.NoError(t, err)
	time.Sleep(600 * time.Millisecond) // twice as long as a deployment may go unnoticed
}

// addKey makes a key and a usage plan that lets it into the stage, throttled as a whole and by method.
func (a *api) addKey(t testing.TB, throttle *types.ThrottleSettings, methods map[string]types.ThrottleSettings) (id, plan string) {
	t.Helper()
	key, err := a.CreateApiKey(t.Context(), &apigateway.CreateApiKeyInput{Name: aws.String(t.Name()), Enabled: true})
	require.NoError(t, err)
	made, err := a.CreateUsagePlan(t.Context(), &apigateway.CreateUsagePlanInput{
		Name: aws.String(t.Name()), Throttle: throttle, ApiStages: []types.ApiStage{{ApiId: &a.id, Stage: &a.stage, Throttle: methods}},
	})
	require.NoError(t, err)
	_, err = a.CreateUsagePlanKey(t.Context(), &apigateway.CreateUsagePlanKeyInput{UsagePlanId: made.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")})
	require.NoError(t, err)
	a.key = *key.Value
	return *key.Id, *made.Id
}

// reply is what a client gets.
type reply struct {
	status int
	header http.Header
	body   string
}

func (a *api) post(t testing.TB, path, body string, headers ...string) reply {
	t.Helper()
	return a.do(t, http.MethodPost, path, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

// do sends a request with headers given as name, value, name, value.
func (a *api) do(t testing.TB, verb, path, body string, headers ...string) reply {
	t.Helper()
	url := "http://" + a.gateway.Addr() + "/" + a.id + "/" + a.stage + path
	request, err := http.NewRequestWithContext(t.Context(), verb, url, strings.NewReader(body))
	require.NoError(t, err)
	if a.key != "" {
		request.Header.Set("x-api-key", a.key)
	}
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var content bytes.Buffer
	_, err = io.Copy(&content, response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header, content.String()}
}

func startGateway(t testing.TB) (aws.Config, *gateway.Gateway) {
	t.Helper()
	config := emulatortest.Start(t)
	g, err := gateway.Start(t.Context(), gateway.Config{AWS: config, Log: log(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return config, g
}

func log(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }
