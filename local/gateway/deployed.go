package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// deployed is everything that is served, as of one reading. It is not changed
// after it was made.
type deployed struct {
	stages map[stageID]*stage
	keys   map[string]apiKey // by value; disabled ones are not in here
	plans  []usagePlan
	// seen are the deployments that a stage was ever seen to be pointed at, by API and id: API
	// Gateway keeps what they were made of, and the emulator keeps their ids alone.
	seen map[[2]string]*deployment
}

type stageID struct{ api, name string }

// stage is a deployment and the settings that take effect without one.
type stage struct {
	id       stageID
	apiName  string
	settings types.Stage
	*deployment
}

type apiKey struct{ id, value string }

type usagePlan struct {
	id       string
	throttle *types.ThrottleSettings
	stages   []types.ApiStage
	keys     map[string]bool // by id
}

// reader reads what is deployed through API Gateway's own API.
type reader struct {
	client *apigateway.Client
	log    *slog.Logger
}

const pageSize = 500 // the most that API Gateway returns at once

// read returns what is deployed now. A deployment that before has too is kept: the
// resources behind it may have changed since, but are not deployed.
func (r reader) read(ctx context.Context, before *deployed) (*deployed, error) {
	now := &deployed{stages: map[stageID]*stage{}, keys: map[string]apiKey{}, seen: map[[2]string]*deployment{}}
	maps.Copy(now.seen, before.seen)
	apis := apigateway.NewGetRestApisPaginator(r.client, &apigateway.GetRestApisInput{Limit: aws.Int32(pageSize)})
	for apis.HasMorePages() {
		page, err := apis.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing REST APIs: %w", err)
		}
		for _, api := range page.Items {
			if err := r.readStages(ctx, api, now); isNotFound(err) {
				continue // deleted meanwhile
			} else if err != nil {
				return nil, err
			}
		}
	}
	if err := r.readKeys(ctx, now); err != nil {
		return nil, err
	}
	return now, nil
}

func (r reader) readStages(ctx context.Context, api types.RestApi, now *deployed) error {
	found, err := r.client.GetStages(ctx, &apigateway.GetStagesInput{RestApiId: api.Id})
	if err != nil {
		return fmt.Errorf("listing stages of %s: %w", *api.Id, err)
	}
	for _, settings := range found.Item {
		s := &stage{id: stageID{*api.Id, *settings.StageName}, apiName: aws.ToString(api.Name), settings: settings}
		id := aws.ToString(settings.DeploymentId)
		key := [2]string{*api.Id, id}
		if now.seen[key] == nil {
			if now.seen[key], err = r.readDeployment(ctx, api, id); err != nil {
				delete(now.seen, key)
				return err
			}
		}
		s.deployment = now.seen[key]
		now.stages[s.id] = s
	}
	return nil
}

func (r reader) readKeys(ctx context.Context, now *deployed) error {
	keys := apigateway.NewGetApiKeysPaginator(r.client, &apigateway.GetApiKeysInput{IncludeValues: aws.Bool(true), Limit: aws.Int32(pageSize)})
	for keys.HasMorePages() {
		page, err := keys.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing API keys: %w", err)
		}
		for _, key := range page.Items {
			if key.Enabled {
				now.keys[aws.ToString(key.Value)] = apiKey{*key.Id, aws.ToString(key.Value)}
			}
		}
	}
	plans := apigateway.NewGetUsagePlansPaginator(r.client, &apigateway.GetUsagePlansInput{Limit: aws.Int32(pageSize)})
	for plans.HasMorePages() {
		page, err := plans.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing usage plans: %w", err)
		}
		for _, plan := range page.Items {
			p := usagePlan{id: *plan.Id, throttle: plan.Throttle, stages: plan.ApiStages, keys: map[string]bool{}}
			if err := r.readPlanKeys(ctx, p); isNotFound(err) {
				continue
			} else if err != nil {
				return err
			}
			now.plans = append(now.plans, p)
		}
	}
	return nil
}

func (r reader) readPlanKeys(ctx context.Context, plan usagePlan) error {
	keys := apigateway.NewGetUsagePlanKeysPaginator(r.client, &apigateway.GetUsagePlanKeysInput{UsagePlanId: &plan.id, Limit: aws.Int32(pageSize)})
	for keys.HasMorePages() {
		page, err := keys.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing keys of usage plan %s: %w", plan.id, err)
		}
		for _, key := range page.Items {
			plan.keys[*key.Id] = true
		}
	}
	return nil
}

// ofMethod is a usage plan's throttle for a method of a stage: "per-client per-method throttling limits".
// https://docs.aws.amazon.com/apigateway/latest/api/API_ApiStage.html#apigw-Type-ApiStage-throttle
func (p usagePlan) ofMethod(id stageID, name string) (types.ThrottleSettings, bool) {
	for _, s := range p.stages {
		if !id.is(s) {
			continue
		}
		for key, limit := range s.Throttle {
			if settingName(key) == name {
				return limit, true
			}
		}
	}
	return types.ThrottleSettings{}, false
}

func (id stageID) is(s types.ApiStage) bool {
	return aws.ToString(s.ApiId) == id.api && aws.ToString(s.Stage) == id.name
}

// plansOf are the usage plans that let a key into a stage.
func (d *deployed) plansOf(key apiKey, id stageID) []usagePlan {
	var plans []usagePlan
	for _, plan := range d.plans {
		if plan.keys[key.id] && slices.ContainsFunc(plan.stages, id.is) {
			plans = append(plans, plan)
		}
	}
	return plans
}

func isNotFound(err error) bool {
	var notFound *types.NotFoundException
	return errors.As(err, &notFound)
}
