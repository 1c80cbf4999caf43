package faultproxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Errors of Kinesis, by their names in its API.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html#API_PutRecords_Errors
// https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
const (
	Throttled       = "ProvisionedThroughputExceededException"
	Validation      = "ValidationException"
	InvalidArgument = "InvalidArgumentException"
	NoStream        = "ResourceNotFoundException"
	AccessDenied    = "AccessDeniedException"
	KMSAccessDenied = "KMSAccessDeniedException"
	KMSDisabled     = "KMSDisabledException"
	KMSThrottled    = "KMSThrottlingException"
	Internal        = "InternalFailure"
	Unavailable     = "ServiceUnavailable"
)

// failure is the service's answer of an error: the type and the message in JSON, with the status that
// the pages above name. The messages are of the service's kind: they give away the account, the stream
// and the key, which a client of an API must not see.
func failure(code, message string) reply {
	status, said := http.StatusBadRequest, ""
	switch code {
	case Throttled:
		said = shardMessage
	case Validation:
		said = "1 validation error detected: Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1"
	case NoStream:
		said = "Stream events under account 000000000000 not found."
	case AccessDenied:
		said = "User: arn:aws:sts::000000000000:assumed-role/IngestRole/BackplaneAssumeRoleSession is not authorized to perform: " +
			"kinesis:PutRecord on resource: arn:aws:kinesis:eu-west-1:000000000000:stream/events"
	case KMSAccessDenied, KMSDisabled:
		said = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555 cannot be used (Service: AWSKMS; Status Code: 400)"
	case Internal:
		status, said = http.StatusInternalServerError, internalMessage
	case Unavailable:
		status, said = http.StatusServiceUnavailable, "The request has failed due to a temporary failure of the server."
	}
	if message != "" {
		said = message
	}
	body, _ := json.Marshal(map[string]string{"__type": code, "message": said}) // strings always encode
	return reply{status, body}
}

// Messages of a record that failed: "An ErrorCode value of ProvisionedThroughputExceededException has an error message that
// includes the account ID, stream name, and shard ID. An ErrorCode value of InternalFailure has the error message
// "Internal Service Failure"."
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsResultEntry.html
const (
	shardMessage    = "Rate exceeded for shard shardId-000000000000 in stream events under account 000000000000."
	internalMessage = "Internal Service Failure"
)

// putSome writes the records that are not to fail and answers for all of them in the request's order:
// "The response Records array includes both successfully and unsuccessfully processed records."
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
func (p *Proxy) putSome(w http.ResponseWriter, r *http.Request, body []byte, fail func(int) string) {
	var request map[string]json.RawMessage
	var records []json.RawMessage
	err := json.Unmarshal(body, &request)
	if err == nil {
		err = json.Unmarshal(request["Records"], &records)
	}
	if err != nil {
		answer(w, failure("SerializationException", err.Error()))
		return
	}
	var written []json.RawMessage
	codes := make([]string, len(records))
	for i, record := range records {
		if codes[i] = fail(i); codes[i] == "" {
			written = append(written, record)
		}
	}
	entries, refused, err := p.put(r, request, written)
	if err != nil {
		answer(w, failure(Internal, err.Error()))
		return
	}
	if refused != nil {
		answer(w, *refused)
		return
	}
	all := make([]json.RawMessage, len(records))
	for i, code := range codes {
		if code == "" {
			all[i], entries = entries[0], entries[1:]
			continue
		}
		message := internalMessage
		if code == Throttled {
			message = shardMessage
		}
		all[i], _ = json.Marshal(map[string]string{"ErrorCode": code, "ErrorMessage": message}) // strings always encode
	}
	content, _ := json.Marshal(map[string]any{
		"FailedRecordCount": len(records) - len(written), "Records": all, "EncryptionType": "NONE",
	}) // raw messages that were decoded just now
	answer(w, reply{http.StatusOK, content})
}

// put sends the records on and returns their results, or what the emulator refused them with.
func (p *Proxy) put(r *http.Request, request map[string]json.RawMessage, records []json.RawMessage) ([]json.RawMessage, *reply, error) {
	if len(records) == 0 {
		return nil, nil, nil
	}
	var err error
	if request["Records"], err = json.Marshal(records); err != nil {
		return nil, nil, fmt.Errorf("encoding the records: %w", err)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the request: %w", err)
	}
	sent, err := http.NewRequestWithContext(r.Context(), http.MethodPost, p.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("asking the emulator: %w", err)
	}
	// The signature is another body's; the emulator reads only its region.
	sent.Header = r.Header.Clone()
	sent.Header.Del("Content-Length")
	answered, err := p.client.Do(sent)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the emulator: %w", err)
	}
	defer answered.Body.Close()
	content, err := io.ReadAll(answered.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the emulator: %w", err)
	}
	if answered.StatusCode != http.StatusOK {
		return nil, &reply{answered.StatusCode, content}, nil
	}
	var results struct{ Records []json.RawMessage }
	if err := json.Unmarshal(content, &results); err != nil {
		return nil, nil, fmt.Errorf("reading the emulator's answer: %w", err)
	}
	if len(results.Records) != len(records) {
		return nil, nil, fmt.Errorf("the emulator answered %d results for %d records", len(results.Records), len(records))
	}
	return results.Records, nil, nil
}
