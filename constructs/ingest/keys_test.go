package ingest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/ingest/corpus"
)

// keyed takes its key from a member, else from a header.
var keyed = ingest.Route{PartitionKey: ingest.KeySource{JSONPath: "$.device_id", Header: "X-Device"}}

func TestAPartitionKeyIsOfTheMemberThenOfTheHeaderThenOfTheRequest(t *testing.T) {
	a := newRenderedAPI(t, keyed)
	header := map[string]string{"X-Device": "of the header"}
	for event, want := range map[string]string{
		`{"device_id":"d-1"}`:                              "d-1",
		`{"device_id":" "}`:                                " ",
		`{"device_id":17}`:                                 "17",
		`{"device_id":-17}`:                                "-17",
		`{"device_id":0}`:                                  "0",
		`{"device_id":9007199254740993}`:                   "9007199254740993",
		`{"device_id":true}`:                               "true",
		`{"device_id":false}`:                              "false",
		`{"device_id":"null"}`:                             "null",
		`{"device_id":"{}"}`:                               "{}",
		`{"device_id":"first","x":{"device_id":"second"}}`: "first",
		`{"device_id":""}`:                                 "",
		`{"device_id":null}`:                               "",
		`{"device_id":{"a":1}}`:                            "",
		`{"device_id":{}}`:                                 "",
		`{"device_id":["d-1"]}`:                            "",
		`{"device_id":[]}`:                                 "",
		`{"device":"d-1"}`:                                 "",
		`{"DEVICE_ID":"d-1"}`:                              "",
		`{"device_id ":"d-1"}`:                             "",
	} {
		for _, headers := range []map[string]string{nil, header} {
			single, batched := a.records(t, event, headers)
			switch {
			case want != "":
				assert.Equal(t, want, single.PartitionKey, event)
				assert.Equal(t, want, batched.PartitionKey, event)
			case headers != nil:
				assert.Equal(t, "of the header", single.PartitionKey, event)
				assert.Equal(t, "of the header", batched.PartitionKey, event)
			default:
				assert.Equal(t, requestID, single.PartitionKey, event)
				assert.Equal(t, requestID+"/1", batched.PartitionKey, event)
			}
			assert.Equal(t, event, string(single.Data))
		}
	}
}

func TestAKeyIsFoundByAnyDepthOfMembers(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{PartitionKey: ingest.KeySource{JSONPath: "$.user._home.id2"}})
	for event, want := range map[string]string{
		`{"user":{"_home":{"id2":"u-1"}}}`: "u-1",
		`{"user":{"_home":{"id2":{}}}}`:    "",
		`{"user":{"_home":"id2"}}`:         "",
		`{"user":null}`:                    "",
		`{"user":7}`:                       "",
		`{"user.home.id2":"u-1"}`:          "",
	} {
		single, batched := a.records(t, event, nil)
		if want == "" {
			assert.Equal(t, requestID, single.PartitionKey, event)
			assert.Equal(t, requestID+"/1", batched.PartitionKey, event)
			continue
		}
		assert.Equal(t, want, single.PartitionKey, event)
		assert.Equal(t, want, batched.PartitionKey, event)
	}
}

func TestAKeysHeaderIsFoundHoweverTheClientSpellsIt(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{PartitionKey: ingest.KeySource{Header: "X-Device"}})
	for _, name := range []string{"X-Device", "x-device", "X-DEVICE"} {
		single, batched := a.records(t, `{"a":1}`, map[string]string{"Accept": "*/*", name: "h-1", "X-Device-2": "another"})
		assert.Equal(t, "h-1", single.PartitionKey, name)
		assert.Equal(t, "h-1", batched.PartitionKey, name)
	}
	for _, headers := range []map[string]string{nil, {"X-Device": ""}, {"X-Devices": "another"}} {
		single, _ := a.records(t, `{"a":1}`, headers)
		assert.Equal(t, requestID, single.PartitionKey, "neither the path nor the query is asked")
	}
}

func TestNoEventInABatchHasTheKeyOfAnother(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{PartitionKey: ingest.KeySource{JSONPath: "$.device_id"}, ExplicitHashKey: ingest.KeySource{JSONPath: "$.hash"}})
	got := decode[putRecords](t, a.request(t, "PutRecords", []byte(`{"events":[{"device_id":"d-1","hash":"7"},{"device_id":null},{},{"hash":8},{"device_id":"d-2"}]}`), nil))
	var keys, hashes []string
	for _, r := range got.Records {
		keys, hashes = append(keys, r.PartitionKey), append(hashes, r.ExplicitHashKey)
	}
	assert.Equal(t, []string{"d-1", requestID + "/1", requestID + "/2", requestID + "/3", "d-2"}, keys)
	assert.Equal(t, []string{"7", "", "", "8", ""}, hashes)
}

// TestNoKeyBreaksOutOfItsPlace holds for all of the corpus: whatever stands in a member or a header, Kinesis gets one
// request with the members that it should have (decode refuses others) and exactly that text as its key.
func TestNoKeyBreaksOutOfItsPlace(t *testing.T) {
	a := newRenderedAPI(t, keyed)
	for _, h := range corpus.Headers() {
		if h.Value == "" {
			continue
		}
		want := first256(h.Value)
		_, batched := a.records(t, `{"a":1}`, map[string]string{"X-Device": h.Value})
		assert.Equal(t, want, batched.PartitionKey, h.Name)
		single, batched := a.records(t, `{"device_id":`+quoted(t, h.Value)+`}`, map[string]string{"X-Device": "unused"})
		assert.Equal(t, want, single.PartitionKey, h.Name)
		assert.Equal(t, want, batched.PartitionKey, h.Name)
	}
	for _, k := range corpus.Keys() {
		single, batched := a.records(t, `{"device_id":`+k.JSON+`,"`+strings.Repeat(`$#\"`, 9)+`":"#end"}`, nil)
		for _, r := range []record{single, batched} {
			assert.NotEmpty(t, r.PartitionKey, k.Name)
			assert.LessOrEqual(t, len(utf16.Encode([]rune(r.PartitionKey))), 256, k.Name)
			assert.Empty(t, r.ExplicitHashKey, k.Name)
		}
		if !strings.HasPrefix(single.PartitionKey, requestID) {
			assert.Equal(t, single.PartitionKey, batched.PartitionKey, "%s: one source, one key by both routes", k.Name)
		}
	}
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	return string(text)
}

// first256 is a text's first 256 UTF-16 units; of a pair that the limit cuts nothing is known but that no half of it is left.
func first256(s string) string {
	units := utf16.Encode([]rune(s))
	if len(units) > 256 {
		units = units[:256]
	}
	return string(utf16.Decode(units))
}

func TestHalfASurrogatePairIsNoKey(t *testing.T) {
	a := newRenderedAPI(t, keyed)
	long := strings.Repeat("k", 255)
	for event, kept := range map[string]string{
		`{"device_id":"a\ud83cb"}`:           "a",
		`{"device_id":"a\udf0d"}`:            "a",
		`{"device_id":"a\udf0d\ud83c"}`:      "a",
		`{"device_id":"` + long + `🌍"}`:      long,
		`{"device_id":"` + long[1:] + `🌍🌍"}`: long[1:] + "🌍",
	} {
		text := a.request(t, "PutRecord", []byte(event), nil)
		assert.True(t, utf8.ValidString(text))
		assert.NotRegexp(t, `(?i)\\ud8[0-9a-f]{2}("|\\u[^d])`, text, "an escaped half")
		single, batched := a.records(t, event, nil)
		assert.True(t, strings.HasPrefix(single.PartitionKey, kept), event)
		assert.Equal(t, single.PartitionKey, batched.PartitionKey, event)
	}
}

func TestAnExplicitHashKeyIsADecimalNumberOrLeftOut(t *testing.T) {
	a := newRenderedAPI(t, ingest.Route{ExplicitHashKey: ingest.KeySource{JSONPath: "$.hash", Header: "X-Hash"}})
	const largest = "340282366920938463463374607431768211455"
	for hash, want := range map[string]string{
		`"0"`:               "0",
		`"17"`:              "17",
		`17`:                "17",
		`"` + largest + `"`: largest,
		largest:             largest,
		`"340282366920938463463374607431768211456"`: "", // 2^128
		`340282366920938463463374607431768211456`:   "",
		`"299999999999999999999999999999999999999"`: "299999999999999999999999999999999999999",
		`"999999999999999999999999999999999999999"`: "",
		`"99999999999999999999999999999999999999"`:  "99999999999999999999999999999999999999", // one digit fewer
		`"1` + largest + `"`:                        "",                                       // 40 digits
		`"007"`:                                     "",
		`"-1"`:                                      "",
		`-1`:                                        "",
		`1.5`:                                       "",
		`"1e3"`:                                     "",
		`" 1"`:                                      "",
		`"1\n"`:                                     "",
		`"0x1f"`:                                    "",
		`"٣"`:                                       "",
		`"0\",\"StreamName\":\"x"`:                  "",
		`true`:                                      "",
		`null`:                                      "",
		`{"a":1}`:                                   "",
		`["1"]`:                                     "",
	} {
		single, batched := a.records(t, `{"hash":`+hash+`}`, nil)
		assert.Equal(t, want, single.ExplicitHashKey, hash)
		assert.Equal(t, want, batched.ExplicitHashKey, hash)
		assert.Equal(t, requestID, single.PartitionKey, "a record has a partition key even so")
	}
	single, batched := a.records(t, `{"a":1}`, map[string]string{"x-hash": "12"})
	assert.Equal(t, "12", single.ExplicitHashKey)
	assert.Equal(t, "12", batched.ExplicitHashKey)
}
