package drill

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryDrillHasItsPlace(t *testing.T) {
	assert.Len(t, scenarios, len(Names()))
	for _, name := range Names() {
		assert.Contains(t, scenarios, name)
	}
}

func TestAcceptedIsLostUnlessItIsInTheLakeAndStored(t *testing.T) {
	p := newProducer("d", "", nil)
	p.note = func(n int) string {
		if n == 4 || n == 5 {
			return "\x00"
		}
		return ""
	}
	for n := range 6 {
		p.accepted[n] = true
	}
	lines := map[int]int{0: 1, 1: 2, 2: 1, 4: 1, 5: 1}
	rows := map[int]int{0: 1, 1: 1, 3: 2}
	quarantine := map[int]int{2: 1, 4: 1}
	// 2 is good and in quarantine, 3 is not in the lake, 5 is neither stored nor kept.
	assert.Equal(t, found{lost: 3, duplicated: 1, again: 1, aside: 1}, p.compare(lines, rows, quarantine))
}

func TestWhatIsRefusedIsPostedAgain(t *testing.T) {
	var open atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !open.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	p := newProducer("d", server.URL, func() string { return "key" })
	for range 3 {
		p.post(t.Context(), p.take())
	}
	ended, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, p.drain(ended), "the API answered 403")
	open.Store(true)
	require.NoError(t, p.drain(t.Context()))
	accepted, refused := p.counts()
	assert.Positive(t, accepted)
	assert.GreaterOrEqual(t, refused, 3)
	assert.Len(t, p.accepted, p.next, "none was forgotten")
}

var results = []Result{
	{Drill: "postgres", What: "Postgres is killed", Alarms: []Fired{{Alarm: "load-iteratorage", After: 57.4, AWSMinutes: 19.1}, {Alarm: "load-lag"}}, Recovered: 12.3, Accepted: 900},
	{Drill: "delivery", What: "deleted", Recovered: 20, Accepted: 800, Lost: 1},
}

func TestTheTableIsWrittenBetweenItsMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(path, []byte("before\n"+begin+"old\n"+end+"\nafter\n"), 0o600))
	require.NoError(t, Write(path, results, 20))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "before\n"+begin+Markdown(results, 20)+end+"\nafter\n", string(text))
	assert.Contains(t, string(text), "| Postgres is killed | `load-iteratorage` | 57 s | 19 min | 12 s | 900 | 0 | 0 |\n| deleted | none | never | never |")

	require.NoError(t, os.WriteFile(path, []byte("no marks"), 0o600))
	assert.ErrorContains(t, Write(path, results, 20), "has no marks")
}

func TestTheTableNamesTheFirstAlarm(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Print(&b, results))
	lines := slices.Collect(bytes.Lines(b.Bytes()))
	require.Len(t, lines, 3)
	assert.Regexp(t, `^drill +alarm +detected after +recovered after +accepted +lost +duplicated`, string(lines[0]))
	assert.Regexp(t, `^postgres +load-iteratorage +57 s \(19 min on AWS\) +12 s +900 +0 +0`, string(lines[1]))
	assert.Regexp(t, `^delivery +none +never +20 s +800 +1 +0`, string(lines[2]))
}
