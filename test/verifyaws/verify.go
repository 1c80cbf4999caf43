package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
)

// Case is one request of the corpus.
type Case struct {
	Name    string
	Path    string // a resource of the throw-away API
	Headers map[string]string
	Body    string
}

// Config says what is verified, with what.
type Config struct {
	// Client is API Gateway's.
	Client *apigateway.Client
	// Region stands in the fixtures.
	Region string
	// CDK runs the CDK CLI with these arguments on the throw-away app.
	CDK func(ctx context.Context, arguments ...string) error
	// Cases are sent one after the other.
	Cases []Case
	// Dir gets the fixtures.
	Dir string
	// Now is the time of the run.
	Now time.Time
	// Out is told of each step.
	Out io.Writer
}

// Verify deploys the throw-away API, sends it the corpus through TestInvokeMethod, stores the
// answers and destroys the API: also when something fails or ctx ends.
func Verify(ctx context.Context, c Config) (err error) {
	scratch, err := os.MkdirTemp("", "verifyaws")
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	// Before the deployment: one that fails half way leaves a stack behind, too.
	defer func() {
		fmt.Fprintln(c.Out, "Destroying stack", stackName)
		if destroyErr := c.CDK(context.WithoutCancel(ctx), "destroy", stackName, "--force"); destroyErr != nil {
			err = errors.Join(err, fmt.Errorf("destroying stack %s, which may still stand and cost money: delete it in CloudFormation: %w", stackName, destroyErr))
		}
	}()
	fmt.Fprintln(c.Out, "Deploying stack", stackName)
	outputs := filepath.Join(scratch, "outputs.json")
	if err := c.CDK(ctx, "deploy", stackName, "--require-approval", "never", "--outputs-file", outputs); err != nil {
		return fmt.Errorf("deploying stack %s: %w", stackName, err)
	}
	api, err := apiID(outputs)
	if err != nil {
		return err
	}
	fixture, err := c.send(ctx, api)
	if err != nil {
		return err
	}
	path, err := fixture.write(c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "Stored", len(fixture.Answers), "answers in", path)
	return nil
}

// apiID reads the output ApiId from the CDK CLI's file of outputs.
func apiID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the outputs of stack %s: %w", stackName, err)
	}
	var outputs map[string]map[string]string
	if err := json.Unmarshal(text, &outputs); err != nil {
		return "", fmt.Errorf("reading the outputs of stack %s: %w", stackName, err)
	}
	if id := outputs[stackName]["ApiId"]; id != "" {
		return id, nil
	}
	return "", fmt.Errorf("stack %s has no output ApiId", stackName)
}

// send invokes the API's methods with each case.
func (c Config) send(ctx context.Context, api string) (*Fixture, error) {
	resources, err := c.resources(ctx, api)
	if err != nil {
		return nil, err
	}
	fixture := &Fixture{Date: c.Now.UTC().Format(time.DateOnly), Region: c.Region, Templates: map[string]string{}}
	for _, sent := range c.Cases {
		id, ok := resources[sent.Path]
		if !ok {
			return nil, fmt.Errorf("case %q: the API has no resource %s", sent.Name, sent.Path)
		}
		if _, known := fixture.Templates[sent.Path]; !known {
			integration, err := c.Client.GetIntegration(ctx, &apigateway.GetIntegrationInput{RestApiId: &api, ResourceId: &id, HttpMethod: aws.String("POST")})
			if err != nil {
				return nil, fmt.Errorf("reading the integration of %s: %w", sent.Path, err)
			}
			fixture.Templates[sent.Path] = integration.RequestTemplates["application/json"]
		}
		invoked, err := c.Client.TestInvokeMethod(ctx, &apigateway.TestInvokeMethodInput{
			RestApiId: &api, ResourceId: &id, HttpMethod: aws.String("POST"),
			PathWithQueryString: &sent.Path, Body: &sent.Body, Headers: sent.Headers,
		})
		if err != nil {
			return nil, fmt.Errorf("invoking %s with case %q: %w", sent.Path, sent.Name, err)
		}
		answer := Answer{
			Name: sent.Name, Path: sent.Path, Headers: sent.Headers, Body: sent.Body,
			Status: invoked.Status, Answered: aws.ToString(invoked.Body),
		}
		answer.RequestID, answer.Rendered, answer.Truncated = readLog(aws.ToString(invoked.Log))
		fixture.Answers = append(fixture.Answers, answer)
	}
	return fixture, nil
}

// resources are the ids of the API's resources by path.
func (c Config) resources(ctx context.Context, api string) (map[string]string, error) {
	ids := map[string]string{}
	pages := apigateway.NewGetResourcesPaginator(c.Client, &apigateway.GetResourcesInput{RestApiId: &api})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing the resources of %s: %w", api, err)
		}
		for _, resource := range page.Items {
			ids[aws.ToString(resource.Path)] = aws.ToString(resource.Id)
		}
	}
	return ids, nil
}
