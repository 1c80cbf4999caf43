package rollback_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/rollback"
)

// fake is an API with three deployments, in two pages, and a stage.
type fake struct{ served string }

func (f *fake) GetStage(_ context.Context, input *apigateway.GetStageInput, _ ...func(*apigateway.Options)) (*apigateway.GetStageOutput, error) {
	if *input.RestApiId != "api" || *input.StageName != "v1" {
		return nil, &types.NotFoundException{}
	}
	return &apigateway.GetStageOutput{DeploymentId: &f.served}, nil
}

func (f *fake) GetDeployments(_ context.Context, input *apigateway.GetDeploymentsInput, _ ...func(*apigateway.Options)) (*apigateway.GetDeploymentsOutput, error) {
	if input.Position == nil {
		return &apigateway.GetDeploymentsOutput{Position: new("2"), Items: []types.Deployment{{Id: new("second"), CreatedDate: at(2)}, {Id: new("third"), CreatedDate: at(3)}}}, nil
	}
	return &apigateway.GetDeploymentsOutput{Items: []types.Deployment{{Id: new("first"), CreatedDate: at(1), Description: new("the beginning")}}}, nil
}

func (f *fake) UpdateStage(_ context.Context, input *apigateway.UpdateStageInput, _ ...func(*apigateway.Options)) (*apigateway.UpdateStageOutput, error) {
	if patch := input.PatchOperations[0]; patch.Op == types.OpReplace && *patch.Path == "/deploymentId" {
		f.served = *patch.Value
	}
	return nil, nil
}

func at(day int) *time.Time { return new(time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)) }

func TestDeploymentsAreListedTheNewestFirst(t *testing.T) {
	all, err := rollback.Stage{Client: &fake{"second"}, API: "api", Name: "v1"}.Deployments(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []rollback.Deployment{
		{ID: "third", Created: *at(3)}, {ID: "second", Created: *at(2), Served: true}, {ID: "first", Created: *at(1), Description: "the beginning"},
	}, all)
}

func TestAStageIsPointedBackAndForthButToNothingUnknown(t *testing.T) {
	f := &fake{"third"}
	stage := rollback.Stage{Client: f, API: "api", Name: "v1"}
	from, err := stage.Point(t.Context(), "first")
	require.NoError(t, err)
	assert.Equal(t, "third", from)
	assert.Equal(t, "first", f.served)

	_, err = stage.Point(t.Context(), "fourth")
	assert.EqualError(t, err, "api has no deployment fourth")
	assert.Equal(t, "first", f.served)

	_, err = rollback.Stage{Client: f, API: "api", Name: "v2"}.Point(t.Context(), "first")
	assert.ErrorContains(t, err, "reading stage v2 of api")
}
