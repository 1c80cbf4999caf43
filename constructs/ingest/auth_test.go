package ingest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// authorization is what a method says of its callers.
type authorization struct {
	Properties struct {
		HttpMethod          string
		AuthorizationType   string
		ApiKeyRequired      *bool
		AuthorizerId        any
		AuthorizationScopes []string
	}
}

// posts returns the authorization of the methods that take events.
func posts(t *testing.T, stack awscdk.Stack) []authorization {
	t.Helper()
	var all []authorization
	for _, m := range find[authorization](t, stack, "AWS::ApiGateway::Method") {
		if m.Properties.HttpMethod == "POST" {
			all = append(all, m)
		}
	}
	require.NotEmpty(t, all)
	return all
}

func theirPool(stack awscdk.Stack) awscognito.IUserPool {
	return awscognito.UserPool_FromUserPoolArn(stack, jsii.String("Pool"), jsii.String("arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_abc"))
}

func theirAuthorizer(stack awscdk.Stack) awsapigateway.IAuthorizer {
	return awsapigateway.NewTokenAuthorizer(stack, jsii.String("Authorizer"), &awsapigateway.TokenAuthorizerProps{
		Handler: awslambda.Function_FromFunctionArn(stack, jsii.String("Decider"), jsii.String("arn:aws:lambda:eu-west-1:111122223333:function:decider")),
	})
}

func TestIAMIsTheDefault(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})
	for _, m := range posts(t, stack) {
		assert.Equal(t, "AWS_IAM", m.Properties.AuthorizationType)
	}
	assert.Nil(t, api.ApiKey)
	assert.Empty(t, api.ApiKeys)
}

func TestNobodyIsAskedForAnythingWhereNoneIsSaidOutLoud(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{Auth: ingest.AuthNone})
	for _, m := range posts(t, stack) {
		assert.Equal(t, "NONE", m.Properties.AuthorizationType)
		assert.Nil(t, m.Properties.ApiKeyRequired)
	}
}

func TestTokensOfTheUserPoolsAreTaken(t *testing.T) {
	stack := cdktest.NewStack()
	ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{
		Stream: theirStream(stack, "events"), Auth: ingest.AuthCognito,
		UserPools: []awscognito.IUserPool{theirPool(stack)}, AuthorizationScopes: []string{"events/write"},
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::ApiGateway::Authorizer"), map[string]any{
		"Type": "COGNITO_USER_POOLS", "IdentitySource": "method.request.header.Authorization",
		"ProviderARNs": []string{"arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_abc"},
	})
	for _, m := range posts(t, stack) {
		assert.Equal(t, "COGNITO_USER_POOLS", m.Properties.AuthorizationType)
		assert.NotNil(t, m.Properties.AuthorizerId)
		assert.Equal(t, []string{"events/write"}, m.Properties.AuthorizationScopes)
	}
}

func TestTheirAuthorizerDecides(t *testing.T) {
	stack := cdktest.NewStack()
	authorizer := theirAuthorizer(stack)
	ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: theirStream(stack, "events"), Auth: ingest.AuthAuthorizer, Authorizer: authorizer})
	for _, m := range posts(t, stack) {
		assert.Equal(t, "CUSTOM", m.Properties.AuthorizationType)
		assert.Equal(t, stack.Resolve(authorizer.AuthorizerId()), m.Properties.AuthorizerId)
		assert.Empty(t, m.Properties.AuthorizationScopes)
	}
}

func TestHealthAndPreflightAskNobodyWhateverTheAuth(t *testing.T) {
	for _, auth := range []ingest.Auth{ingest.AuthIAM, ingest.AuthAPIKey, ingest.AuthCognito} {
		stack := cdktest.NewStack()
		props := &ingest.IngestApiProps{
			Stream: theirStream(stack, "events"), Auth: auth, HealthPath: "/health",
			Cors: &awsapigateway.CorsOptions{AllowOrigins: awsapigateway.Cors_ALL_ORIGINS()},
		}
		if auth == ingest.AuthCognito {
			props.UserPools = []awscognito.IUserPool{theirPool(stack)}
		}
		ingest.NewIngestApi(stack, "Ingest", props)

		open := map[string]int{}
		for _, m := range find[authorization](t, stack, "AWS::ApiGateway::Method") {
			if m.Properties.HttpMethod == "POST" {
				continue
			}
			open[m.Properties.HttpMethod]++
			assert.Equal(t, "NONE", m.Properties.AuthorizationType, "%s %s", auth, m.Properties.HttpMethod)
			assert.False(t, m.Properties.ApiKeyRequired != nil && *m.Properties.ApiKeyRequired, "%s %s", auth, m.Properties.HttpMethod)
		}
		assert.Equal(t, 1, open["GET"])
		assert.GreaterOrEqual(t, open["OPTIONS"], 2)
	}
}

type usagePlan struct {
	Properties struct {
		Throttle struct{ RateLimit, BurstLimit int }
		Quota    *struct {
			Limit  int
			Period string
		}
	}
}

func TestAnAPIWithKeysHasOneThatIsLimitedLikeTheAPI(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{Auth: ingest.AuthAPIKey, RateLimit: 7, BurstLimit: 9})
	for _, m := range posts(t, stack) {
		assert.Equal(t, "NONE", m.Properties.AuthorizationType)
		require.NotNil(t, m.Properties.ApiKeyRequired)
		assert.True(t, *m.Properties.ApiKeyRequired)
	}
	plan := only[usagePlan](t, stack, "AWS::ApiGateway::UsagePlan")
	assert.Equal(t, 7, plan.Properties.Throttle.RateLimit)
	assert.Equal(t, 9, plan.Properties.Throttle.BurstLimit)
	assert.Nil(t, plan.Properties.Quota)
	assert.Same(t, api.ApiKey, api.ApiKeys["Default"])
	assert.NotNil(t, api.UsagePlan)
}

func TestEachClientHasAKeyAPlanAndAQuotaOfItsOwn(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{Auth: ingest.AuthAPIKey, RateLimit: 100, BurstLimit: 200, Clients: []ingest.Client{
		{Name: "acme", RateLimit: 5, BurstLimit: 6, Quota: 1000, QuotaPeriod: awsapigateway.Period_DAY},
		{Name: "globex", Quota: 50},
		{Name: "initech"},
	}})
	plans := map[string]usagePlan{}
	for id, plan := range find[usagePlan](t, stack, "AWS::ApiGateway::UsagePlan") {
		for _, name := range []string{"acme", "globex", "initech"} {
			if strings.Contains(id, name) {
				plans[name] = plan
			}
		}
	}
	require.Len(t, plans, 3)
	acme, globex, initech := plans["acme"].Properties, plans["globex"].Properties, plans["initech"].Properties
	assert.Equal(t, 5, acme.Throttle.RateLimit)
	assert.Equal(t, 6, acme.Throttle.BurstLimit)
	require.NotNil(t, acme.Quota)
	assert.Equal(t, 1000, acme.Quota.Limit)
	assert.Equal(t, "DAY", acme.Quota.Period)
	assert.Equal(t, 100, globex.Throttle.RateLimit, "the API's")
	assert.Equal(t, 200, globex.Throttle.BurstLimit)
	require.NotNil(t, globex.Quota)
	assert.Equal(t, "MONTH", globex.Quota.Period)
	assert.Nil(t, initech.Quota)

	type planKey struct {
		Properties struct{ KeyId, UsagePlanId any }
	}
	pairs := find[planKey](t, stack, "AWS::ApiGateway::UsagePlanKey")
	assert.Len(t, pairs, 3)
	for name, key := range api.ApiKeys {
		held := 0
		for _, pair := range pairs {
			if assert.ObjectsAreEqual(stack.Resolve(key.KeyId()), pair.Properties.KeyId) {
				held++
			}
		}
		assert.Equal(t, 1, held, name)
	}
	assert.Len(t, api.ApiKeys, 3)
	assert.Nil(t, api.ApiKey, "no client is named Default")
}

func TestAClientNamedDefaultKeepsTheKeyOfAnAPIWithoutNamedOnes(t *testing.T) {
	lone, _ := newAPI(ingest.IngestApiProps{Auth: ingest.AuthAPIKey})
	both, api := newAPI(ingest.IngestApiProps{Auth: ingest.AuthAPIKey, Clients: []ingest.Client{{Name: "Default"}, {Name: "acme"}}})
	for _, kind := range []string{"AWS::ApiGateway::ApiKey", "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey"} {
		after := find[map[string]any](t, both, kind)
		assert.Len(t, after, 2)
		for id, before := range find[map[string]any](t, lone, kind) {
			assert.Equal(t, before["Properties"], after[id]["Properties"], kind)
		}
	}
	assert.Same(t, api.ApiKey, api.ApiKeys["Default"])
}
