package soak

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-cdk/millrace/spec"
)

// scene is a server, the way to it, and the functions that use it.
type scene struct {
	server    *server
	proxy     *proxy
	functions []*function
}

const shards = 3

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{server: newServer(t, tables())}
	s.proxy = newProxy(t, s.server.Port)
	loader := spec.Loader{Database: s.server.database(s.proxy.port()), Tables: tables()}
	for i := range 2 * shards {
		s.functions = append(s.functions, &function{spec: loader, child: i%3 == 1})
	}
	t.Cleanup(func() {
		for _, f := range s.functions {
			f.kill()
		}
	})
	return s
}

// plan is how a round goes.
type plan struct {
	events     int
	maxBatch   int
	attempts   int           // until a batch is kept elsewhere
	faultEvery time.Duration // 0: never
}

// round posts events, breaks things until all are at rest, and compares. The
// batches that were given up are in the ledger as kept; after that they are
// sent again, as an operator would, and everything is compared once more.
func (s *scene) round(t testing.TB, random *rand.Rand, number int, p plan) ledger {
	t.Helper()
	admin := s.server.admin(t)
	_, err := admin.Exec(t.Context(), "TRUNCATE events, quarantine, devices, readings")
	require.NoError(t, err)

	posted := post(random, number, p.events, shards)
	sources := make([]*source, shards)
	var group errgroup.Group
	stop := s.breakThings(t, rand.New(rand.NewPCG(random.Uint64(), 0)), p.faultEvery)
	start := time.Now()
	for i := range sources {
		sources[i] = &source{
			function: s.functions[i], second: s.functions[shards+i], random: rand.New(rand.NewPCG(random.Uint64(), uint64(i))),
			maxBatch: p.maxBatch, attempts: p.attempts,
		}
		group.Go(func() error { return sources[i].poll(posted[i]) })
	}
	err = group.Wait()
	took := time.Since(start)
	faults := stop()
	require.NoError(t, err)

	var kept []record
	for _, source := range sources {
		kept = append(kept, source.kept...)
	}
	l := compare(t, s.server.admin(t), posted, kept)
	l.took, l.faults = took, faults
	for i, source := range sources {
		l.records += len(posted[i])
		l.invocations += source.invocations
		l.redelivered += source.redelivered
		l.failures += source.failures
		replay := *source
		replay.attempts, replay.kept = 1000, nil
		require.NoError(t, replay.process(source.kept, 0))
	}
	if len(kept) > 0 {
		after := compare(t, s.server.admin(t), posted, nil)
		assert.True(t, after.balanced(), "after what was kept was sent again: %s", after)
	}
	return l
}

// breakThings breaks something every now and then, until stop.
func (s *scene) breakThings(t testing.TB, random *rand.Rand, every time.Duration) (stop func() map[string]int) {
	t.Helper()
	faults := []struct {
		name string
		do   func() error
	}{
		{"all sockets cut", func() error { s.proxy.cut(); return nil }},
		{"sockets cut in the middle", func() error {
			s.proxy.budget.Store(int64(random.IntN(60)))
			time.Sleep(50 * time.Millisecond)
			s.proxy.budget.Store(-1)
			s.proxy.cut()
			return nil
		}},
		{"network stalled", func() error { s.proxy.stall(300 * time.Millisecond); return nil }},
		{"loader killed", func() error { s.functions[random.IntN(len(s.functions))].kill(); return nil }},
		{"loader killed twice in a moment", func() error {
			f := s.functions[random.IntN(shards)]
			f.kill()
			time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
			f.kill()
			return nil
		}},
		{"server killed", func() error { return s.server.restart(syscall.SIGKILL) }},
		{"server restarted", func() error { return s.server.restart(syscall.SIGINT) }},
		{"backends terminated", func() error {
			_, err := s.server.admin(t).Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'millrace_loader'")
			return err
		}},
		{"read-only for a moment", func() error {
			admin := s.server.admin(t)
			for _, sql := range []string{
				"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.2)",
				"SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()",
			} {
				if _, err := admin.Exec(t.Context(), sql); err != nil {
					return fmt.Errorf("%s: %w", sql, err)
				}
			}
			return nil
		}},
		{"table locked for a moment", func() error {
			_, err := s.server.admin(t).Exec(t.Context(), "BEGIN; LOCK TABLE events; SELECT pg_sleep(0.2); COMMIT")
			return err
		}},
	}
	counts := map[string]int{}
	if every == 0 {
		return func() map[string]int { return counts }
	}
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(every/2 + time.Duration(random.Int64N(int64(every)))):
			}
			fault := faults[random.IntN(len(faults))]
			assert.NoError(t, fault.do(), fault.name)
			counts[fault.name]++
		}
	})
	return func() map[string]int {
		close(done)
		group.Wait()
		return counts
	}
}

// TestAnyInterleavingEndsAsTheSameTable is `make soak` with -duration, and a
// short one of it without.
func TestAnyInterleavingEndsAsTheSameTable(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", first)
	s := newScene(t)
	p := plan{events: 25_000, maxBatch: 400, attempts: 8, faultEvery: 300 * time.Millisecond}
	if *duration > 0 {
		p = plan{events: 200_000, maxBatch: 3_000, attempts: 10, faultEvery: 3 * time.Second}
	}
	var total ledger
	end := time.Now().Add(*duration)
	for number := 1; number == 1 || time.Now().Before(end); number++ {
		l := s.round(t, rand.New(rand.NewPCG(first, uint64(number))), number, p)
		total.add(l)
		if !l.balanced() {
			t.Logf("round %d: %s", number, l)
		}
	}
	fmt.Println(total) // the last lines of `make soak`
	assert.True(t, total.balanced())
	assert.NotEmpty(t, total.faults)
}

// TestLedgerNoticesWhatIsWrong is the control: a ledger that cannot fail proves nothing.
func TestLedgerNoticesWhatIsWrong(t *testing.T) {
	s := newScene(t)
	random := rand.New(rand.NewPCG(1, 2))
	posted := post(random, 1, 2_000, shards)
	for i, records := range posted {
		source := &source{function: s.functions[i], random: random, maxBatch: 500, attempts: 2}
		require.NoError(t, source.process(records, 0))
	}
	admin := s.server.admin(t)
	good := compare(t, admin, posted, nil)
	require.True(t, good.balanced(), good)
	require.Positive(t, good.quarantined)

	for sql, want := range map[string]ledger{
		"DELETE FROM events WHERE ctid = (SELECT min(ctid) FROM events WHERE event_type = 'plain')":      {lost: 1},
		"DELETE FROM quarantine WHERE ctid = (SELECT min(ctid) FROM quarantine)":                         {lost: 1},
		"INSERT INTO events SELECT 'again', event_type, occurred_at, payload FROM events LIMIT 1":        {duplicates: 1},
		"INSERT INTO quarantine SELECT 'again', reason, data FROM quarantine LIMIT 1":                    {duplicates: 1},
		"UPDATE events SET payload = payload || '{\"n\":1}' WHERE ctid = (SELECT min(ctid) FROM events)": {differing: 1},
		"UPDATE events SET event_type = NULL WHERE ctid = (SELECT min(ctid) FROM events)":                {differing: 1},
		"UPDATE events SET sequence = '0' WHERE ctid = (SELECT min(ctid) FROM events)":                   {differing: 1},
		"UPDATE quarantine SET data = '\\x00' WHERE ctid = (SELECT min(ctid) FROM quarantine)":           {differing: 1},
		"UPDATE devices SET at = at - 1 WHERE device = (SELECT min(device) FROM devices)":                {differing: 2},
		"DELETE FROM readings WHERE ctid = (SELECT min(ctid) FROM readings)":                             {differing: 1},
		"UPDATE events SET event_id = 'moved' WHERE ctid = (SELECT min(ctid) FROM events WHERE true)":    {lost: 1, duplicates: 1},
		"SELECT 1": {},
	} {
		_, err := admin.Exec(t.Context(), "BEGIN")
		require.NoError(t, err)
		_, err = admin.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
		got := compare(t, admin, posted, nil)
		assert.Equal(t, want, ledger{lost: got.lost, duplicates: got.duplicates, differing: got.differing}, sql)
		assert.Equal(t, sql == "SELECT 1", got.balanced(), sql)
		_, err = admin.Exec(t.Context(), "ROLLBACK")
		require.NoError(t, err)
	}
}

// TestFunctionThatConfirmsWithoutStoringIsFound is the other control: one batch
// of many is confirmed and not stored.
func TestFunctionThatConfirmsWithoutStoringIsFound(t *testing.T) {
	s := newScene(t)
	posted := post(rand.New(rand.NewPCG(3, 4)), 1, 1_000, shards)
	dropped := posted[0][:10]
	source := &source{function: s.functions[0], random: rand.New(rand.NewPCG(3, 4)), maxBatch: 500, attempts: 2}
	require.NoError(t, source.process(posted[0][10:], 0))
	require.NoError(t, source.process(posted[1], 0))
	require.NoError(t, source.process(posted[2], 0))
	l := compare(t, s.server.admin(t), posted, nil)
	assert.False(t, l.balanced())
	assert.Positive(t, l.lost)

	l = compare(t, s.server.admin(t), posted, dropped)
	assert.True(t, l.balanced(), "the same batch, kept elsewhere, is not lost: %s", l)
	assert.Positive(t, l.kept)
}

// TestCrashBetweenAnyTwoMessagesLosesNothing cuts the connection after the first
// piece that passes, after the second, and so on until the batch comes to rest
// without a cut: before, between and after each statement, and after the commit that nobody heard of.
func TestCrashBetweenAnyTwoMessagesLosesNothing(t *testing.T) {
	s := newScene(t)
	posted := post(rand.New(rand.NewPCG(5, 6)), 1, 60, 1)
	admin := s.server.admin(t)
	for cut := int64(1); ; cut++ {
		_, err := admin.Exec(t.Context(), "TRUNCATE events, quarantine, devices, readings")
		require.NoError(t, err)
		source := &source{function: s.functions[0], random: rand.New(rand.NewPCG(5, 6)), maxBatch: 500, attempts: 2}
		s.proxy.budget.Store(cut)
		rest, err := source.deliver(s.functions[0], posted[0])
		require.NoError(t, err)
		left := s.proxy.budget.Load()
		s.proxy.budget.Store(-1)
		s.functions[0].kill()
		require.NoError(t, source.process(posted[0], 0), "Lambda sends it again, even if all of it was stored")
		l := compare(t, admin, posted, nil)
		require.True(t, l.balanced(), "cut after %d pieces: %s", cut, l)
		if len(rest) == 0 && left > 0 {
			t.Logf("cut at %d places", cut-1)
			assert.Greater(t, cut, int64(10))
			return
		}
		cut += cut / 20 // all of the first ones, and then enough
	}
}
