package steps

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// gzipMagic begins what is gzip'd, and no JSON.
var gzipMagic = []byte{0x1f, 0x8b}

// logBatch is what a CloudWatch Logs subscription sends in one record.
type logBatch struct {
	MessageType string          `json:"messageType"`
	Owner       json.RawMessage `json:"owner"`
	LogGroup    json.RawMessage `json:"logGroup"`
	LogStream   json.RawMessage `json:"logStream"`
	LogEvents   []logEvent      `json:"logEvents"`
}

type logEvent struct {
	ID        json.RawMessage `json:"id"`
	Timestamp json.RawMessage `json:"timestamp"`
	Message   json.RawMessage `json:"message"`
}

// unpack reads a gzip'd record, of up to maxBytes once it is unpacked. A control
// message, by which CloudWatch Logs tries the destination, has no log events.
func unpack(data []byte, maxBytes int) (logBatch, error) {
	var batch logBatch
	packed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return batch, fmt.Errorf("unpacking: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(packed, int64(maxBytes)+1))
	if err != nil {
		return batch, fmt.Errorf("unpacking: %w", err)
	}
	if len(text) > maxBytes {
		return batch, fmt.Errorf("the record unpacks to more than %d bytes", maxBytes)
	}
	if err := json.Unmarshal(text, &batch); err != nil {
		return batch, errors.New("the unpacked record is not what CloudWatch Logs sends")
	}
	switch batch.MessageType {
	case "DATA_MESSAGE":
		return batch, nil
	case "CONTROL_MESSAGE":
		return logBatch{}, nil
	}
	return batch, errors.New("the unpacked record is of a message type that CloudWatch Logs does not document")
}

// event returns a log event as an event; its values are as CloudWatch Logs spells them.
func (b logBatch) event(e logEvent) []byte {
	var text []byte
	for _, member := range []struct {
		name  string
		value json.RawMessage
	}{
		{"event_id", e.ID},
		{"occurred_at", e.Timestamp},
		{"owner", b.Owner},
		{"log_group", b.LogGroup},
		{"log_stream", b.LogStream},
		{"message", e.Message},
	} {
		if member.value == nil {
			continue
		}
		text = fmt.Appendf(text, `,%q:%s`, member.name, member.value)
	}
	if text == nil {
		return []byte("{}")
	}
	text[0] = '{'
	return append(text, '}')
}
