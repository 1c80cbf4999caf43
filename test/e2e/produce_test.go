package e2e

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// produce puts records into the stream, past the API, over all its shards.
func produce(t *testing.T, records ...string) {
	t.Helper()
	events := make([][]byte, len(records))
	for i, record := range records {
		events[i] = []byte(record)
	}
	putAll(t, events, func([]byte) string { return uuid.NewString() })
}

// putAll puts events into the stream, 500 a request and four requests at a time.
func putAll(t *testing.T, events [][]byte, partitionKey func(event []byte) string) {
	t.Helper()
	client := kinesis.NewFromConfig(awsConfig(t))
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for chunk := range slices.Chunk(events, 500) {
		group.Go(func() error {
			entries := make([]kinesistypes.PutRecordsRequestEntry, len(chunk))
			for i, event := range chunk {
				entries[i] = kinesistypes.PutRecordsRequestEntry{Data: event, PartitionKey: aws.String(partitionKey(event))}
			}
			output, err := client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: aws.String(os.Getenv("STREAM_NAME")), Records: entries})
			if err == nil && aws.ToInt32(output.FailedRecordCount) > 0 {
				err = fmt.Errorf("%d records were refused", *output.FailedRecordCount)
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
}
