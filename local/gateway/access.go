package gateway

import (
	"fmt"
	"maps"
	"slices"
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
	// "The API key must be enabled and in a usage plan with the API stage", in the header x-api-key.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
	if g.keyFor(x) {
		return nil
	}
	g.refresh(x.Context()) // it may have been made just now
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

// throttle takes a token from each bucket that the request draws on: those of its key's usage
// plans, and the stage's for the method. A rate of 0 is none: the emulator
// does not tell 0 from not set.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
func (g *Gateway) throttle(x *exchange) error {
	take := func(bucket string, rate float64, burst int32) error {
		if rate <= 0 || g.buckets.take(bucket, rate, burst, x.started) {
			return nil
		}
		return refused(types.GatewayResponseTypeThrottled, "Too Many Requests")
	}
	path := strings.TrimPrefix(x.resource.path, "/")
	if x.key.id != "" {
		for _, plan := range g.deployed.Load().plansOf(x.key, x.stage.id) {
			if limit := plan.throttle; limit != nil {
				if err := take("plan "+plan.id+" "+x.key.id, limit.RateLimit, limit.BurstLimit); err != nil {
					return err
				}
			}
		}
	}
	// Settings are keyed resource/METHOD, and */* for all: a method's own before that.
	for _, key := range slices.Sorted(maps.Keys(x.stage.settings.MethodSettings)) {
		setting := x.stage.settings.MethodSettings[key]
		name := strings.TrimPrefix(strings.ReplaceAll(key, "~1", "/"), "/")
		if name == path+"/"+x.Method {
			return take(fmt.Sprint("stage ", x.stage.id, name), setting.ThrottlingRateLimit, setting.ThrottlingBurstLimit)
		}
	}
	all := x.stage.settings.MethodSettings["*/*"]
	return take(fmt.Sprint("stage ", x.stage.id, path, x.Method), all.ThrottlingRateLimit, all.ThrottlingBurstLimit)
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
