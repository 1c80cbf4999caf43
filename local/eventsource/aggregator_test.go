package eventsource_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
	"github.com/millrace-cdk/millrace/spec"
)

// sums are what all windows of all shards say of a key together.
type sums struct{ Events, Levels int64 }

// results reads what the aggregator has put into a stream, each result once.
func (d *deployment) results(t *testing.T, stream string) map[string]sums {
	t.Helper()
	list, err := d.kinesis.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &stream})
	require.NoError(t, err)
	seen, totals := map[string]bool{}, map[string]sums{}
	for _, shard := range list.Shards {
		at, err := d.kinesis.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: &stream, ShardId: shard.ShardId, ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
		})
		require.NoError(t, err)
		read, err := d.kinesis.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: at.ShardIterator})
		require.NoError(t, err)
		for _, r := range read.Records {
			var row struct {
				ID     string `json:"event_id"`
				Key    string `json:"key"`
				Events int64  `json:"events"`
				Values struct {
					Level struct {
						Sum int64 `json:"sum"`
					} `json:"level"`
				} `json:"values"`
			}
			require.NoError(t, json.Unmarshal(r.Data, &row))
			if !seen[row.ID] {
				seen[row.ID] = true
				totals[row.Key] = sums{totals[row.Key].Events + row.Events, totals[row.Key].Levels + row.Values.Level.Sum}
			}
		}
	}
	return totals
}

func TestDeployedAggregatorAddsUpWhatAPlainLoopDoes(t *testing.T) {
	d := deploy(t)
	d.stream(t, "measured")
	d.stream(t, "results")
	text, err := spec.Encode(spec.Windows{
		Results: "arn:aws:kinesis:eu-west-1:000000000000:stream/results", EventType: "window", Key: "$.device", Values: []spec.WindowValue{{Name: "level"}},
	})
	require.NoError(t, err)
	d.function = emulatortest.Function(t, d.config, "aggregator", "../../lambdas/aggregator/cmd", map[string]string{
		spec.Variable: text, "AWS_ENDPOINT_URL": *d.config.BaseEndpoint,
	})
	d.begins(t, d.connect(t, "measured", func(in *lambda.CreateEventSourceMappingInput) {
		in.BatchSize, in.TumblingWindowInSeconds = aws.Int32(7), aws.Int32(1)
		in.BisectBatchOnFunctionError = aws.Bool(true)
	}))

	want := map[string]sums{}
	for part := range 3 { // of which some come in other windows than others
		var events []string
		for i := range 40 {
			level := int64(part*100 + i)
			key := fmt.Sprintf("device-%d", i%6)
			events = append(events, fmt.Sprintf(`{"device":%q,"level":%d}`, key, level))
			want[key] = sums{want[key].Events + 1, want[key].Levels + level}
		}
		d.put(t, "measured", events...)
	}
	d.eventually(t, func(c *assert.CollectT) { assert.Equal(c, want, d.results(t, "results")) })
}
