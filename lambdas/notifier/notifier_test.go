package notifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type publisher func(*sns.PublishBatchInput) (*sns.PublishBatchOutput, error)

func (p publisher) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	return p(in)
}

// handle has the records published by p, and returns the sequence numbers that are reported back.
func handle(t *testing.T, p publisher, records ...string) (failed []string) {
	t.Helper()
	var batch events.KinesisEvent
	for i, data := range records {
		batch.Records = append(batch.Records, events.KinesisEventRecord{Kinesis: events.KinesisRecord{SequenceNumber: fmt.Sprint(i), Data: []byte(data)}})
	}
	n := &Notifier{SNS: p, Topic: "arn:aws:sns:eu-west-1:111122223333:anomalies", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	answer, err := n.Handle(t.Context(), batch)
	require.NoError(t, err)
	require.NotNil(t, answer.BatchItemFailures, "null is no list")
	for _, one := range answer.BatchItemFailures {
		failed = append(failed, one.ItemIdentifier)
	}
	return failed
}

const spike = `{"event_type":"anomaly","series":"pump 7","kind":"spike","score":8.5}`

func TestAnAnomalyIsPublishedWholeWithASubjectAndAttributesToFilterBy(t *testing.T) {
	var got []*sns.PublishBatchInput
	failed := handle(t, func(in *sns.PublishBatchInput) (*sns.PublishBatchOutput, error) {
		got = append(got, in)
		return &sns.PublishBatchOutput{}, nil
	}, spike)
	assert.Empty(t, failed)
	require.Len(t, got, 1)
	assert.Equal(t, "arn:aws:sns:eu-west-1:111122223333:anomalies", *got[0].TopicArn)
	require.Len(t, got[0].PublishBatchRequestEntries, 1)
	entry := got[0].PublishBatchRequestEntries[0]
	assert.Equal(t, spike, *entry.Message)
	assert.Equal(t, "Anomaly: spike in pump 7", *entry.Subject)
	assert.Equal(t, "pump 7", *entry.MessageAttributes["series"].StringValue)
	assert.Equal(t, "spike", *entry.MessageAttributes["kind"].StringValue)
}

func TestWhatIsNoAnomalyIsNotPublished(t *testing.T) {
	failed := handle(t, func(*sns.PublishBatchInput) (*sns.PublishBatchOutput, error) {
		t.Error("nothing is to be published")
		return &sns.PublishBatchOutput{}, nil
	}, `{"event_type":"window"}`, `no JSON`, `{"event_type":"anomaly","series":"`+strings.Repeat("x", batchBytes)+`"}`)
	assert.Empty(t, failed)
}

func TestBatchesHaveAtMostTenEntriesOfDifferentIdsAndWhatSNSTakesInBytes(t *testing.T) {
	large := `{"event_type":"anomaly","more":"` + strings.Repeat("x", 100<<10) + `"}`
	for name, test := range map[string]struct {
		record string
		count  int
		want   []int
	}{
		"small": {spike, 25, []int{10, 10, 5}},
		"large": {large, 5, []int{2, 2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			records := make([]string, test.count)
			for i := range records {
				records[i] = test.record
			}
			failed := handle(t, func(in *sns.PublishBatchInput) (*sns.PublishBatchOutput, error) {
				got = append(got, len(in.PublishBatchRequestEntries))
				ids := map[string]bool{}
				for _, entry := range in.PublishBatchRequestEntries {
					ids[*entry.Id] = true
				}
				assert.Len(t, ids, len(in.PublishBatchRequestEntries))
				return &sns.PublishBatchOutput{}, nil
			}, records...)
			assert.Empty(t, failed)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestTheFirstRecordThatWasNotPublishedIsReportedAndNothingBehindItsBatchIsSent(t *testing.T) {
	var calls int
	refuse := func(in *sns.PublishBatchInput) (*sns.PublishBatchOutput, error) {
		if calls++; calls == 1 {
			return &sns.PublishBatchOutput{}, nil
		}
		return &sns.PublishBatchOutput{Failed: []types.BatchResultErrorEntry{
			{Id: in.PublishBatchRequestEntries[4].Id, Code: aws.String("InternalError")},
			{Id: in.PublishBatchRequestEntries[2].Id, Code: aws.String("InternalError")},
		}}, nil
	}
	records := []string{`{"event_type":"window"}`}
	for range 25 {
		records = append(records, spike)
	}
	assert.Equal(t, []string{"13"}, handle(t, refuse, records...), "one record is no anomaly, ten went before")
	assert.Equal(t, 2, calls)

	assert.Equal(t, []string{"1"}, handle(t, func(*sns.PublishBatchInput) (*sns.PublishBatchOutput, error) {
		return nil, errors.New("throttled")
	}, records...))
}

func TestASubjectIsShortPrintableASCII(t *testing.T) {
	assert.Equal(t, "Anomaly: spike in caf? ? b", subject(anomaly{Series: "café \n b", Kind: "spike"}))
	assert.Len(t, subject(anomaly{Series: strings.Repeat("x", 200)}), subjectRunes)
}
