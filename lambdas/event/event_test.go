package event_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

var (
	origin  = event.Origin{Stream: "orders", Shard: "shardId-000000000003", Sequence: "4954"}
	arrival = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
)

func parse(t *testing.T, text string) event.Event {
	t.Helper()
	e, err := event.Parse([]byte(text))
	require.NoError(t, err)
	return e
}

func TestWhatIsNoEventIsRefusedWithAReason(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want error
		text string
	}{
		"nothing":                  {"", event.ErrEmpty, "the record is empty"},
		"whitespace":               {" \t\r\n", event.ErrEmpty, "the record is empty"},
		"text":                     {"Hello World", event.ErrNotJSON, "the record is not valid JSON at byte 1"},
		"an object cut off":        {`{"a":[1,`, event.ErrNotJSON, "the record is not valid JSON at byte 8"},
		"two objects":              {`{"a":1}{"b":2}`, event.ErrNotJSON, "the record is not valid JSON at byte 8"},
		"a raw control character":  {"{\"a\":\"\n\"}", event.ErrNotJSON, "the record is not valid JSON at byte 7"},
		"a byte order mark":        {"\ufeff{}", event.ErrNotJSON, "the record is not valid JSON at byte 1"},
		"a number that is none":    {`{"a":NaN}`, event.ErrNotJSON, "the record is not valid JSON at byte 6"},
		"an array":                 {`[{"a":1}]`, event.ErrNotObject, "the record is not a JSON object"},
		"a string":                 {`"{}"`, event.ErrNotObject, "the record is not a JSON object"},
		"null":                     {` null `, event.ErrNotObject, "the record is not a JSON object"},
		"invalid UTF-8":            {"{\"a\":\"\xff\"}", event.ErrNotUTF8, "the record is not valid UTF-8"},
		"an encoded surrogate":     {"{\"a\":\"\xed\xa0\x80\"}", event.ErrNotUTF8, "the record is not valid UTF-8"},
		"nested deeper than it is": {strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001), event.ErrNotJSON, "the record is not valid JSON at byte 50001"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := event.Parse([]byte(c.data))
			require.ErrorIs(t, err, c.want)
			assert.EqualError(t, err, c.text)
		})
	}
}

func TestKnownMembersAreRead(t *testing.T) {
	e := parse(t, ` { "event_id" : "us7000", "event_type":"earth\u0071uake", "occurred_at": "2026-01-02T03:04:05.678+01:00" } `)
	assert.Equal(t, "us7000", e.ID)
	assert.Equal(t, "earthquake", e.Type)
	assert.Equal(t, time.Date(2026, 1, 2, 2, 4, 5, 678_000_000, time.UTC), e.OccurredAt)
	assert.Equal(t, `{"event_id":"us7000","event_type":"earth\u0071uake","occurred_at":"2026-01-02T03:04:05.678+01:00"}`, string(e.JSON))
}

func TestKnownMembersStandAtTheTopAndInTheirSpellingOnly(t *testing.T) {
	e := parse(t, `{"data":{"event_id":"x","event_type":"x"},"Event_ID":"x","EVENT_TYPE":"x","list":["event_id","x"],"say":"\",\"event_id\":\"x"}`)
	assert.Empty(t, e.ID)
	assert.Empty(t, e.Type)

	assert.Equal(t, "found", parse(t, `{"event\u005fid":"found"}`).ID, "an escaped name is the same name")
}

func TestOfDuplicateMembersTheLastCountsAndAllBytesStay(t *testing.T) {
	text := `{"event_id":"first","event_id":"last"}`
	e := parse(t, text)
	assert.Equal(t, "last", e.ID)
	assert.Equal(t, text, string(e.JSON))

	assert.Empty(t, parse(t, `{"event_id":"first","event_id":null}`).ID)
}

func TestOccurredAt(t *testing.T) {
	for value, want := range map[string]string{
		`"2026-01-02T03:04:05Z"`:           "2026-01-02T03:04:05Z",
		`"2026-01-02t03:04:05.123456z"`:    "2026-01-02T03:04:05.123456Z",
		`"2026-01-02T03:04:05.1-07:30"`:    "2026-01-02T10:34:05.1Z",
		`"2026-01-02T03:04:05\u005a"`:      "2026-01-02T03:04:05Z",
		`1767323045678`:                    "2026-01-02T03:04:05.678Z",
		`1.767323045678e12`:                "2026-01-02T03:04:05.678Z",
		`1767323045678.5`:                  "2026-01-02T03:04:05.6785Z",
		`0`:                                "1970-01-01T00:00:00Z",
		`-1`:                               "1969-12-31T23:59:59.999Z",
		`253402300799999`:                  "9999-12-31T23:59:59.999Z",
		`-62135596800000`:                  "", // Go's zero time
		`253402300800000`:                  "",
		`1e999999`:                         "",
		`-1e999999`:                        "",
		`"1767323045678"`:                  "",
		`"2026-01-02"`:                     "",
		`"2026-13-02T03:04:05Z"`:           "",
		`"yesterday"`:                      "",
		`""`:                               "",
		`null`:                             "",
		`true`:                             "",
		`{"at":1}`:                         "",
		`["2026-01-02T03:04:05Z"]`:         "",
		`"2026-01-02T03:04:05Z\u0000"`:     "",
		`"2026-01-02T03:04:05.1234567+00"`: "",
	} {
		t.Run(value, func(t *testing.T) {
			e := parse(t, `{"occurred_at":`+value+`}`)
			if want == "" {
				assert.Zero(t, e.OccurredAt)
				return
			}
			assert.Equal(t, want, e.OccurredAt.Format(time.RFC3339Nano))
			assert.Equal(t, time.UTC, e.OccurredAt.Location())
		})
	}
}

func TestIdentity(t *testing.T) {
	long := strings.Repeat("é", 257)
	for name, c := range map[string]struct{ text, want string }{
		"is the event_id":                        {`{"event_id":"a\/b \ud83d\ude00"}`, "a/b 😀"},
		"is an event_id of 512 bytes as it is":   {`{"event_id":"` + long[:512] + `"}`, long[:512]},
		"is the hash of a longer one":            {`{"event_id":"` + long + `"}`, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(long)))},
		"is the origin without event_id":         {`{}`, "orders/shardId-000000000003/4954"},
		"is the origin for an empty event_id":    {`{"event_id":""}`, "orders/shardId-000000000003/4954"},
		"is the origin for a number":             {`{"event_id":7}`, "orders/shardId-000000000003/4954"},
		"is the origin for null":                 {`{"event_id":null}`, "orders/shardId-000000000003/4954"},
		"is the origin for a NUL character":      {`{"event_id":"a\u0000"}`, "orders/shardId-000000000003/4954"},
		"is the origin for a high surrogate":     {`{"event_id":"\ud800"}`, "orders/shardId-000000000003/4954"},
		"is the origin for a low surrogate":      {`{"event_id":"\\\udc00x"}`, "orders/shardId-000000000003/4954"},
		"is the origin for swapped surrogates":   {`{"event_id":"\ude00\ud83d"}`, "orders/shardId-000000000003/4954"},
		"is the origin for two high surrogates":  {`{"event_id":"\ud83d\ud83d\ude00"}`, "orders/shardId-000000000003/4954"},
		"takes a replacement character as it is": {`{"event_id":"\\ud800 \ufffd �"}`, `\ud800 � �`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, parse(t, c.text).Identity(origin))
		})
	}
}

func TestOriginAsText(t *testing.T) {
	aggregated := origin
	aggregated.SubSequence = 7
	assert.Equal(t, "orders/shardId-000000000003/4954/7", aggregated.String())
	assert.Equal(t, "logs/49546986683135544286507457936321625675700192471156785154000000",
		event.Origin{Stream: "logs", Sequence: "49546986683135544286507457936321625675700192471156785154000000"}.String(), "direct PUT")
}

func TestTypeThatIsNoShortStringIsLeftOut(t *testing.T) {
	for _, value := range []string{`7`, `null`, `""`, `{"a":1}`, `"a\u0000"`, `"\ud800"`, `"` + strings.Repeat("x", 513) + `"`} {
		assert.Empty(t, parse(t, `{"event_type":`+value+`}`).Type, value)
	}
	assert.Len(t, parse(t, `{"event_type":"`+strings.Repeat("x", 512)+`"}`).Type, 512)
}

func TestLineKeepsTheBytesAndAddsOneMember(t *testing.T) {
	const ours = `"_millrace":{"id":"orders/shardId-000000000003/4954","arrived_at":"2026-01-02T03:04:05.678Z"}}` + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"an empty object": {" { } ", `{` + ours},
		"spellings":       {"{ \"n\" : [ 1.10 , 1e-7 , -0 , 9007199254740993 ] ,\r\n \"s\" : \" \\u00e9\\/ é $ \" }", `{"n":[1.10,1e-7,-0,9007199254740993],"s":" \u00e9\/ é $ ",` + ours},
		"HTML":            {`{"a":"<&>` + "\u2028" + `"}`, `{"a":"<&>` + "\u2028" + `",` + ours},
		"a member like ours, nested": {
			`{"a":{"_millrace":1}}`, `{"a":{"_millrace":1},` + ours,
		},
		"a member that has ours' name": {`{"_millrace":1}`, `{"_millrace":1,"_` + ours[1:]},
		"members that have two names":  {`{"__millrace":1,"_millrace":{}}`, `{"__millrace":1,"_millrace":{},"__` + ours[1:]},
		"a member of the second name":  {`{"__millrace":1}`, `{"__millrace":1,` + ours},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, string(parse(t, c.text).Line(origin, arrival)))
		})
	}
}

func TestIdentityInTheLineIsAJSONString(t *testing.T) {
	line := parse(t, `{"event_id":"\"\\<é\u2028\n"}`).Line(origin, arrival)
	var got struct {
		Metadata struct{ ID string } `json:"_millrace"`
	}
	require.NoError(t, json.Unmarshal(line, &got))
	assert.Equal(t, "\"\\<é\u2028\n", got.Metadata.ID)
}

func TestArrivalIsWrittenToTheMillisecond(t *testing.T) {
	for _, at := range []time.Time{
		arrival,
		{},
		time.UnixMilli(0), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 20, 1, 2, 3, 4e6, time.FixedZone("east", 3600)),
	} {
		line, err := event.AppendLine(nil, []byte("{}"), origin, at)
		require.NoError(t, err)
		assert.Contains(t, string(line), `"arrived_at":"`+at.UTC().Format("2006-01-02T15:04:05.000Z")+`"`)
	}
}

func TestAppendedLineIsTheParsedEventsLine(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { "event_id" : "a" } `, `{"event_id":"\u0061","event_id":7}`, `{"event_id":"` + strings.Repeat("long", 200) + `"}`,
		`{"_millrace":1}`, `{"_millrace":{"id":"x","arrived_at":"2026-01-02T03:04:05.678Z"},"a":1}`, `{"event\u005fid":"a"}`, `[1]`, `{`, ``, "\xff",
	} {
		e, parseErr := event.Parse([]byte(text))
		line, err := event.AppendLine([]byte("before "), []byte(text), origin, arrival)
		require.Equal(t, parseErr, err, text)
		if err != nil {
			assert.Equal(t, "before ", string(line))
			continue
		}
		assert.Equal(t, "before "+string(e.Line(origin, arrival)), string(line))
	}
}

func TestEventThatIsSentAgainKeepsItsIdentityAndItsLine(t *testing.T) {
	later := event.Origin{Stream: "orders", Shard: "shardId-000000000009", Sequence: "7"}
	for _, text := range []string{
		`{}`,
		`{"a":1}`,
		`{"event_id":"x","a":1}`,
		`{"_millrace":"theirs"}`,
		`{"event_id":"` + strings.Repeat("long", 200) + `"}`,
	} {
		first := parse(t, text)
		line := first.Line(origin, arrival)
		again := parse(t, string(line))
		assert.Equal(t, first.Identity(origin), again.Identity(later), text)
		assert.Equal(t, arrival, again.ArrivedAt, text)
		assert.Equal(t, string(line), string(again.Line(later, arrival.Add(time.Hour))), text)
		assert.Equal(t, text, string(again.JSON), text)
	}
}

func TestMetadataIsFoundWhereverItStands(t *testing.T) {
	const meta = `"_millrace":{"arrived_at":"2026-01-02T03:04:05.678Z","id":"first"}`
	for text, want := range map[string]string{
		`{` + meta + `}`:               `{}`,
		`{` + meta + `,"a":1}`:         `{"a":1}`,
		`{"a":1,` + meta + `,"b":[2]}`: `{"a":1,"b":[2]}`,
		`{"a":1,` + meta + `}`:         `{"a":1}`,
	} {
		e := parse(t, text)
		assert.Equal(t, "first", e.ID)
		assert.Equal(t, want, string(e.JSON))
		assert.Equal(t, text+"\n", string(e.Line(origin, arrival)))
	}
}

func TestMetadataThatIsNotExactlyOursIsTheClients(t *testing.T) {
	for name, text := range map[string]string{
		"one member":          `{"_millrace":{"id":"x"}}`,
		"three members":       `{"_millrace":{"id":"x","arrived_at":"2026-01-02T03:04:05.678Z","a":1}}`,
		"id twice":            `{"_millrace":{"id":"x","id":"y"}}`,
		"an id that is empty": `{"_millrace":{"id":"","arrived_at":"2026-01-02T03:04:05.678Z"}}`,
		"an id that is long":  `{"_millrace":{"id":"` + strings.Repeat("x", 513) + `","arrived_at":"2026-01-02T03:04:05.678Z"}}`,
		"an id of a number":   `{"_millrace":{"id":7,"arrived_at":"2026-01-02T03:04:05.678Z"}}`,
		"another time":        `{"_millrace":{"id":"x","arrived_at":"2026-01-02T03:04:05Z"}}`,
		"no time":             `{"_millrace":{"id":"x","arrived_at":"now"}}`,
		"another kind":        `{"_millrace":[]}`,
		"another identity":    `{"event_id":"y","_millrace":{"id":"x","arrived_at":"2026-01-02T03:04:05.678Z"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			e := parse(t, text)
			assert.NotEqual(t, "x", e.Identity(origin))
			assert.Equal(t, text, string(e.JSON))
			assert.Contains(t, string(e.Line(origin, arrival)), `"__millrace":{"id":"`)
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"event_id":"a","event_type":"t","occurred_at":1767323045678,"n":[1.10,{"x":null}]}`,
		` { "_millrace" : 1 , "__millrace":{"id":"x","arrived_at":"2026-01-02T03:04:05.678Z"} } `,
		`{"event\u005fid":"\ud800","event_id":"\ud83d\ude00\\\"","a":"}],"}`,
		`[]`, `{`, "\xff", `{"a":"\u0000"}`, `{"":{"":[[],{}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		input := bytes.Clone(data)
		e, err := event.Parse(data)
		isEvent := utf8.Valid(data) && json.Valid(data) && bytes.TrimLeft(data, " \t\r\n")[0] == '{'
		require.Equal(t, isEvent, err == nil, "%v", err)
		if err != nil {
			return
		}
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, data))
		line := e.Line(origin, arrival)
		require.Equal(t, input, data, "the input was written to")
		require.True(t, json.Valid(line))
		require.Equal(t, len(line)-1, bytes.IndexByte(line, '\n'))

		again, err := event.Parse(line)
		require.NoError(t, err)
		require.Equal(t, e.Identity(origin), again.ID)
		require.Equal(t, string(e.JSON), string(again.JSON))
		require.Equal(t, e.Type, again.Type)
		require.Equal(t, e.OccurredAt, again.OccurredAt)
		require.Equal(t, string(line), string(again.Line(event.Origin{}, time.Time{})))

		if !e.ArrivedAt.IsZero() { // it came with our metadata
			require.Equal(t, compact.String()+"\n", string(line))
			return
		}
		require.Equal(t, compact.String(), string(e.JSON))
		metadata := bytes.LastIndex(line, []byte(`millrace":{"id":`))
		client := bytes.TrimRight(line[:metadata], "_")
		client = bytes.TrimSuffix(bytes.TrimSuffix(client, []byte(`"`)), []byte(","))
		require.Equal(t, compact.String(), string(client)+"}")
		requireID(t, data, e.ID)
	})
}

// requireID holds id against what encoding/json finds.
func requireID(t *testing.T, data []byte, id string) {
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &all))
	var want string
	if json.Unmarshal(all["event_id"], &want) != nil {
		want = ""
	}
	if strings.ContainsAny(want, "\x00\ufffd") || len(want) > event.MaxTextBytes {
		return // tested by name above
	}
	require.Equal(t, want, id)
}

func BenchmarkParseAndLine(b *testing.B) {
	text := []byte(`{"event_id":"us70009v4m","event_type":"earthquake","occurred_at":1767323045678,"properties":{"place":"` +
		strings.Repeat("120 km SSE of here, ", 40) + `","mag":4.7,"tsunami":0,"ids":[1,2,3]}}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := event.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		e.Line(origin, arrival)
	}
}
