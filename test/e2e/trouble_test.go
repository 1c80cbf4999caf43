package e2e

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/faultproxy"
	"github.com/millrace-cdk/millrace/local/gateway"
)

// trouble is the deployed API with another gateway before it, whose Kinesis has the trouble that it is told to have:
// the emulator's never has any.
type trouble struct {
	proxy *faultproxy.Proxy
	url   string
}

// newTrouble starts it; nil where the environment is a real one.
func newTrouble(t *testing.T) *trouble {
	t.Helper()
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		return nil
	}
	config := awsConfig(t)
	proxy, err := faultproxy.Start(t.Context(), os.Getenv("AWS_ENDPOINT_URL"))
	require.NoError(t, err)
	url := proxy.URL()
	config.BaseEndpoint = &url
	served, err := gateway.Start(t.Context(), gateway.Config{AWS: config, Root: root, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, served.Close())
		assert.NoError(t, proxy.Close())
	})
	api, stage := deployed(t)
	return &trouble{proxy, "http://" + served.Addr() + "/" + strings.Join([]string{api, stage}, "/")}
}

// meet posts body while rule is in force.
func (k *trouble) meet(t *testing.T, rule faultproxy.Rule, path, body string) reply {
	t.Helper()
	onlyLocal(t)
	k.proxy.Set(rule)
	defer k.proxy.Clear()
	answer := exchangeAt(t, k.url, http.MethodPost, path, []byte(body), map[string]string{
		"Content-Type": "application/json", "X-Api-Key": os.Getenv("API_KEY"),
	})
	assert.NotZero(t, k.proxy.Met(), "the request did not come to the proxy: it was answered %d %s", answer.status, answer.body)
	return answer
}

// slowKey is a key of a usage plan that lets one request a second through.
func slowKey(t *testing.T) string {
	t.Helper()
	onlyLocal(t)
	client := apigateway.NewFromConfig(awsConfig(t))
	api, stage := deployed(t)
	plan, err := client.CreateUsagePlan(t.Context(), &apigateway.CreateUsagePlanInput{
		Name: aws.String("slow"), ApiStages: []types.ApiStage{{ApiId: &api, Stage: &stage}},
		Throttle: &types.ThrottleSettings{RateLimit: 1, BurstLimit: 1},
	})
	require.NoError(t, err)
	key, err := client.CreateApiKey(t.Context(), &apigateway.CreateApiKeyInput{Name: aws.String("slow"), Enabled: true})
	require.NoError(t, err)
	_, err = client.CreateUsagePlanKey(t.Context(), &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := client.DeleteApiKey(ctx, &apigateway.DeleteApiKeyInput{ApiKey: key.Id})
		assert.NoError(t, err)
		_, err = client.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{
			{Op: types.OpRemove, Path: aws.String("/apiStages"), Value: aws.String(api + ":" + stage)},
		}})
		assert.NoError(t, err)
		_, err = client.DeleteUsagePlan(ctx, &apigateway.DeleteUsagePlanInput{UsagePlanId: plan.Id})
		assert.NoError(t, err)
	})
	return *key.Value
}

// throttled sends what is refused anyway until it is throttled: nothing of it comes into the stream.
func throttled(t *testing.T, headers map[string]string) reply {
	t.Helper()
	var last reply
	for range 100 {
		if last = exchange(t, http.MethodPost, "/events", []byte(`{}`), headers); last.status == http.StatusTooManyRequests {
			break
		}
	}
	return last
}
