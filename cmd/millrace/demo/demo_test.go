package demo

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func some(n int) []event {
	events := make([]event, n)
	for i := range events {
		events[i] = event{id: fmt.Sprint(i), body: fmt.Appendf(nil, `{"event_id":"%d"}`, i)}
	}
	return events
}

func TestSomeEventsGoAloneAndMostInBatches(t *testing.T) {
	all := requests(some(1707))
	assert.Len(t, all, singles+16)
	posted := 0
	for i, request := range all {
		posted += len(request)
		assert.Equal(t, i < singles, len(request) == 1)
	}
	assert.Equal(t, 1707, posted)
}

// answers serves the given statuses and bodies in turn, and notes what it was sent.
func answers(t *testing.T, answers ...func(http.ResponseWriter)) (*client, *int) {
	t.Helper()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answers[min(calls, len(answers)-1)](w)
		calls++
	}))
	t.Cleanup(server.Close)
	return &client{http: server.Client(), url: server.URL}, &calls
}

func status(code int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func TestOnlyTheFailedEventsOfABatchAreSentAgain(t *testing.T) {
	c, calls := answers(t,
		status(207, `{"accepted":2,"failed":1,"results":[{"index":0,"status":202},{"index":1,"status":429},{"index":2,"status":202}]}`),
		status(429, `{}`),
		status(202, `{"accepted":1}`))
	accepted, err := c.post(t.Context(), some(3))
	require.NoError(t, err)
	assert.Equal(t, 3, *calls)
	var ids []string
	for _, e := range accepted {
		ids = append(ids, e.id)
	}
	assert.Equal(t, []string{"0", "2", "1"}, ids)
}

func TestARefusalIsAnErrorWithTheAnswer(t *testing.T) {
	c, _ := answers(t, status(403, `{"error":{"message":"no key"}}`))
	accepted, err := c.post(t.Context(), some(1))
	assert.Empty(t, accepted)
	assert.ErrorContains(t, err, `the API answered 403: {"error":{"message":"no key"}}`)
}

func TestAnAnswerThatDoesNotFitTheBatchIsAnError(t *testing.T) {
	for _, body := range []string{`{`, `{"results":[]}`, `{"results":[{"index":7,"status":202}]}`} {
		_, _, err := split(some(1), []byte(body))
		assert.ErrorContains(t, err, "parsing the answer to a batch")
	}
}

func TestCountsAreReadable(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1707: "1,707", 1234567: "1,234,567"} {
		assert.Equal(t, want, count(n))
	}
}

func TestQuantiles(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	assert.Equal(t, time.Duration(51), quantile(hundred, 0.50))
	assert.Equal(t, time.Duration(100), quantile(hundred, 0.99))
	assert.Equal(t, time.Duration(1), quantile(hundred[:1], 0.99))
}
