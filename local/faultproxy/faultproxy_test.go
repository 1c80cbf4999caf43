package faultproxy_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/faultproxy"
	"github.com/millrace-cdk/millrace/local/internal/emulatortest"
)

// AWS's own client must understand what the proxy answers.
func TestTheSDKMeetsTheTroubleThatIsSet(t *testing.T) {
	config := emulatortest.Start(t)
	proxy, err := faultproxy.Start(t.Context(), *config.BaseEndpoint)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, proxy.Close()) })
	config.BaseEndpoint = aws.String(proxy.URL())
	config.RetryMaxAttempts = 1
	client := kinesis.NewFromConfig(config)
	name := aws.String("events")
	_, err = client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)})
	require.NoError(t, err, "what no rule is for goes through")
	require.NoError(t, kinesis.NewStreamExistsWaiter(client).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: name}, 20*time.Second))
	one := func(ctx context.Context) error {
		_, err := client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: name, Data: []byte("one"), PartitionKey: aws.String("k")})
		return err
	}
	batch := &kinesis.PutRecordsInput{StreamName: name}
	for _, data := range []string{"0", "1", "2"} {
		batch.Records = append(batch.Records, types.PutRecordsRequestEntry{Data: []byte(data), PartitionKey: aws.String(data)})
	}

	for code, status := range map[string]int{
		faultproxy.Throttled: 400, faultproxy.Validation: 400, faultproxy.InvalidArgument: 400, faultproxy.NoStream: 400, faultproxy.AccessDenied: 400,
		faultproxy.KMSAccessDenied: 400, faultproxy.KMSDisabled: 400, faultproxy.KMSThrottled: 400, faultproxy.Internal: 500, faultproxy.Unavailable: 503,
	} {
		t.Run(code, func(t *testing.T) {
			proxy.Set(faultproxy.Rule{Error: code, Message: "as told"})
			err := one(t.Context())
			var said smithy.APIError
			require.ErrorAs(t, err, &said)
			assert.Equal(t, code, said.ErrorCode())
			assert.Equal(t, "as told", said.ErrorMessage())
			var answered *awshttp.ResponseError
			require.ErrorAs(t, err, &answered)
			assert.Equal(t, status, answered.HTTPStatusCode())
			assert.Equal(t, 1, proxy.Met())
		})
	}
	t.Run("a hang lasts until its sender gives up", func(t *testing.T) {
		proxy.Set(faultproxy.Rule{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, one(ctx), context.DeadlineExceeded)
	})
	t.Run("or until the rule is changed", func(t *testing.T) {
		proxy.Set(faultproxy.Rule{Hang: true})
		ended := make(chan error)
		go func() { ended <- one(t.Context()) }()
		require.Eventually(t, func() bool { return proxy.Met() == 1 }, 10*time.Second, time.Millisecond)
		proxy.Clear()
		assert.Error(t, <-ended)
	})
	t.Run("the records that fail are told in their places and not written, the others are", func(t *testing.T) {
		proxy.Set(faultproxy.Rule{FailRecord: faultproxy.Records(faultproxy.Throttled, 1)})
		got, err := client.PutRecords(t.Context(), batch)
		require.NoError(t, err)
		assert.EqualValues(t, 1, aws.ToInt32(got.FailedRecordCount))
		require.Len(t, got.Records, 3)
		assert.NotEmpty(t, got.Records[0].SequenceNumber)
		assert.Equal(t, faultproxy.Throttled, aws.ToString(got.Records[1].ErrorCode))
		assert.Contains(t, aws.ToString(got.Records[1].ErrorMessage), "Rate exceeded for shard")
		assert.Nil(t, got.Records[1].SequenceNumber)
		assert.NotEmpty(t, got.Records[2].SequenceNumber)
		assert.Less(t, *got.Records[0].SequenceNumber, *got.Records[2].SequenceNumber)
	})
	t.Run("all of them may fail", func(t *testing.T) {
		proxy.Set(faultproxy.Rule{FailRecord: faultproxy.EveryRecord(faultproxy.Internal)})
		got, err := client.PutRecords(t.Context(), batch)
		require.NoError(t, err)
		assert.EqualValues(t, 3, aws.ToInt32(got.FailedRecordCount))
		require.NoError(t, one(t.Context()), "PutRecord has no records to fail")
	})
	t.Run("what the emulator itself refuses is passed on", func(t *testing.T) {
		proxy.Set(faultproxy.Rule{FailRecord: faultproxy.Records(faultproxy.Throttled, 0)})
		_, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String("nope"), Records: batch.Records})
		var missing *types.ResourceNotFoundException
		assert.ErrorAs(t, err, &missing)
	})

	proxy.Clear()
	found, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: name})
	require.NoError(t, err)
	from, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: name, ShardId: found.Shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	require.NoError(t, err)
	stored, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: from.ShardIterator})
	require.NoError(t, err)
	var data []string
	for _, record := range stored.Records {
		data = append(data, string(record.Data))
	}
	assert.Equal(t, []string{"0", "2", "one"}, data)
}

func TestTheProxyEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	proxy, err := faultproxy.Start(ctx, "http://127.0.0.1:1")
	require.NoError(t, err)
	get := func() error {
		response, err := http.Get(proxy.URL())
		return errors.Join(err, closed(response))
	}
	require.NoError(t, get(), "a gateway error of the proxy's, since nothing is behind it")

	cancel()

	assert.Eventually(t, func() bool { return get() != nil }, 10*time.Second, 10*time.Millisecond)
	assert.NoError(t, proxy.Close(), "twice")
}

func closed(response *http.Response) error {
	if response == nil {
		return nil
	}
	return response.Body.Close()
}

func TestAnEndpointMustBeAURL(t *testing.T) {
	_, err := faultproxy.Start(t.Context(), "localhost")
	assert.EqualError(t, err, `starting the fault proxy: the endpoint "localhost" is no URL`)
}
