package gateway

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-cdk/millrace/local/internal/metrics"
)

// measure publishes a request's metrics. The average of an error's is its share of the
// requests, since one without it counts as 0.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
func (g *Gateway) measure(x *exchange, status int) {
	if x.stage == nil { // no API's
		return
	}
	share := func(counts bool) float64 {
		if counts {
			return 1
		}
		return 0
	}
	add := func(name string, unit types.StandardUnit, value float64) {
		g.metrics.Add("AWS/ApiGateway", name, unit, value,
			metrics.Dimension{Name: "ApiName", Value: x.stage.apiName}, metrics.Dimension{Name: "Stage", Value: x.stage.id.name})
	}
	add("Count", types.StandardUnitCount, 1)
	add("4XXError", types.StandardUnitCount, share(status >= 400 && status < 500))
	add("5XXError", types.StandardUnitCount, share(status >= 500))
	add("Latency", types.StandardUnitMilliseconds, float64(time.Since(x.started).Milliseconds()))
}
