package aggregator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/aggregator"
	"github.com/millrace-cdk/millrace/spec"
)

// measurement is an event of the property test, and where and when it came.
type measurement struct {
	shard   int
	arrived time.Time
	text    string

	key    string
	number string // empty: none
	late   bool
	bad    bool
}

var declared = spec.Windows{
	EventType: "window", EventTypes: []string{"measured"}, Key: "$.device",
	Values: []spec.WindowValue{{Name: "level", Path: "$.data.level"}}, LatenessSeconds: 10,
}

const size = time.Minute

// measurements are in the order of their arrival.
func measurements(random *rand.Rand, n int) []measurement {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var all []measurement
	for i := range n {
		m := measurement{shard: random.IntN(3), arrived: start.Add(time.Duration(i) * 4 * time.Minute / time.Duration(n))}
		window := m.arrived.Truncate(size)
		occurred := m.arrived.Add(-time.Duration(random.IntN(90)) * time.Second)
		m.late = occurred.Before(window.Add(-10 * time.Second))
		m.key = fmt.Sprintf("device-%d", random.IntN(12))
		m.number = fmt.Sprintf("%d.%0*d", random.IntN(2_000)-1_000, 1+random.IntN(20), random.IntN(10))
		level := m.number
		switch random.IntN(12) {
		case 0:
			m.number, level = "", `"high"`
		case 1:
			m.number, level = "", "null"
		}
		m.text = fmt.Sprintf(`{"event_type":"measured","occurred_at":%q,"device":%q,"data":{"level":%s}}`, occurred.Format(time.RFC3339Nano), m.key, level)
		switch random.IntN(20) {
		case 0:
			m.bad, m.text = true, "not JSON"
		case 1:
			m.bad, m.text = true, `{"event_type":"measured","data":{"level":1}}`
		case 2:
			m.text = `{"event_type":"another","device":"device-1"}`
			m.key = ""
		}
		all = append(all, m)
	}
	return all
}

// total is what is known of a key in a window.
type total struct {
	events, late, numbers int64
	sum, least, most      *big.Rat
}

func (t *total) addNumber(n *big.Rat) { t.merge(1, n, n, n) }

func (t *total) merge(numbers int64, sum, least, most *big.Rat) {
	if numbers == 0 {
		return
	}
	if t.numbers == 0 {
		t.sum, t.least, t.most = new(big.Rat), least, most
	}
	t.numbers += numbers
	t.sum = new(big.Rat).Add(t.sum, sum)
	if least.Cmp(t.least) < 0 {
		t.least = least
	}
	if most.Cmp(t.most) > 0 {
		t.most = most
	}
}

func (t *total) String() string {
	if t.numbers == 0 {
		return fmt.Sprintf("%d events, %d late", t.events, t.late)
	}
	return fmt.Sprintf("%d events, %d late, %d numbers: %s from %s to %s", t.events, t.late, t.numbers, t.sum, t.least, t.most)
}

func rational(text string) *big.Rat {
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("not a number: " + text)
	}
	return n
}

// plainly computes the totals by window and key, and the unusable by window, from all events at once.
func plainly(all []measurement) map[string]string {
	totals := map[string]*total{}
	at := func(m measurement, key string) *total {
		name := m.arrived.Truncate(size).Format(time.RFC3339) + " " + key
		if totals[name] == nil {
			totals[name] = new(total)
		}
		return totals[name]
	}
	for _, m := range all {
		switch {
		case m.bad:
			at(m, "unusable").events++
			continue
		case m.key == "":
			continue
		}
		t := at(m, m.key)
		t.events++
		if m.late {
			t.late++
		}
		if m.number != "" {
			t.addNumber(rational(m.number))
		}
	}
	return texts(totals)
}

func texts(totals map[string]*total) map[string]string {
	all := map[string]string{}
	for name, t := range totals {
		all[name] = t.String()
	}
	return all
}

// table is a sink that keeps a row by its ID, as the loader does, and fails at random: before or after it wrote, or in the middle.
type table struct {
	t      *testing.T
	random *rand.Rand
	faults bool
	rows   map[string]string
	writes int
}

var errWrite = errors.New("no")

func (s *table) Write(_ context.Context, rows []aggregator.Row) error {
	n, err := len(rows), error(nil)
	if s.faults && s.random.IntN(3) == 0 {
		n, err = s.random.IntN(len(rows)+1), errWrite
	}
	for _, row := range rows[:n] {
		s.writes++
		if had, there := s.rows[row.ID]; there {
			require.Equal(s.t, had, string(row.JSON), "one identity, two results")
		}
		s.rows[row.ID] = string(row.JSON)
	}
	return err
}

// totals adds up the rows of all shards and parts, as the view of docs/windows.md does.
func (s *table) totals() map[string]string {
	totals := map[string]*total{}
	for _, text := range s.rows {
		var row struct {
			Type   string    `json:"event_type"`
			Start  time.Time `json:"window_start"`
			Key    string    `json:"key"`
			Events int64     `json:"events"`
			Late   int64     `json:"late"`
			Values struct {
				Level struct {
					N             int64
					Sum, Min, Max json.Number
				} `json:"level"`
			} `json:"values"`
		}
		require.NoError(s.t, json.Unmarshal([]byte(text), &row))
		if row.Type == "window.unusable" {
			row.Key = "unusable"
		}
		name := row.Start.Format(time.RFC3339) + " " + row.Key
		if totals[name] == nil {
			totals[name] = new(total)
		}
		t, level := totals[name], row.Values.Level
		t.events, t.late = t.events+row.Events, t.late+row.Late
		if level.N > 0 {
			t.merge(level.N, rational(level.Sum.String()), rational(level.Min.String()), rational(level.Max.String()))
		}
	}
	return texts(totals)
}

// deliver does what Lambda may do with one window of one shard: batches of any
// size, and of another size after a failure, always with the state of the last
// success; now and then a record that was processed comes again.
func deliver(t *testing.T, random *rand.Rand, a *aggregator.Aggregator, shard int, start time.Time, records []map[string]any) {
	state := json.RawMessage(`{}`)
	invoke := func(batch []map[string]any, final bool) (done bool) {
		payload, err := json.Marshal(map[string]any{
			"Records": batch, "state": state, "shardId": fmt.Sprintf("shardId-%012d", shard), "eventSourceARN": "arn:aws:kinesis:eu-west-1:111122223333:stream/events",
			"window":                 map[string]any{"start": start.Format(time.RFC3339), "end": start.Add(size).Format(time.RFC3339)},
			"isFinalInvokeForWindow": final, "isWindowTerminatedEarly": false,
		})
		require.NoError(t, err)
		response, err := a.Invoke(t.Context(), payload)
		if err != nil {
			require.ErrorIs(t, err, errWrite)
			return false
		}
		var answer struct {
			State             json.RawMessage
			BatchItemFailures []any
		}
		require.NoError(t, json.Unmarshal(response, &answer))
		require.NotNil(t, answer.State, "Lambda would count it as a failure")
		require.NotNil(t, answer.BatchItemFailures)
		require.Empty(t, answer.BatchItemFailures)
		state = answer.State
		return true
	}
	for i := 0; i < len(records); {
		end := min(len(records), i+1+random.IntN(9))
		if invoke(records[max(0, i-random.IntN(3)):end], false) {
			i = end
		}
	}
	for !invoke([]map[string]any{}, true) {
	}
}

func TestAnySplitIntoShardsBatchesAndFailuresGivesWhatAPlainComputationGives(t *testing.T) {
	var spilled, again int
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		all := measurements(random, 300)
		rows := &table{t: t, random: random, faults: true, rows: map[string]string{}}
		a, err := aggregator.New(declared)
		require.NoError(t, err)
		a.Sink = rows
		if seed%2 == 0 {
			a.SetMaxState(1_024 + 4*500) // some four keys
		}

		byWindow := map[string][]map[string]any{}
		starts := map[string]measurement{}
		for i, m := range all {
			name := fmt.Sprint(m.arrived.Truncate(size), m.shard)
			starts[name] = m
			byWindow[name] = append(byWindow[name], map[string]any{"kinesis": map[string]any{
				"sequenceNumber": fmt.Sprint(95 + i), "data": []byte(m.text), "approximateArrivalTimestamp": float64(m.arrived.UnixMilli()) / 1000,
			}})
		}
		names := make([]string, 0, len(starts))
		for name := range starts {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			deliver(t, random, a, starts[name].shard, starts[name].arrived.Truncate(size), byWindow[name])
		}

		require.Equal(t, plainly(all), rows.totals(), "seed %d", seed)
		again += rows.writes - len(rows.rows)
		if seed%2 == 0 {
			spilled += len(rows.rows)
		} else {
			spilled -= len(rows.rows)
		}
	}
	assert.Positive(t, spilled, "no state was full: the test shows less than it says")
	assert.Positive(t, again, "nothing was written again: the test shows less than it says")
}
