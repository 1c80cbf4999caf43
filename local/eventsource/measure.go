package eventsource

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-cdk/millrace/local/internal/metrics"
)

// namespace is that of Lambda's metrics.
const namespace = "AWS/Lambda"

// measureAge publishes the age of a batch's last record when the batch is sent, at every attempt.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
func (l *lane) measureAge(s *settings, batch []record) {
	age := time.Since(batch[len(batch)-1].arrived)
	name := strings.SplitN(s.function, ":", 8) // an alias or version is not part of the name
	if len(name) < 7 {
		return
	}
	l.metrics.Add(namespace, "IteratorAge", types.StandardUnitMilliseconds, float64(max(age, 0).Milliseconds()),
		metrics.Dimension{Name: "FunctionName", Value: name[6]})
}

// count publishes how many events of a mapping came to an end other than the function's success.
func (l *lane) count(s *settings, name string, events int) {
	l.metrics.Add(namespace, name, types.StandardUnitCount, float64(events), metrics.Dimension{Name: "EventSourceMappingUUID", Value: s.uuid})
}
