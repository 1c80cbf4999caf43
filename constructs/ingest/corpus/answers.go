package corpus

import (
	"fmt"
	"strings"
)

// Answer is what Kinesis answers: a status and a JSON text.
type Answer struct {
	Status int
	Body   string
}

// Answers are those of PutRecord and of PutRecords.
func Answers() []Answer {
	return append(successes(), refusals()...)
}

// Results of single records within an answer of PutRecords.
const (
	Stored    = `{"SequenceNumber":"49543463076548007577105092703039560359975228518395019266","ShardId":"shardId-000000000000"}`
	StoredToo = `{"SequenceNumber":"1","ShardId":"shardId-000000000000","ErrorCode":null,"ErrorMessage":null}`
	Throttled = `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded for shard shardId-000000000001 in stream events under account 111122223333."}`
	Failed    = `{"ErrorCode":"InternalFailure","ErrorMessage":"Internal Service Failure"}`
)

// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html and API_PutRecords.html
func successes() []Answer {
	records := func(failed int, records ...string) Answer {
		return Answer{200, fmt.Sprintf(`{"EncryptionType":"KMS","FailedRecordCount":%d,"Records":[%s]}`, failed, strings.Join(records, ","))}
	}
	return []Answer{
		{200, `{"SequenceNumber":"1","ShardId":"shardId-000000000000"}`},
		{200, `{"EncryptionType":"KMS","SequenceNumber":"1","ShardId":"shardId-000000000000"}`},
		{200, `{}`},
		{200, `{"FailedRecordCount":0}`},
		{200, `{"FailedRecordCount":null,"Records":null}`},
		records(0),
		records(0, Stored),
		records(0, Stored, StoredToo),
		records(1, Throttled),
		records(1, Failed),
		records(2, Throttled, Throttled),
		records(2, Failed, Failed),
		records(2, Throttled, Failed),
		records(1, Stored, Throttled),
		records(1, Throttled, Stored),
		records(2, Stored, Throttled, Failed, StoredToo),
		records(1, Stored, `{"ErrorCode":"\"$x#end","ErrorMessage":"\"}"}`),
		records(250, strings.Split(strings.Repeat(Stored+"\n"+Throttled+"\n", 249)+Stored+"\n"+Throttled, "\n")...),
		records(0, strings.Split(strings.Repeat(Stored+"\n", 499)+StoredToo, "\n")...),
		records(500, strings.Split(strings.Repeat(Throttled+"\n", 499)+Throttled, "\n")...),
	}
}

// The errors of the two actions and those common to all.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
func refusals() []Answer {
	errors := []struct {
		status int
		types  string
	}{
		{400, `AccessDeniedException InvalidArgumentException KMSAccessDeniedException KMSDisabledException KMSInvalidStateException
			KMSNotFoundException KMSOptInRequired KMSThrottlingException ProvisionedThroughputExceededException ResourceNotFoundException
			LimitExceededException ThrottlingException ValidationException SerializationException UnknownOperationException`},
		{403, `ExpiredTokenException IncompleteSignature InvalidSignatureException MissingAuthenticationTokenException OptInRequired UnrecognizedClientException`},
		{404, `UnknownEndpoint`},
		{408, `RequestTimeoutException`},
		{413, `RequestEntityTooLargeException`},
		{429, `ThrottlingException`},
		{500, `InternalFailure InternalFailureException`},
		{503, `ServiceUnavailable`},
		{504, `GatewayTimeout`},
	}
	messages := []string{
		`"arn:aws:kinesis:eu-west-1:111122223333:stream/events \"}$x#end"`,
		`"1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to 1048576"`,
		`"1 validation error detected: Value at 'partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256"`,
		`"Records size exceeds 5 MB limit"`,
		`null`,
		`{"a":["length"]}`,
	}
	var answers []Answer
	for _, e := range errors {
		for _, kind := range strings.Fields(e.types) {
			for _, prefix := range []string{"", "com.amazonaws.kinesis.v20131202#"} {
				if e.status != 400 && prefix != "" {
					continue // the status says all
				}
				for _, message := range messages {
					answers = append(answers, Answer{e.status, fmt.Sprintf(`{"__type":"%s%s","message":%s}`, prefix, kind, message)})
				}
			}
			answers = append(answers,
				Answer{e.status, fmt.Sprintf(`{"__type":"%s"}`, kind)},
				Answer{e.status, fmt.Sprintf(`{"__type":"%s","Message":"of another name"}`, kind)})
		}
		answers = append(answers, Answer{e.status, `{}`}, Answer{e.status, `{"__type":null}`}, Answer{e.status, `{"__type":5,"message":5}`},
			Answer{e.status, `{"message":"no type"}`}, Answer{e.status, ``})
	}
	return answers
}
