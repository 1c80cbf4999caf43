package soak

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// ledger is what became of the events of a round, or of several.
type ledger struct {
	posted      int // different ones
	stored      int // in events, as they were posted
	quarantined int // in quarantine, as they were posted
	kept        int // in a batch that was given up, and nowhere else
	lost        int // nowhere
	duplicates  int // rows that are of no event
	differing   int // rows that are not as they were posted

	records, redelivered, invocations, failures int
	took                                        time.Duration
	faults                                      map[string]int
}

// balanced tells whether every event is where it has to be, once.
func (l ledger) balanced() bool {
	return l.posted == l.stored+l.quarantined+l.kept && l.lost == 0 && l.duplicates == 0 && l.differing == 0
}

func (l *ledger) add(o ledger) {
	l.posted += o.posted
	l.stored += o.stored
	l.quarantined += o.quarantined
	l.kept += o.kept
	l.lost += o.lost
	l.duplicates += o.duplicates
	l.differing += o.differing
	l.records += o.records
	l.redelivered += o.redelivered
	l.invocations += o.invocations
	l.failures += o.failures
	l.took += o.took
	if l.faults == nil {
		l.faults = map[string]int{}
	}
	for name, count := range o.faults {
		l.faults[name] += count
	}
}

func (l ledger) String() string {
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(l.faults)) {
		faults = append(faults, fmt.Sprintf("%s %d", name, l.faults[name]))
	}
	return fmt.Sprintf("soak: posted=%d stored=%d quarantined=%d kept=%d lost=%d duplicates=%d differing=%d\n"+
		"      %d records, %d redelivered, %d invocations, %d of them failed; %.0f events/s under faults: %s",
		l.posted, l.stored, l.quarantined, l.kept, l.lost, l.duplicates, l.differing,
		l.records, l.redelivered, l.invocations, l.failures, float64(l.posted)/max(l.took.Seconds(), 1e-9), strings.Join(faults, ", "))
}

const makeExpected = `
DROP SCHEMA IF EXISTS soak CASCADE;
CREATE SCHEMA soak;
CREATE TABLE soak.events (event_id text, event_type text, occurred_at timestamptz, payload jsonb);
CREATE TABLE soak.carriers (event_id text, stream text, shard text, sequence text, arrived_at timestamptz);
CREATE TABLE soak.quarantine (origin text, data bytea);
CREATE TABLE soak.kept (identity text);
CREATE TABLE soak.devices (event_id text, device text, at bigint, level numeric);
CREATE TABLE soak.readings (event_id text, value numeric, unit text);`

// expect writes down what is to be found, and what was kept.
func expect(t testing.TB, conn *pgx.Conn, shards [][]record, kept []record) (identities int) {
	t.Helper()
	_, err := conn.Exec(t.Context(), makeExpected)
	require.NoError(t, err)
	seen := map[string]bool{}
	newest := map[string]posted{}
	var events, carriers, quarantine, readings, devices, keptRows [][]any
	for _, records := range shards {
		for _, r := range records {
			for i, e := range r.events {
				origin := r.origin(i)
				if e.poison {
					quarantine = append(quarantine, []any{origin, []byte(e.data)})
					continue
				}
				e.id = cmp.Or(e.id, origin)
				carriers = append(carriers, []any{e.id, stream, r.shardID(), r.sequence, r.arrived})
				if seen[e.id] {
					continue
				}
				seen[e.id] = true
				events = append(events, []any{e.id, e.kind, time.UnixMilli(e.occurredAt), json.RawMessage(e.data)})
				switch e.kind {
				case "reading":
					readings = append(readings, []any{e.id, e.value, "°C"})
				case "state":
					if best := newest[e.device]; best.id == "" || cmp.Or(cmp.Compare(e.at, best.at), cmp.Compare(e.id, best.id)) > 0 {
						newest[e.device] = e
					}
				}
			}
		}
	}
	for _, e := range newest {
		var level struct{ N float64 }
		require.NoError(t, json.Unmarshal([]byte(e.data), &level))
		devices = append(devices, []any{e.id, e.device, e.at, int(level.N)})
	}
	for _, r := range kept {
		for i, e := range r.events {
			identity := r.origin(i)
			if !e.poison {
				identity = cmp.Or(e.id, identity)
			}
			keptRows = append(keptRows, []any{identity})
		}
	}
	for table, rows := range map[string][][]any{
		"events": events, "carriers": carriers, "quarantine": quarantine, "readings": readings, "devices": devices, "kept": keptRows,
	} {
		var columns []string
		description, err := conn.Prepare(t.Context(), "", "SELECT * FROM soak."+table)
		require.NoError(t, err)
		for _, field := range description.Fields {
			columns = append(columns, field.Name)
		}
		_, err = conn.CopyFrom(t.Context(), pgx.Identifier{"soak", table}, columns, pgx.CopyFromRows(rows))
		require.NoError(t, err)
	}
	_, err = conn.Exec(t.Context(), "CREATE INDEX ON soak.events (event_id); CREATE INDEX ON soak.carriers (event_id); CREATE INDEX ON soak.quarantine (origin); "+
		"CREATE INDEX ON soak.kept (identity); ANALYZE soak.events, soak.carriers, soak.quarantine, soak.kept, events, quarantine")
	require.NoError(t, err)
	return len(events) + len(quarantine)
}

const same = `ROW (x.event_type, x.occurred_at, x.payload) IS NOT DISTINCT FROM ROW (e.event_type, e.occurred_at, e.payload)
	AND EXISTS (SELECT FROM soak.carriers c WHERE (c.event_id, c.stream, c.shard, c.sequence, c.arrived_at) = (e.event_id, e.stream, e.shard, e.sequence, e.arrived_at))`

// compare holds the tables against what is expected, row for row. The declared
// tables can only be complete when nothing is kept elsewhere.
func compare(t testing.TB, conn *pgx.Conn, shards [][]record, kept []record) (l ledger) {
	t.Helper()
	l.posted = expect(t, conn, shards, kept)
	count := func(sql string) (n int) {
		t.Helper()
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) "+sql).Scan(&n))
		return n
	}
	l.stored = count("FROM soak.events x JOIN events e USING (event_id) WHERE " + same)
	l.quarantined = count("FROM soak.quarantine x JOIN quarantine q USING (origin) WHERE q.data = x.data")
	l.differing = count("FROM soak.events x JOIN events e USING (event_id) WHERE NOT ("+same+")") +
		count("FROM soak.quarantine x JOIN quarantine q USING (origin) WHERE q.data <> x.data")
	l.duplicates = count("FROM events e WHERE NOT EXISTS (SELECT FROM soak.events x WHERE x.event_id = e.event_id)") +
		count("FROM quarantine q WHERE NOT EXISTS (SELECT FROM soak.quarantine x WHERE x.origin = q.origin)")
	const missing = `FROM (SELECT event_id AS identity FROM soak.events EXCEPT SELECT event_id FROM events) m `
	const unquarantined = `FROM (SELECT origin AS identity FROM soak.quarantine EXCEPT SELECT origin FROM quarantine) m `
	const isKept = `EXISTS (SELECT FROM soak.kept k WHERE k.identity = m.identity)`
	l.kept = count(missing+"WHERE "+isKept) + count(unquarantined+"WHERE "+isKept)
	l.lost = count(missing+"WHERE NOT "+isKept) + count(unquarantined+"WHERE NOT "+isKept)
	if len(kept) == 0 {
		for _, table := range []string{"devices", "readings"} {
			l.differing += count("FROM ((TABLE soak." + table + " EXCEPT ALL TABLE " + table + ") UNION ALL (TABLE " + table + " EXCEPT ALL TABLE soak." + table + ")) d")
		}
	}
	return l
}
