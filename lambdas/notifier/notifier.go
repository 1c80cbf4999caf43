// Package notifier tells an SNS topic of each anomaly of a stream.
package notifier

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// TopicVariable is the environment variable with the topic's ARN.
const TopicVariable = "TOPIC_ARN"

// What SNS takes: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
const (
	batchEntries = 10
	batchBytes   = 256 << 10
	// subjectRunes is the longest subject: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
	subjectRunes = 100
	// entryOverhead is more than the attributes of an entry take.
	entryOverhead = 1 << 10
)

// Publisher is what of SNS is used.
type Publisher interface {
	PublishBatch(context.Context, *sns.PublishBatchInput, ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
}

// Notifier publishes to one topic.
type Notifier struct {
	SNS   Publisher
	Topic string // its ARN
	Log   *slog.Logger
}

// record is one of a stream: its sequence number and its bytes.
type record struct {
	sequence string
	data     []byte
}

// anomaly is what is read of an event; the message is the whole event.
type anomaly struct {
	Type   string `json:"event_type"`
	Series string `json:"series"`
	Kind   string `json:"kind"`
}

// notify publishes the anomalies among records in their order, and returns the sequence number of the first
// that was not published, "" for none. Those behind it may be published twice: Lambda sends the batch again from there on.
func (n *Notifier) notify(ctx context.Context, records []record) (failed string) {
	var batch []record
	var entries []types.PublishBatchRequestEntry
	size := 0
	for _, r := range records {
		entry, ok := n.entry(r, len(entries))
		if !ok {
			continue
		}
		if length := len(r.data) + entryOverhead; len(entries) == batchEntries || size+length > batchBytes {
			if failed := n.publish(ctx, batch, entries); failed != "" {
				return failed
			}
			batch, entries, size = nil, nil, 0
			entry.Id = aws.String("0")
		}
		batch, entries, size = append(batch, r), append(entries, entry), size+len(r.data)+entryOverhead
	}
	return n.publish(ctx, batch, entries)
}

// entry is the message of a record, if it is an anomaly that SNS can take.
func (n *Notifier) entry(r record, id int) (types.PublishBatchRequestEntry, bool) {
	var a anomaly
	if err := json.Unmarshal(r.data, &a); err != nil {
		n.Log.Warn("a record that is no event is left out", "sequence", r.sequence)
		return types.PublishBatchRequestEntry{}, false
	}
	if a.Type != "anomaly" {
		return types.PublishBatchRequestEntry{}, false
	}
	if len(r.data)+entryOverhead > batchBytes {
		n.Log.Warn("an anomaly that is larger than SNS takes is left out", "sequence", r.sequence, "bytes", len(r.data))
		return types.PublishBatchRequestEntry{}, false
	}
	entry := types.PublishBatchRequestEntry{
		Id:      aws.String(fmt.Sprint(id)),
		Subject: aws.String(subject(a)),
		Message: aws.String(string(r.data)),
	}
	// Subscribers filter by them; SNS refuses an empty one.
	entry.MessageAttributes = map[string]types.MessageAttributeValue{}
	for name, value := range map[string]string{"series": short(a.Series), "kind": short(a.Kind)} {
		if value != "" {
			entry.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
		}
	}
	return entry, true
}

func (n *Notifier) publish(ctx context.Context, batch []record, entries []types.PublishBatchRequestEntry) (failed string) {
	if len(entries) == 0 {
		return ""
	}
	out, err := n.SNS.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: &n.Topic, PublishBatchRequestEntries: entries})
	if err != nil {
		n.Log.Error("publishing anomalies", "count", len(entries), "error", err)
		return batch[0].sequence
	}
	refused := map[string]bool{}
	for _, one := range out.Failed {
		n.Log.Error("publishing an anomaly", "code", aws.ToString(one.Code), "message", aws.ToString(one.Message))
		refused[aws.ToString(one.Id)] = true
	}
	for i, entry := range entries {
		if refused[*entry.Id] {
			return batch[i].sequence
		}
	}
	return ""
}

// subject is of printable ASCII, which SNS asks for.
func subject(a anomaly) string {
	return short("Anomaly: " + a.Kind + " in " + a.Series)
}

func short(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), subjectRunes)]
}
