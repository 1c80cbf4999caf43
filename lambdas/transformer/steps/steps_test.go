package steps_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/lambdas/transformer/steps"
	"github.com/millrace-cdk/millrace/spec"
)

var key = []byte(strings.Repeat("k", steps.MinKeyBytes))

func record(data string) transformer.Record {
	return transformer.Record{
		Payload:      []byte(data),
		Origin:       event.Origin{Stream: "orders", Shard: "shardId-000000000003", Sequence: "4954", SubSequence: 2},
		ArrivedAt:    time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		PartitionKey: "customer-7",
	}
}

// run does the steps to one event.
func run(t testing.TB, data string, s ...spec.Step) (transformer.Result, error) {
	t.Helper()
	f, err := steps.New(spec.Transformer{HashKeyARN: "arn", Steps: s}, key)
	require.NoError(t, err)
	return f(t.Context(), record(data))
}

// edited is the client's part of the line that becomes of an event with event_id "e".
func edited(t testing.TB, members string, s ...spec.Step) string {
	t.Helper()
	const begin, end = `{"event_id":"e",`, `,"_millrace":{"id":"e","arrived_at":"2026-01-02T03:04:05.678Z"}}` + "\n"
	result, err := run(t, begin+members+"}", s...)
	require.NoError(t, err)
	line := string(result.Data)
	require.True(t, strings.HasPrefix(line, begin) && strings.HasSuffix(line, end), line)
	return strings.TrimSuffix(strings.TrimPrefix(line, begin), end)
}

func hashed(text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return `"hmac-sha256:` + hex.EncodeToString(mac.Sum(nil)) + `"`
}

func TestWithoutStepsAnEventBecomesItsLine(t *testing.T) {
	f, err := steps.New(spec.Transformer{}, nil)
	require.NoError(t, err)
	result, err := f(t.Context(), record(` { "a" : 1.10 } `))
	require.NoError(t, err)
	assert.Equal(t, `{"a":1.10,"_millrace":{"id":"orders/shardId-000000000003/4954/2","arrived_at":"2026-01-02T03:04:05.678Z"}}`+"\n", string(result.Data))
}

func TestChangesMeetTheirMembersAndNothingElse(t *testing.T) {
	paths := []string{"/secret", "/user/mail", "/a~1b/~0c"}
	const before = `"n":1.10,"secret":{"x":[1]},"user":[{"mail":"m","k":-0.0},7,[{"mail":null}]],"u":{"mail":1e+7},"a/b":{"~c":"é\u00e9"},"secret":2,"z":""`
	for name, c := range map[string]struct {
		step spec.Step
		want string
	}{
		"remove": {
			spec.Step{Remove: &spec.Remove{Paths: paths}},
			`"n":1.10,"user":[{"k":-0.0},7,[{}]],"u":{"mail":1e+7},"a/b":{},"z":""`,
		},
		"redact": {
			spec.Step{Redact: &spec.Redact{Paths: paths}},
			`"n":1.10,"secret":"REDACTED","user":[{"mail":"REDACTED","k":-0.0},7,[{"mail":"REDACTED"}]],"u":{"mail":1e+7},"a/b":{"~c":"REDACTED"},"secret":"REDACTED","z":""`,
		},
		"redact with another text": {
			spec.Step{Redact: &spec.Redact{Paths: []string{"/z"}, With: `"`}},
			before[:len(before)-2] + `"\""`,
		},
		"hash": {
			spec.Step{Hash: &spec.Hash{Paths: paths}},
			`"n":1.10,"secret":` + hashed(`{"x":[1]}`) + `,"user":[{"mail":` + hashed("m") + `,"k":-0.0},7,[{"mail":null}]],"u":{"mail":1e+7},"a/b":{"~c":` + hashed("éé") + `},"secret":` + hashed("2") + `,"z":""`,
		},
		"nothing there": {
			spec.Step{Remove: &spec.Remove{Paths: []string{"/no", "/n/x", "/u/mail/x"}}},
			before,
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, edited(t, before, c.step))
		})
	}
}

func TestRemovingEveryMemberLeavesAnEmptyObject(t *testing.T) {
	result, err := run(t, `{"a":1,"b":2}`, spec.Step{Remove: &spec.Remove{Paths: []string{"/a", "/b"}}})
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(result.Data), `{"_millrace":{"id":"orders/`), string(result.Data))
}

func TestTimestampBecomesRFC3339InUTC(t *testing.T) {
	for value, want := range map[string]string{
		`"2026-01-02T03:04:05.600+01:00"`: `"2026-01-02T02:04:05.6Z"`,
		`1767323045678`:                   `"2026-01-02T03:04:05.678Z"`,
		`"1767323045678.25"`:              `"2026-01-02T03:04:05.67825Z"`,
		`-1`:                              `"1969-12-31T23:59:59.999Z"`,
		`-0.5`:                            `"1969-12-31T23:59:59.9995Z"`,
	} {
		assert.Equal(t, `"at":`+want, edited(t, `"at":`+value, spec.Step{Timestamp: &spec.Timestamp{Path: "/at"}}))
	}
	for format, c := range map[string][2]string{
		"unix_s":                     {`1767323045.123456789`, `"2026-01-02T03:04:05.123456789Z"`},
		"unix_us":                    {`"1767323045678901"`, `"2026-01-02T03:04:05.678901Z"`},
		"unix_ns":                    {`1767323045678901234`, `"2026-01-02T03:04:05.678901234Z"`},
		"02/Jan/2006:15:04:05 -0700": {`"02/Jan/2026:03:04:05 -0500"`, `"2026-01-02T08:04:05Z"`},
		"2006-01-02 15:04":           {`"2026-07-02 03:04"`, `"2026-07-02T01:04:00Z"`}, // summer in Berlin
	} {
		step := spec.Step{Timestamp: &spec.Timestamp{Path: "/at", Formats: []string{"rfc3339", format}, Zone: "Europe/Berlin"}}
		assert.Equal(t, `"at":`+c[1], edited(t, `"at":`+c[0], step), format)
	}
}

func TestTimestampThatIsNotReadableFailsUnlessItMayStay(t *testing.T) {
	for _, value := range []string{`"now"`, `true`, `null`, `""`, `1e99`, `999999999999999999`, `"12."`, `"+5"`, `{}`} {
		_, err := run(t, `{"at":`+value+`}`, spec.Step{Timestamp: &spec.Timestamp{Path: "/at"}})
		requireReason(t, "Timestamp", err)
		assert.Equal(t, `"at":`+value, edited(t, `"at":`+value, spec.Step{Timestamp: &spec.Timestamp{Path: "/at", KeepUnreadable: true}}))
	}
	assert.Equal(t, `"a":1`, edited(t, `"a":1`, spec.Step{Timestamp: &spec.Timestamp{Path: "/at"}}), "there is none")
}

func requireReason(t testing.TB, reason string, err error) {
	t.Helper()
	var failure *transformer.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, reason, failure.Reason)
}

func TestDropByCondition(t *testing.T) {
	five := 5.0
	for name, c := range map[string]struct {
		event   string
		when    []spec.Condition
		dropped bool
	}{
		"a string":             {`{"a":"\u0078"}`, []spec.Condition{{Path: "/a", Equals: []any{"x"}}}, true},
		"another string":       {`{"a":"y"}`, []spec.Condition{{Path: "/a", Equals: []any{"x"}}}, false},
		"a number":             {`{"a":5.0}`, []spec.Condition{{Path: "/a", Equals: []any{1, 5}}}, true},
		"a number as text":     {`{"a":"5"}`, []spec.Condition{{Path: "/a", Equals: []any{5}}}, false},
		"null":                 {`{"a":null}`, []spec.Condition{{Path: "/a", Equals: []any{nil}}}, true},
		"missing is not null":  {`{}`, []spec.Condition{{Path: "/a", Equals: []any{nil}}}, false},
		"false":                {`{"a":false}`, []spec.Condition{{Path: "/a", Equals: []any{false}}}, true},
		"the last of two":      {`{"a":1,"a":2}`, []spec.Condition{{Path: "/a", Equals: []any{2}}}, true},
		"a prefix":             {`{"a":{"b":"test-1"}}`, []spec.Condition{{Path: "/a/b", Prefix: "test-"}}, true},
		"above":                {`{"a":5.5}`, []spec.Condition{{Path: "/a", Above: &five}}, true},
		"not above":            {`{"a":5}`, []spec.Condition{{Path: "/a", Above: &five}}, false},
		"below":                {`{"a":-1e9}`, []spec.Condition{{Path: "/a", Below: &five}}, true},
		"below a text":         {`{"a":"1"}`, []spec.Condition{{Path: "/a", Below: &five}}, false},
		"present":              {`{"a":[]}`, []spec.Condition{{Path: "/a", Present: true}}, true},
		"not present":          {`{}`, []spec.Condition{{Path: "/a", Present: true, Not: true}}, true},
		"not in an array":      {`{"a":[{"b":1}]}`, []spec.Condition{{Path: "/a/b", Present: true}}, false},
		"an object is no text": {`{"a":{}}`, []spec.Condition{{Path: "/a", Equals: []any{"x"}}}, false},
		"all hold":             {`{"a":1,"b":2}`, []spec.Condition{{Path: "/a", Equals: []any{1}}, {Path: "/b", Equals: []any{2}}}, true},
		"not all hold":         {`{"a":1,"b":3}`, []spec.Condition{{Path: "/a", Equals: []any{1}}, {Path: "/b", Equals: []any{2}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := run(t, c.event, spec.Step{Drop: &spec.Drop{When: c.when}})
			require.NoError(t, err)
			assert.Equal(t, c.dropped, len(result.Data) == 0)
		})
	}
}

func TestAddedMemberIsTheLastOrReplacesOne(t *testing.T) {
	for from, want := range map[string]string{
		"arrived_at": `"2026-01-02T03:04:05.678Z"`, "stream": `"orders"`, "shard": `"shardId-000000000003"`,
		"sequence": `"4954"`, "sub_sequence": `"2"`, "partition_key": `"customer-7"`,
	} {
		assert.Equal(t, `"a":1,"x":`+want, edited(t, `"a":1`, spec.Step{Add: &spec.Add{Name: "x", From: from}}))
	}
	assert.Equal(t, `"x":"\"","a":{"x":1}`, edited(t, `"x":[],"a":{"x":1}`, spec.Step{Add: &spec.Add{Name: "x", Value: `"`}}))
}

func TestPartitionKeysComeFromTheEvent(t *testing.T) {
	partition := func(keys ...spec.PartitionKey) spec.Step { return spec.Step{Partition: &spec.Partition{Keys: keys}} }
	for value, want := range map[string]string{
		`"quake"`: "quake", `"a/../b é"`: "a%2F..%2Fb%20%C3%A9", `".."`: "%2E%2E", `7.50`: "7.50", `true`: "true",
	} {
		result, err := run(t, `{"type":`+value+`}`, partition(spec.PartitionKey{Name: "kind", Path: "/type"}))
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"kind": want}, result.PartitionKeys)
	}
	for _, value := range []string{`null`, `""`, `{}`, `[]`, `"` + strings.Repeat("x", 257) + `"`} {
		_, err := run(t, `{"type":`+value+`}`, partition(spec.PartitionKey{Name: "kind", Path: "/type"}))
		requireReason(t, "PartitionKey", err)
	}
	result, err := run(t, `{"at":"2026-01-02T23:30:00-01:00","bad":"x"}`,
		partition(spec.PartitionKey{Name: "day", Path: "/at", Layout: "2006-01-02"}),
		partition(spec.PartitionKey{Name: "month", Path: "/bad", Layout: "01", Default: "none"}, spec.PartitionKey{Name: "type", Path: "/no", Default: "other"}))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"day": "2026-01-03", "month": "none", "type": "other"}, result.PartitionKeys)
}

func TestEventThatBreaksTheSchemaFailsWithoutItsDataInTheReason(t *testing.T) {
	step := spec.Step{Validate: &spec.Validate{Schema: json.RawMessage(`{"type":"object","required":["mag"],"properties":{"mag":{"type":"number","maximum":10},"place":{"pattern":"^[a-z]+$"}}}`)}}
	assert.Equal(t, `"mag":4.70`, edited(t, `"mag":4.70`, step))
	for event, reason := range map[string]string{
		`{}`:                             "the event does not follow the schema: /required",
		`{"mag":"private"}`:              "the event does not follow the schema: /properties/mag/type",
		`{"mag":1,"place":"PRIVATE"}`:    "the event does not follow the schema: /properties/place/pattern",
		`{"mag":10.000000000000000001 }`: "the event does not follow the schema: /properties/mag/maximum",
	} {
		_, err := run(t, event, step)
		requireReason(t, "Schema", err)
		assert.EqualError(t, err, reason)
	}
}

func TestStepsFollowEachOther(t *testing.T) {
	result, err := run(t, `{"event_id":"e","user":{"mail":"a@b.c","name":"A"},"at":1767323045678}`,
		spec.Step{Timestamp: &spec.Timestamp{Path: "/at"}},
		spec.Step{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "day", Path: "/at", Layout: "02"}}}},
		spec.Step{Hash: &spec.Hash{Paths: []string{"/user/mail"}}},
		spec.Step{Remove: &spec.Remove{Paths: []string{"/user/name", "/at"}}},
		spec.Step{Drop: &spec.Drop{When: []spec.Condition{{Path: "/user/mail", Prefix: "a@"}}}},
	)
	require.NoError(t, err)
	assert.Equal(t, `{"event_id":"e","user":{"mail":`+hashed("a@b.c")+`},"_millrace":{"id":"e","arrived_at":"2026-01-02T03:04:05.678Z"}}`+"\n", string(result.Data))
	assert.Equal(t, map[string]string{"day": "02"}, result.PartitionKeys)
}

func TestEventThatIsSentAgainKeepsItsMetadataThroughSteps(t *testing.T) {
	result, err := run(t, `{"_millrace":{"id":"first/1","arrived_at":"2025-01-01T00:00:00.000Z"},"a":1}`, spec.Step{Redact: &spec.Redact{Paths: []string{"/a"}}})
	require.NoError(t, err)
	assert.Equal(t, `{"a":"REDACTED","_millrace":{"id":"first/1","arrived_at":"2025-01-01T00:00:00.000Z"}}`+"\n", string(result.Data))
}

func TestEmptyRecordIsDroppedAndNoEventFails(t *testing.T) {
	step := spec.Step{Remove: &spec.Remove{Paths: []string{"/a"}}}
	result, err := run(t, " \n", step)
	require.NoError(t, err)
	assert.Empty(t, result.Data)
	_, err = run(t, "[1]", step)
	assert.ErrorIs(t, err, event.ErrNotObject)
}

func TestStepsThatCannotBeDoneAreRefusedAtTheStart(t *testing.T) {
	hash := spec.Transformer{HashKeyARN: "arn", Steps: []spec.Step{{Hash: &spec.Hash{Paths: []string{"/a"}}}}}
	_, err := steps.New(hash, []byte("short"))
	assert.EqualError(t, err, "step 1: hash: the key must have 32 bytes or more, got 5")
	_, err = steps.New(spec.Transformer{Steps: []spec.Step{{}}}, nil)
	assert.ErrorContains(t, err, "the transformer's steps: step 1: exactly one")
	_, err = steps.New(spec.Transformer{Steps: []spec.Step{{Validate: &spec.Validate{Schema: json.RawMessage(`{"type":1}`)}}}}, nil)
	assert.ErrorContains(t, err, "step 1: compiling the schema")
}

type secrets struct {
	get func(*secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error)
}

func (s secrets) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return s.get(in)
}

func TestKeyIsTheSecretsTextOrItsBytes(t *testing.T) {
	for _, output := range []*secretsmanager.GetSecretValueOutput{{SecretString: new("the key")}, {SecretBinary: []byte("the key")}} {
		got, err := steps.ReadKey(t.Context(), secrets{func(in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
			assert.Equal(t, "arn:secret", *in.SecretId)
			return output, nil
		}}, "arn:secret")
		require.NoError(t, err)
		assert.Equal(t, "the key", string(got))
	}
	_, err := steps.ReadKey(t.Context(), secrets{func(*secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
		return nil, errors.New("denied")
	}}, "arn:secret")
	assert.EqualError(t, err, "reading the hash key arn:secret: denied")
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return packed.String()
}

const logRecord = `{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"/app","logStream":"i-1","subscriptionFilters":["all"],"logEvents":[` +
	`{"id":"1","timestamp":1767323045678,"message":"GET \/ 200\n\u00e9"},{"id":"2","timestamp":1767323045679,"message":"POST / 500"}]}`

func unpack(t testing.TB, data string, maxBytes int, s ...spec.Step) (transformer.Result, error) {
	t.Helper()
	f, err := steps.New(spec.Transformer{CloudWatchLogs: &spec.CloudWatchLogs{MaxBytes: maxBytes}, Steps: s}, nil)
	require.NoError(t, err)
	return f(t.Context(), record(data))
}

func TestCloudWatchLogsBecomeALineForEachLogEvent(t *testing.T) {
	partition := spec.Step{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "group", Path: "/log_group"}}}}
	result, err := unpack(t, zipped(t, logRecord), 0, partition)
	require.NoError(t, err)
	assert.Equal(t, `{"event_id":"1","occurred_at":1767323045678,"owner":"111122223333","log_group":"/app","log_stream":"i-1","message":"GET \/ 200\n\u00e9","_millrace":{"id":"1","arrived_at":"2026-01-02T03:04:05.678Z"}}`+"\n"+
		`{"event_id":"2","occurred_at":1767323045679,"owner":"111122223333","log_group":"/app","log_stream":"i-1","message":"POST / 500","_millrace":{"id":"2","arrived_at":"2026-01-02T03:04:05.678Z"}}`+"\n", string(result.Data))
	assert.Equal(t, map[string]string{"group": "%2Fapp"}, result.PartitionKeys)

	result, err = unpack(t, zipped(t, logRecord), 0, spec.Step{Drop: &spec.Drop{When: []spec.Condition{{Path: "/message", Prefix: "GET"}}}})
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(result.Data), "\n"), "one of the two is dropped")

	_, err = unpack(t, zipped(t, logRecord), 0, spec.Step{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "id", Path: "/event_id"}}}})
	requireReason(t, "PartitionKey", err)
}

func TestControlMessageIsDroppedAndWhatIsNotZippedIsAnEvent(t *testing.T) {
	result, err := unpack(t, zipped(t, `{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}`), 0)
	require.NoError(t, err)
	assert.Empty(t, result.Data)
	result, err = unpack(t, `{"event_id":"e"}`, 0)
	require.NoError(t, err)
	assert.Contains(t, string(result.Data), `{"event_id":"e","_millrace"`)
}

func TestRecordThatUnpacksTooFarOrToSomethingElseFails(t *testing.T) {
	_, err := unpack(t, zipped(t, logRecord), len(logRecord))
	require.NoError(t, err)
	for name, data := range map[string]string{
		"a byte too many":      zipped(t, logRecord+" "),
		"a bomb":               zipped(t, strings.Repeat(" ", 1<<20)),
		"cut off":              zipped(t, logRecord)[:50],
		"only a header":        "\x1f\x8b",
		"no JSON":              zipped(t, "hello"),
		"another message type": zipped(t, `{"messageType":"OTHER"}`),
	} {
		_, err := unpack(t, data, len(logRecord))
		require.Error(t, err, name)
		requireReason(t, "CloudWatchLogs", err)
	}
}

// FuzzSteps does steps to any event: what comes out is JSON on one line, and the
// members that no step names have the bytes that they came with.
func FuzzSteps(f *testing.F) {
	five := 5.0
	transform, err := steps.New(spec.Transformer{
		HashKeyARN:     "arn",
		CloudWatchLogs: &spec.CloudWatchLogs{MaxBytes: 1 << 16},
		Steps: []spec.Step{
			{Drop: &spec.Drop{When: []spec.Condition{{Path: "/a/b", Above: &five}, {Path: "/a/c", Equals: []any{nil}, Not: true}}}},
			{Remove: &spec.Remove{Paths: []string{"/a", "/b/c"}}},
			{Redact: &spec.Redact{Paths: []string{"/b/d"}}},
			{Hash: &spec.Hash{Paths: []string{"/c"}}},
			{Timestamp: &spec.Timestamp{Path: "/d", Formats: []string{"rfc3339", "unix_s", "unix_ns", "2006-01-02"}, KeepUnreadable: true}},
			{Add: &spec.Add{Name: "e", From: "partition_key"}},
			{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "f", Path: "/f", Default: "none"}, {Name: "g", Path: "/d", Layout: "2006", Default: "none"}}}},
		},
	}, key)
	require.NoError(f, err)
	f.Add([]byte(`{"a":{"b":7},"b":[{"c":1,"d":[2]},[{"c":{}}]],"c":"x","d":"2026-01-02","e":0,"f":"../","kept":[1.10,{"a":"\u00e9"}]}`))
	f.Add([]byte(`{"a":1,"a":2,"d":-1.5,"_millrace":{"id":"x","arrived_at":"2026-01-02T03:04:05.678Z"},"":{}}`))
	f.Add([]byte(zipped(f, logRecord)))
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := transform(t.Context(), record(string(data)))
		if err != nil || len(result.Data) == 0 {
			return
		}
		for line := range bytes.Lines(result.Data) {
			require.True(t, json.Valid(line), "%s", line)
		}
		e, err := event.Parse(data)
		if err != nil {
			return // a CloudWatch Logs record
		}
		require.Equal(t, 1, bytes.Count(result.Data, []byte("\n")))
		var before, after map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(e.JSON, &before))
		require.NoError(t, json.Unmarshal(result.Data, &after))
		require.NotContains(t, after, "a")
		require.Equal(t, `"customer-7"`, string(after["e"]))
		for _, key := range result.PartitionKeys {
			require.NotEmpty(t, key)
			require.NotContains(t, key, "/")
		}
		for name, value := range before {
			if !strings.Contains("abcde", name) || name == "" {
				require.Equal(t, string(value), string(after[name]))
			}
		}
	})
}
