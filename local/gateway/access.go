package gateway

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// authorize checks the method's authorization and its API key.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-to-api.html
func (g *Gateway) authorize(x *exchange) error {
	switch kind := aws.ToString(x.method.AuthorizationType); kind {
	case "", "NONE":
	case "AWS_IAM":
		signed := strings.HasPrefix(x.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") || x.URL.Query().Has("X-Amz-Signature")
		if !signed { // what a signature is worth is not looked at: see Limits
			return refused(types.GatewayResponseTypeMissingAuthenticationToken, "Missing Authentication Token")
		}
	default:
		return failed(types.GatewayResponseTypeAuthorizerConfigurationError,
			fmt.Errorf("authorization %s is not served by the local gateway", kind))
	}
	if !aws.ToBool(x.method.ApiKeyRequired) {
		return nil
	}
	if x.stage.keySource == types.ApiKeySourceTypeAuthorizer {
		return failed(types.GatewayResponseTypeAuthorizerConfigurationError,
			errors.New("API keys from an authorizer are not served by the local gateway"))
	}
	// "The API key must be enabled and in a usage plan with the API stage", in the header x-api-key.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
	if g.keyFor(x) {
		return nil
	}
	g.refresh(x.Context(), x.started) // it may have been made just now
	if g.keyFor(x) {
		return nil
	}
	return refused(types.GatewayResponseTypeInvalidApiKey, "Forbidden")
}

func (g *Gateway) keyFor(x *exchange) bool {
	now := g.deployed.Load()
	key, ok := now.keys[x.Header.Get("x-api-key")]
	if !ok || len(now.plansOf(key, x.stage.id)) == 0 {
		return false
	}
	x.key = key
	return true
}

// throttle takes a token from each bucket that the request draws on, in the order that AWS has
// them: the key's for the method, the key's, the method's. A rate of 0 is none: the emulator does
// not tell 0 from not set.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
func (g *Gateway) throttle(x *exchange) error {
	take := func(bucket string, rate float64, burst int32) error {
		if rate <= 0 || g.buckets.take(bucket, rate, burst, x.started) {
			return nil
		}
		return refused(types.GatewayResponseTypeThrottled, "Too Many Requests")
	}
	name := settingName(x.resource.path + "/" + x.Method)
	if x.key.id != "" {
		for _, plan := range g.deployed.Load().plansOf(x.key, x.stage.id) {
			bucket := fmt.Sprint("plan ", plan.id, " key ", x.key.id)
			if limit, ok := plan.ofMethod(x.stage.id, name); ok {
				if err := take(bucket+" method "+name, limit.RateLimit, limit.BurstLimit); err != nil {
					return err
				}
			}
			if limit := plan.throttle; limit != nil {
				if err := take(bucket, limit.RateLimit, limit.BurstLimit); err != nil {
					return err
				}
			}
		}
	}
	setting, ok := x.stage.settings.MethodSettings["*/*"]
	for key, own := range x.stage.settings.MethodSettings { // a method's own takes the place of the stage's
		if settingName(key) == name {
			setting, ok = own, true
		}
	}
	if !ok {
		return nil
	}
	return take(fmt.Sprint("stage ", x.stage.id, " method ", name), setting.ThrottlingRateLimit, setting.ThrottlingBurstLimit)
}

// settingName is resource/METHOD without the ways to write it: a stage's settings have
// "/~1events/POST" by CloudFormation and "/events/POST" or "events/POST" by UpdateStage,
// a usage plan's have "/events/POST".
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-apigateway-stage-methodsetting.html
func settingName(key string) string {
	return strings.TrimLeft(strings.ReplaceAll(key, "~1", "/"), "/")
}

// buckets are token buckets by name: "API Gateway throttles requests to your API using the
// token bucket algorithm" (same page).
type buckets struct {
	mu     sync.Mutex
	filled map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// take takes one token if there is one. A bucket holds burst tokens and gets rate more each second.
func (b *buckets) take(name string, rate float64, burst int32, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.filled == nil {
		b.filled = map[string]bucket{}
	}
	size := max(float64(burst), 1)
	state, ok := b.filled[name]
	if !ok {
		state = bucket{size, now}
	}
	state.tokens = min(size, state.tokens+rate*max(0, now.Sub(state.at).Seconds()))
	state.at = now
	granted := state.tokens >= 1
	if granted {
		state.tokens--
	}
	b.filled[name] = state
	return granted
}
