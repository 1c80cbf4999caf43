// Package rollback points the stage of a REST API to an earlier deployment: the mapping templates,
// models and methods of that time are served again, within seconds and without a deploy.
package rollback

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// API is the part of API Gateway's API that this takes.
type API interface {
	apigateway.GetDeploymentsAPIClient
	GetStage(context.Context, *apigateway.GetStageInput, ...func(*apigateway.Options)) (*apigateway.GetStageOutput, error)
	UpdateStage(context.Context, *apigateway.UpdateStageInput, ...func(*apigateway.Options)) (*apigateway.UpdateStageOutput, error)
}

// Stage is a stage of a REST API.
type Stage struct {
	Client    API
	API, Name string
}

// Deployment is one that the stage can be pointed to.
type Deployment struct {
	ID          string    `json:"id"`
	Created     time.Time `json:"created"`
	Description string    `json:"description,omitempty"`
	Served      bool      `json:"served"` // the stage is pointed at it
}

// Deployments lists those that the API has kept, the newest first.
func (s Stage) Deployments(ctx context.Context) ([]Deployment, error) {
	stage, err := s.Client.GetStage(ctx, &apigateway.GetStageInput{RestApiId: &s.API, StageName: &s.Name})
	if err != nil {
		return nil, fmt.Errorf("reading stage %s of %s: %w", s.Name, s.API, err)
	}
	var all []Deployment
	pages := apigateway.NewGetDeploymentsPaginator(s.Client, &apigateway.GetDeploymentsInput{RestApiId: &s.API})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing deployments of %s: %w", s.API, err)
		}
		for _, d := range page.Items {
			all = append(all, Deployment{
				ID: aws.ToString(d.Id), Created: aws.ToTime(d.CreatedDate).UTC(), Description: aws.ToString(d.Description),
				Served: aws.ToString(d.Id) == aws.ToString(stage.DeploymentId),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Deployment) int { return b.Created.Compare(a.Created) })
	return all, nil
}

// Point points the stage to the deployment of that id, and returns the one that it was pointed at.
func (s Stage) Point(ctx context.Context, to string) (from string, err error) {
	all, err := s.Deployments(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range all {
		if d.Served {
			from = d.ID
		}
	}
	if !slices.ContainsFunc(all, func(d Deployment) bool { return d.ID == to }) {
		return from, fmt.Errorf("%s has no deployment %s", s.API, to)
	}
	_, err = s.Client.UpdateStage(ctx, &apigateway.UpdateStageInput{
		RestApiId: &s.API, StageName: &s.Name,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/deploymentId"), Value: &to}},
	})
	if err != nil {
		return from, fmt.Errorf("pointing stage %s of %s to deployment %s: %w", s.Name, s.API, to, err)
	}
	return from, nil
}
