package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestNoShardIsPlannedFullerThanFourFifths(t *testing.T) {
	for name, c := range map[string]struct {
		rate, bytes, shards int
	}{
		"one small record":             {1, 100, 1},
		"800 records fill one shard":   {800, 1_000, 1},
		"one more needs another":       {801, 100, 2},
		"one more byte needs another":  {800, 1_001, 2},
		"bytes decide":                 {10_000, 2_000, 25},
		"records decide":               {10_000, 100, 13},
		"a record larger than a shard": {1, 5 << 20, 7},
	} {
		t.Run(name, func(t *testing.T) {
			load := &stream.Load{RecordsPerSecond: c.rate, RecordSize: awscdk.Size_Bytes(jsii.Number(c.bytes))}
			assert.Equal(t, c.shards, load.Shards())
			perShard := float64(c.rate) / float64(load.Shards())
			assert.LessOrEqual(t, perShard, 0.8*1_000)
			assert.LessOrEqual(t, perShard*float64(c.bytes), 0.8*1_000_000)
		})
	}
}

func TestALoadMakesAProvisionedStream(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{
		Load: &stream.Load{RecordsPerSecond: 10_000, RecordSize: awscdk.Size_Bytes(jsii.Number(2_000))},
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{
		"StreamModeDetails": map[string]any{"StreamMode": "PROVISIONED"},
		"ShardCount":        25,
	})
}

// notes are what the synth says about the stack's Core.
func notes(stack awscdk.Stack) (infos, warnings []string) {
	cdktest.Template(stack)
	for _, entry := range *stack.Node().FindChild(jsii.String("Core")).Node().Metadata() {
		switch *entry.Type {
		case "aws:cdk:info":
			infos = append(infos, entry.Data.(string))
		case "aws:cdk:warning":
			warnings = append(warnings, entry.Data.(string))
		}
	}
	return infos, warnings
}

func TestNothingIsSaidOfAStreamThatMeetsNoLimit(t *testing.T) {
	for name, props := range map[string]*stream.StreamingCoreProps{
		"by default":            nil,
		"with records of 1 MiB": {MaxRecordSize: awscdk.Size_Mebibytes(jsii.Number(1))},
		// It can be made anew, with any number of shards.
		"with shards, to be thrown away": {Shards: 2, RemovalPolicy: awscdk.RemovalPolicy_DESTROY},
	} {
		t.Run(name, func(t *testing.T) {
			stack := cdktest.NewStack()
			stream.NewStreamingCore(stack, "Core", props)
			infos, warnings := notes(stack)
			assert.Empty(t, infos)
			assert.Empty(t, warnings)
		})
	}
}

func TestTheLimitsThatAStreamMeetsAreSaidAtSynth(t *testing.T) {
	stack := cdktest.NewStack()
	stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{
		Shards:        5,
		Retention:     awscdk.Duration_Days(jsii.Number(30)),
		MaxRecordSize: awscdk.Size_Mebibytes(jsii.Number(10)),
	})
	infos, warnings := notes(stack)
	assert.Equal(t, []string{
		"5 shards: one deploy can change them to 3 to 10 (half to double), 10 deploys in 24 hours; the capacity mode can be switched twice in 24 hours [ack: millrace:stream-resharding]",
		"retention of 720 hours: what is kept for more than 168 hours is billed by GB and month, and again when it is read; a deploy that shortens it makes what is older unreadable at once [ack: millrace:stream-retention]",
		"records of up to 10240 KiB: AWS means those above 1024 KiB to be less than 2 % of the traffic, since a shard still takes 1 MB/s on average, and every reader must be able to take them [ack: millrace:stream-record-size]",
	}, infos)
	assert.Empty(t, warnings)
}

func TestMoreShardsThanTheRegionsQuotaIsAWarning(t *testing.T) {
	for name, c := range map[string]struct {
		region string
		shards int
		want   []string
	}{
		"where it is large":       {"eu-west-1", 20_000, nil},
		"above the large one":     {"eu-west-1", 20_001, []string{"20001 shards: an account's quota in eu-west-1 is 20000 by default, for all its provisioned streams together: have it raised before the deploy [ack: millrace:stream-shard-quota]"}},
		"where it is small":       {"eu-central-1", 1_001, []string{"1001 shards: an account's quota in eu-central-1 is 1000 by default, for all its provisioned streams together: have it raised before the deploy [ack: millrace:stream-shard-quota]"}},
		"where that is not known": {"", 1_001, []string{"1001 shards: an account's quota in most regions is 1000 by default, for all its provisioned streams together: have it raised before the deploy [ack: millrace:stream-shard-quota]"}},
	} {
		t.Run(name, func(t *testing.T) {
			props := &awscdk.StackProps{}
			if c.region != "" {
				props.Env = &awscdk.Environment{Region: &c.region}
			}
			stack := awscdk.NewStack(cdktest.NewApp(), jsii.String("Test"), props)
			stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Shards: c.shards})
			_, warnings := notes(stack)
			assert.Equal(t, c.want, warnings)
		})
	}
}
