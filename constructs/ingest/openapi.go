package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// ContractVersion is the version of what an IngestApi promises to its clients, as its OpenAPI
// document has it. The first number grows when a client has to change.
const ContractVersion = "1.0.0"

// object is a JSON object. It encodes with its keys sorted: the same props give the same text.
type object = map[string]any

// OpenAPI is the API's contract as an OpenAPI 3.1 document, in JSON: every route, with what it
// takes, each status, header and body that it answers, and how a client shows who it is. The user's own schemas
// (draft 4, as API Gateway has it) are in it as draft 2020-12, OpenAPI's. The address is a
// variable, since it is known at deployment only; CORS preflights are not in it, since a browser sends them by itself.
//
// https://spec.openapis.org/oas/v3.1.1
func (a *IngestApi) OpenAPI() ([]byte, error) {
	p := &a.props
	paths, schemas, err := p.openAPIPaths()
	if err != nil {
		return nil, fmt.Errorf("describing %s by OpenAPI: %w", *a.Node().Path(), err)
	}
	components := object{"schemas": schemas, "responses": p.openAPIFailures()}
	security, schemes := p.openAPISecurity()
	if len(schemes) > 0 {
		components["securitySchemes"] = schemes
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(struct { // in the order that one reads
		OpenAPI    string   `json:"openapi"`
		Info       object   `json:"info"`
		Servers    []object `json:"servers"`
		Security   []object `json:"security"`
		Paths      object   `json:"paths"`
		Components object   `json:"components"`
	}{
		"3.1.0",
		object{
			"title":   *a.Node().Path(),
			"version": ContractVersion,
			"description": "Takes JSON events and writes them to Kinesis data streams. At least once: a request that was answered " +
				"with 5XX, or not at all, may have been stored; where events have an event_id, to send them again does no harm.",
		},
		[]object{{"url": "{url}", "variables": object{"url": p.openAPIURL()}}},
		security, paths, components,
	})
	if err != nil {
		return nil, fmt.Errorf("describing %s by OpenAPI: %w", *a.Node().Path(), err)
	}
	return text.Bytes(), nil
}

// openAPIURL is where the API is, as a variable with an address of that form.
func (p *IngestApiProps) openAPIURL() object {
	url := "https://API-ID.execute-api.REGION.amazonaws.com/" + StageName
	if d := p.Domain; d != nil && !*awscdk.Token_IsUnresolved(d.DomainName) {
		url = "https://" + *d.DomainName
		if d.BasePath != nil {
			url += "/" + *d.BasePath
		}
	}
	return object{"default": url, "description": "Where the API was deployed, with its stage: what IngestApi.URL says, without a slash at the end."}
}

// openAPIPaths describes the routes; schemas are by name those of their events and of all answers.
func (p *IngestApiProps) openAPIPaths() (paths, schemas object, err error) {
	paths, schemas = object{}, answerSchemas()
	if p.HealthPath != "" {
		paths[p.HealthPath] = object{"get": p.openAPIHealth()}
	}
	for _, r := range p.Routes {
		// A path's slashes have no place in a name; two paths that differ in nothing else are told apart.
		name := strings.ReplaceAll(strings.TrimPrefix(r.Path, "/"), "/", "_")
		for schemas[name] != nil {
			name += "_"
		}
		const root = "/components/schemas/"
		if schemas[name], err = modernSchema(r.eventSchema(), root+name); err != nil {
			return nil, nil, fmt.Errorf("route %s: %w", r.Path, err)
		}
		one := object{"$ref": "#" + root + name}
		paths[r.Path] = object{"post": p.openAPICall(call{Route: r}, "post_"+name, one)}
		if !r.SkipBatch {
			batch, err := modernSchema(r.batchSchema(), "")
			if err != nil {
				return nil, nil, fmt.Errorf("route %s: %w", r.BatchPath, err)
			}
			delete(batch, "$defs") // they are the event's
			batch["properties"].(object)["events"].(object)["items"] = one
			paths[r.BatchPath] = object{"post": p.openAPICall(call{Route: r, batch: true}, "post_"+name+"_batch", batch)}
		}
	}
	return paths, schemas, nil
}

// openAPICall describes one method that takes events.
func (p *IngestApiProps) openAPICall(c call, id string, body object) object {
	summary, takes := "Takes one event", "One event, which becomes one record byte for byte. A record may have 1 MiB, its partition key included."
	accepted := object{"accepted": 1, "request_id": exampleID}
	if c.batch {
		summary = fmt.Sprintf("Takes 1 to %d events", maxBatch)
		takes = fmt.Sprintf("1 to %d events, each of which becomes one record. API Gateway writes them anew: their values stay, their spelling may not.", maxBatch)
		accepted["accepted"] = 2
	}
	content := object{"schema": body}
	if c.Schema == nil { // what fits a schema of the user's is the user's to know
		content["examples"] = c.examples()
	}
	responses := object{"202": object{
		"description": "All are stored.",
		"headers":     p.openAPIHeaders(0),
		"content":     jsonContent("Accepted", object{"accepted": object{"value": accepted}}),
	}}
	if c.batch {
		responses["207"] = object{
			"description": "Some are stored. Send those again whose result has \"retryable\": true; the results are in the order of the events.",
			"headers":     p.openAPIHeaders(0),
			"content":     jsonContent("PartlyAccepted", object{"throttled": object{"value": partlyAccepted()}}),
		}
	}
	for status := range p.openAPIFailures() {
		responses[strings.TrimPrefix(status, failurePrefix)] = object{"$ref": "#/components/responses/" + status}
	}
	operation := object{
		"operationId": id,
		"summary":     summary,
		"requestBody": object{"required": true, "description": takes, "content": object{"application/json": content}},
		"responses":   responses,
	}
	if parameters := c.openAPIParameters(); len(parameters) > 0 {
		operation["parameters"] = parameters
	}
	return operation
}

// openAPIParameters are the headers that keys come from.
func (c call) openAPIParameters() []object {
	var all []object
	for _, source := range []struct {
		KeySource
		what string
	}{
		{c.PartitionKey, "The partition key: events of one key go to one shard, in order. Its first 256 characters count."},
		{c.ExplicitHashKey, "The explicit hash key: a decimal number below 2^128, which decides on the shard in place of the partition key. Anything else counts as none."},
	} {
		if source.Header == "" {
			continue
		}
		text := source.what
		if source.JSONPath != "" {
			text += " It counts for events that have none at " + source.JSONPath + "."
		}
		same := func(o object) bool { return strings.EqualFold(o["name"].(string), source.Header) }
		if at := slices.IndexFunc(all, same); at >= 0 { // one header for both
			all[at]["description"] = all[at]["description"].(string) + " " + text
			continue
		}
		all = append(all, object{"name": source.Header, "in": "header", "description": text, "schema": object{"type": "string"}})
	}
	return all
}

func (p *IngestApiProps) openAPIHealth() object {
	responses := object{"200": object{
		"description": "API Gateway serves this API. It says nothing of the streams.",
		"headers":     p.openAPIHeaders(0),
		"content": object{"application/json": object{
			"schema":  object{"type": "object", "required": []string{"status"}, "properties": object{"status": object{"const": "ok"}}},
			"example": object{"status": "ok"},
		}},
	}}
	for _, status := range []string{"415", "429", "4XX", "5XX"} {
		responses[status] = object{"$ref": "#/components/responses/" + failurePrefix + status}
	}
	return object{"operationId": "health", "summary": "Says that the API is there", "security": []object{}, "responses": responses}
}

// openAPISecurity is how a client shows who it is.
func (p *IngestApiProps) openAPISecurity() (required []object, schemes object) {
	header := func(name, description string) object {
		return object{"type": "apiKey", "in": "header", "name": name, "description": description}
	}
	need, schemes := object{}, object{}
	scopes := []string{}
	add := func(name string, scheme object) { schemes[name], need[name] = scheme, scopes }
	if p.Domain != nil && p.Domain.Mtls != nil {
		add("mutual_tls", object{"type": "mutualTLS", "description": "A certificate of an authority that the API trusts."})
	}
	scopes = append(scopes, p.AuthorizationScopes...)
	switch p.Auth {
	case AuthIAM:
		iam := header("Authorization", "A signature of AWS Signature Version 4 for the service execute-api, by a principal that may execute-api:Invoke the route.")
		iam["x-amazon-apigateway-authtype"] = "awsSigv4" // as API Gateway's own exports say it
		add("iam", iam)
	case AuthAPIKey:
		add("api_key", header("x-api-key", "The client's key."))
	case AuthCognito:
		cognito := header("Authorization", "A token of one of the API's Amazon Cognito user pools.")
		cognito["x-amazon-apigateway-authtype"] = "cognito_user_pools"
		add("cognito", cognito)
	case AuthAuthorizer:
		add("authorizer", header("Authorization", "The API's own authorizer decides: which header it reads, and what it takes, is said by whoever runs it."))
	}
	if len(need) == 0 {
		return []object{}, schemes
	}
	return []object{need}, schemes
}
