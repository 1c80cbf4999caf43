package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// deployment is an API as it was when a stage was pointed at it.
type deployment struct {
	id        string
	resources []resource
	// responses are the gateway responses that someone has customized.
	responses map[types.GatewayResponseType]types.GatewayResponse
	// minimumCompression is the least size in bytes that is compressed; nil: nothing is. "You must deploy the API
	// after enabling the compression in order for the change to take effect."
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-enable-compression.html
	minimumCompression *int32
	keySource          types.ApiKeySourceType
}

type resource struct {
	id, path string
	segments []string // of path; none is the root
	methods  map[string]*method
}

// method is a method with everything of it compiled.
type method struct {
	types.Method
	name         string // as the path and log say it: "POST /events"
	models       map[string]*jsonschema.Schema
	validateBody bool
	parameters   []string          // that a request must have, as in "method.request.header.X"
	templates    map[string]string // of the integration request, by content type
	responses    []integrationResponse
	// broken is what AWS would have refused to deploy: every request is answered 500.
	broken error
}

// integrationResponse is one of those that a backend's status selects.
type integrationResponse struct {
	types.IntegrationResponse
	pattern *regexp.Regexp // nil: the default
}

func (r reader) readDeployment(ctx context.Context, of types.RestApi, id string) (*deployment, error) {
	api := *of.Id
	models, err := r.readModels(ctx, api)
	if err != nil {
		return nil, err
	}
	validators := map[string]types.RequestValidator{}
	found, err := r.client.GetRequestValidators(ctx, &apigateway.GetRequestValidatorsInput{RestApiId: &api, Limit: aws.Int32(pageSize)})
	if err != nil {
		return nil, fmt.Errorf("listing request validators of %s: %w", api, err)
	}
	for _, v := range found.Items {
		validators[*v.Id] = v
	}
	d := &deployment{
		id: id, responses: map[types.GatewayResponseType]types.GatewayResponse{},
		minimumCompression: of.MinimumCompressionSize, keySource: of.ApiKeySource,
	}
	resources := apigateway.NewGetResourcesPaginator(r.client, &apigateway.GetResourcesInput{RestApiId: &api, Embed: []string{"methods"}, Limit: aws.Int32(pageSize)})
	for resources.HasMorePages() {
		page, err := resources.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing resources of %s: %w", api, err)
		}
		for _, item := range page.Items {
			res := resource{id: *item.Id, path: aws.ToString(item.Path), segments: segments(aws.ToString(item.Path)), methods: map[string]*method{}}
			for verb, m := range item.ResourceMethods {
				compiled := compile(verb+" "+res.path, m, models, validators[aws.ToString(m.RequestValidatorId)])
				if compiled.broken != nil {
					r.log.Warn("API Gateway would refuse this method: it answers 500", "api", api, "method", compiled.name, "error", compiled.broken)
				}
				res.methods[verb] = compiled
			}
			d.resources = append(d.resources, res)
		}
	}
	responses, err := r.client.GetGatewayResponses(ctx, &apigateway.GetGatewayResponsesInput{RestApiId: &api})
	if err != nil {
		return nil, fmt.Errorf("listing gateway responses of %s: %w", api, err)
	}
	for _, response := range responses.Items {
		if !response.DefaultResponse {
			d.responses[response.ResponseType] = response
		}
	}
	return d, nil
}

// readModels compiles the models by name. One that does not compile fails the requests it
// should validate, not the API: AWS would have refused it.
func (r reader) readModels(ctx context.Context, api string) (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	// "API Gateway supports JSON schema draft 4"
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
	compiler.DefaultDraft(jsonschema.Draft4)
	// Where a model names another one, it is by this URL (same page).
	url := func(model string) string {
		return "https://apigateway.amazonaws.com/restapis/" + api + "/models/" + model
	}
	var names []string
	models := apigateway.NewGetModelsPaginator(r.client, &apigateway.GetModelsInput{RestApiId: &api, Limit: aws.Int32(pageSize)})
	for models.HasMorePages() {
		page, err := models.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing models of %s: %w", api, err)
		}
		for _, model := range page.Items {
			name := aws.ToString(model.Name)
			schema, err := jsonschema.UnmarshalJSON(strings.NewReader(cmp.Or(aws.ToString(model.Schema), "{}")))
			if err == nil {
				err = compiler.AddResource(url(name), schema)
			}
			if err != nil {
				r.log.Warn("reading a model", "api", api, "model", name, "error", err)
				continue
			}
			names = append(names, name)
		}
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, name := range names {
		schema, err := compiler.Compile(url(name))
		if err != nil {
			r.log.Warn("compiling a model", "api", api, "model", name, "error", err)
			continue
		}
		compiled[name] = schema
	}
	return compiled, nil
}

// compile prepares a method for its requests.
func compile(name string, m types.Method, models map[string]*jsonschema.Schema, validator types.RequestValidator) *method {
	c := &method{Method: m, name: name, models: map[string]*jsonschema.Schema{}, validateBody: validator.ValidateRequestBody}
	var problems []error
	for contentType, model := range m.RequestModels {
		c.models[strings.ToLower(contentType)] = models[model]
		if models[model] == nil && c.validateBody {
			problems = append(problems, fmt.Errorf("it has no usable model %q", model))
		}
	}
	if validator.ValidateRequestParameters {
		for parameter, required := range m.RequestParameters {
			if required {
				c.parameters = append(c.parameters, parameter)
			}
		}
		slices.Sort(c.parameters)
	}
	if m.MethodIntegration == nil {
		c.broken = errors.Join(append(problems, errors.New("it has no integration"))...)
		return c
	}
	// The emulator keeps the JSON pointer of UpdateIntegration, /requestTemplates/application~1json,
	// as it stands, beside the template that it replaces.
	c.templates = map[string]string{}
	for _, kind := range slices.Sorted(maps.Keys(m.MethodIntegration.RequestTemplates)) {
		c.templates[strings.ReplaceAll(kind, "~1", "/")] = m.MethodIntegration.RequestTemplates[kind]
	}
	for _, status := range slices.Sorted(maps.Keys(m.MethodIntegration.IntegrationResponses)) {
		response := integrationResponse{IntegrationResponse: m.MethodIntegration.IntegrationResponses[status]}
		if pattern := aws.ToString(response.SelectionPattern); pattern != "" {
			var err error
			// The whole status must match: documented with the pattern of a backend's status code.
			// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
			if response.pattern, err = regexp.Compile(`^(?:` + pattern + `)$`); err != nil {
				problems = append(problems, fmt.Errorf("selection pattern of integration response %s: %w", status, err))
				continue
			}
		}
		problems = append(problems, undeclared(m, status, response)...)
		c.responses = append(c.responses, response)
	}
	c.broken = errors.Join(problems...)
	return c
}

// undeclared is what an integration response maps though the method does not declare it.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegrationResponse.html
func undeclared(m types.Method, status string, response integrationResponse) []error {
	declared, ok := m.MethodResponses[status]
	if !ok {
		return []error{fmt.Errorf("integration response %s has no method response", status)}
	}
	var problems []error
	for header := range response.ResponseParameters {
		if _, ok := declared.ResponseParameters[header]; !ok {
			problems = append(problems, fmt.Errorf("integration response %s maps %s, which the method response does not declare", status, header))
		}
	}
	return problems
}
