package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html

func TestAUsagePlanThrottles(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	a.add(t, method{verb: "GET", path: "/keyed", keyed: true, request: map[string]string{"application/json": `{"statusCode": 200}`}, responses: []answer{{status: "200"}}})
	a.deploy(t)
	a.addKey(t, &types.ThrottleSettings{RateLimit: 1, BurstLimit: 3}, nil)

	statuses := map[int]int{}
	for range 10 {
		statuses[a.do(t, "GET", "/keyed", "").status]++
	}
	assert.GreaterOrEqual(t, statuses[http.StatusOK], 3, "the burst")
	assert.GreaterOrEqual(t, statuses[http.StatusTooManyRequests], 1)
	time.Sleep(1100 * time.Millisecond)
	assert.Equal(t, http.StatusOK, a.do(t, "GET", "/keyed", "").status, "a second fills one in")
}

func TestAStageThrottlesEachMethod(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	for _, path := range []string{"/all", "/own"} {
		a.add(t, method{verb: "GET", path: path, request: map[string]string{"application/json": `{"statusCode": 200}`}, responses: []answer{{status: "200"}}})
	}
	a.deploy(t)
	for path, value := range map[string]string{
		"/*/*/throttling/rateLimit": "1", "/*/*/throttling/burstLimit": "1",
		"/~1own/GET/throttling/rateLimit": "1000", "/~1own/GET/throttling/burstLimit": "1000",
	} {
		_, err := a.UpdateStage(t.Context(), &apigateway.UpdateStageInput{
			RestApiId: &a.id, StageName: &a.stage,
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: &path, Value: &value}},
		})
		require.NoError(t, err)
	}
	time.Sleep(600 * time.Millisecond)

	for path, throttled := range map[string]bool{"/all": true, "/own": false} {
		statuses := map[int]int{}
		for range 10 {
			statuses[a.do(t, "GET", path, "").status]++
		}
		assert.Equal(t, throttled, statuses[http.StatusTooManyRequests] > 0, "%s: %v", path, statuses)
	}
}

func TestAUsagePlanThrottlesAMethodForAClient(t *testing.T) {
	config, g := startGateway(t)
	a := newAPI(t, config, g)
	for _, path := range []string{"/throttled", "/free"} {
		a.add(t, method{verb: "GET", path: path, keyed: true, request: map[string]string{"application/json": `{"statusCode": 200}`}, responses: []answer{{status: "200"}}})
	}
	a.deploy(t)
	a.addKey(t, nil, map[string]types.ThrottleSettings{"/throttled/GET": {RateLimit: 0.1, BurstLimit: 2}})
	own := a.key
	a.addKey(t, nil, map[string]types.ThrottleSettings{"/throttled/GET": {RateLimit: 0.1, BurstLimit: 2}})
	other := a.key

	for _, key := range []string{own, other} { // each client has a bucket of its own
		a.key = key
		var statuses []int
		for range 4 {
			statuses = append(statuses, a.do(t, "GET", "/throttled", "").status)
			assert.Equal(t, http.StatusOK, a.do(t, "GET", "/free", "").status)
		}
		assert.Equal(t, []int{200, 200, 429, 429}, statuses)
	}
}
