package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hard are members that a careless pipeline changes. Each becomes an event.
var hard = map[string]string{
	"unicode":               `"text":"Zürich 東京 🌊 \u00e9 \ud83c\udf0a"`,
	"line separators":       "\"text\":\"a\u2028b\u2029c\"",
	"integer past 2^53":     `"n":9007199254740993`,
	"integer past 2^64":     `"n":123456789012345678901234567890`,
	"nested nulls":          `"n":{"a":null,"b":[null,{"c":null}]}`,
	"small exponent":        `"n":1e-7`,
	"trailing zero":         `"n":1.10`,
	"big exponent":          `"n":[1E+2,-0,0.0,1.5e300]`,
	"empty strings":         `"":"","b":[""],"c":{"":{}}`,
	"quotes and dollars":    `"a\"b":"\"","$input.body":"$util.escapeJavaScript($input.body)","${x}":"#set($a=1)#if(true)x#end"`,
	"a way out":             `"a":"\"},\"PartitionKey\":\"x","b":"\\\",\"ExplicitHashKey\":\"0"`,
	"backslashes":           `"path":"C:\\temp\\new","re":"\\d+\\\\","tab":"\t\n\r\b\f\/"`,
	"markup":                `"html":"<script>alert('1') && 2 > 1</script>"`,
	"deep":                  `"d":{"d":{"d":{"d":{"d":{"d":[[[[[[1]]]]]]}}}}}`,
	"booleans":              `"t":true,"f":false`,
	"long":                  `"text":"` + string(bytes.Repeat([]byte("0123456789"), 5000)) + `"`,
	"the client's metadata": `"_metadata":{"id":"theirs"}`,
}

// newEvent is an event of the given members with an identity of its own.
func newEvent(members string) (id string, body []byte) {
	id = uuid.NewString()
	return id, fmt.Appendf(nil, `{"event_id":%q,%s}`, id, members)
}

func TestWhatGoesInAloneIsInTheLakeByteForByteAndInPostgresByValue(t *testing.T) {
	db := database(t)
	sent := map[string][]byte{}
	var ids []string
	for name, members := range hard {
		id, body := newEvent(members)
		status, answer := post(t, "/events", body)
		require.Equal(t, http.StatusAccepted, status, "%s: %s", name, answer)
		sent[id] = body
		ids = append(ids, id)
	}
	lines := lake(t, ids)
	for id, body := range sent {
		assertOneMemberMore(t, body, lines[id])
		assertSameValue(t, body, []byte(payload(t, db, id)), "in Postgres")
	}
}

func TestWhatGoesInByBatchIsAtRestByValue(t *testing.T) {
	db := database(t)
	sent := map[string][]byte{}
	var ids []string
	var bodies [][]byte
	for _, members := range hard {
		id, body := newEvent(members)
		sent[id] = body
		ids, bodies = append(ids, id), append(bodies, body)
	}
	status, answer := post(t, "/events/batch", batch(bodies...))
	require.Equal(t, http.StatusAccepted, status, answer)

	lines := lake(t, ids)
	for id, body := range sent {
		assertSameValue(t, body, without(t, lines[id], "_millrace"), "in the lake")
		assertSameValue(t, body, []byte(payload(t, db, id)), "in Postgres")
	}
}

func TestABatchOf500IsTaken(t *testing.T) {
	var ids []string
	var bodies [][]byte
	for i := range 500 {
		id, body := newEvent(fmt.Sprintf(`"i":%d`, i))
		ids, bodies = append(ids, id), append(bodies, body)
	}
	status, answer := post(t, "/events/batch", batch(bodies...))
	require.Equal(t, http.StatusAccepted, status, answer)

	lake(t, ids)
	db := database(t)
	for _, id := range ids {
		payload(t, db, id)
	}
}

func TestWhitespaceOutsideStringsIsAllThatMayGo(t *testing.T) {
	id := uuid.NewString()
	status, answer := post(t, "/events", fmt.Appendf(nil, "\n{ \"event_id\" :\t%q,\r\n  \"text\": \"kept  as \\n it is\" }\n", id))
	require.Equal(t, http.StatusAccepted, status, answer)
	assertOneMemberMore(t, fmt.Appendf(nil, `{"event_id":%q,"text":"kept  as \n it is"}`, id), lake(t, []string{id})[id])
}

func TestAClientsOwnMemberOfOurNameSurvives(t *testing.T) {
	db := database(t)
	sent := map[string][]byte{}
	for _, theirs := range []string{`"theirs"`, `7`, `{"id":7}`, `{"id":"x","more":true}`, `null`, `[]`} {
		id, body := newEvent(`"_millrace":` + theirs)
		status, answer := post(t, "/events", body)
		require.Equal(t, http.StatusAccepted, status, answer)
		sent[id] = body
	}
	lines := lake(t, slices.Collect(maps.Keys(sent)))
	for id, body := range sent {
		assertSameValue(t, body, []byte(payload(t, db, id)), "in Postgres")
		assert.Contains(t, string(lines[id]), string(body[:len(body)-1])+`,"__millrace":{"id":`, "their bytes, and ours after them")
	}
}

func TestTheSameEventTwiceIsOneRow(t *testing.T) {
	db := database(t)
	id, body := newEvent(`"n":1`)
	for range 3 {
		status, answer := post(t, "/events", body)
		require.Equal(t, http.StatusAccepted, status, answer)
	}
	// Events behind them have arrived, in their shard too, so they have.
	behind := []string{id}
	for range 8 {
		next, nextBody := newEvent(`"n":2`)
		status, answer := post(t, "/events", nextBody)
		require.Equal(t, http.StatusAccepted, status, answer)
		behind = append(behind, next)
	}
	for _, next := range behind {
		payload(t, db, next)
	}

	var rows int
	require.NoError(t, db.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE event_id = $1", id).Scan(&rows))
	assert.Equal(t, 1, rows)
}

func TestAnEventWithoutAnIDIsKnownByWhereItWasFirst(t *testing.T) {
	db := database(t)
	marker := uuid.NewString()
	status, answer := post(t, "/events", fmt.Appendf(nil, `{"marker":%q}`, marker))
	require.Equal(t, http.StatusAccepted, status, answer)

	var metadata struct {
		Metadata struct {
			ID string `json:"id"`
		} `json:"_millrace"`
	}
	require.NoError(t, json.Unmarshal(lineWith(t, marker), &metadata))
	assert.Regexp(t, `^[^/]+/shardId-\d{12}/\d+$`, metadata.Metadata.ID)
	assert.JSONEq(t, fmt.Sprintf(`{"marker":%q}`, marker), payload(t, db, metadata.Metadata.ID))
}

func TestWhatPostgresCanNeverStoreIsInTheLakeAndInQuarantineAndStopsNothing(t *testing.T) {
	db := database(t)
	for _, members := range []string{`"text":"\u0000"`, `"text":"\ud800"`, `"n":1e999999`} {
		id, body := newEvent(members)
		status, answer := post(t, "/events", body)
		require.Equal(t, http.StatusAccepted, status, answer)
		assertOneMemberMore(t, body, lake(t, []string{id})[id])

		var reason string
		require.Eventually(t, func() bool {
			err := db.QueryRow(t.Context(), "SELECT reason FROM quarantine WHERE data = $1", body).Scan(&reason)
			if err != nil {
				require.ErrorIs(t, err, pgx.ErrNoRows)
			}
			return err == nil
		}, time.Minute, 100*time.Millisecond)
		assert.NotEmpty(t, reason)
	}
	id, body := newEvent(`"after":"them"`)
	status, answer := post(t, "/events", body)
	require.Equal(t, http.StatusAccepted, status, answer)
	payload(t, db, id)
}

func batch(bodies ...[]byte) []byte {
	return append(append([]byte(`{"events":[`), bytes.Join(bodies, []byte(","))...), "]}"...)
}

// assertOneMemberMore fails unless line is event's bytes with the metadata member before the last brace.
func assertOneMemberMore(t *testing.T, event, line []byte) {
	t.Helper()
	head, tail, found := bytes.Cut(line, []byte(`,"_millrace":{"id":`))
	if assert.True(t, found, "no metadata member in %s", line) {
		assert.Equal(t, string(event), string(head)+"}")
		assert.Regexp(t, `^"[^"]+","arrived_at":"[^"]+Z"}}$`, string(tail))
	}
}
