package loader_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/spec"
)

const (
	// benchRows is how many rows each way stores of each size of batch.
	benchRows = 60_000
	// leastRounds is for the largest batches: at eleven, the median still moved by a
	// tenth from run to run with what the server's WAL and checkpoints did.
	leastRounds = 31
	// rowByRowRows are enough of what is many times slower.
	rowByRowRows = 3_000
)

var columns = []string{"event_id", "event_type", "occurred_at", "payload", "stream", "shard", "sequence", "arrived_at"}

const insertOne = `INSERT INTO events (event_id, event_type, occurred_at, payload, stream, shard, sequence, arrived_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (event_id) DO NOTHING`

// way is one way to store a batch: as the rows of a driver, or for the loader as
// Lambda's payload.
type way struct {
	name string
	run  func(ctx context.Context, payload []byte, rows [][]any) error
}

// BenchmarkLoad stores new events of 0.8 KB in the table as the migrator makes
// it: primary key, one index, TLS, as the loader's role. The loader gets
// Lambda's payload and has to decode and validate it; it may meet duplicates. Its
// peers get rows that are ready. All ways take turns on one table, and the
// figures are of the median batch, the ratios of the median round.
func BenchmarkLoad(b *testing.B) {
	for _, size := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) { benchmark(b, size) })
	}
}

func benchmark(b *testing.B, size int) {
	database, admin := migrated(b)
	l, log := connected(b, database)
	conn, err := pgx.Connect(b.Context(), server.DSN(spec.LoaderRole, "token", database.Name))
	require.NoError(b, err)
	defer func() { _ = conn.Close(context.Background()) }()

	invoke := func(ctx context.Context, payload []byte, _ [][]any) error {
		answer, err := l.Invoke(ctx, payload)
		if err == nil && string(answer) != `{"batchItemFailures":[]}` {
			err = fmt.Errorf("the loader said %s", answer)
		}
		return err
	}
	ways := []way{
		{"copy", func(ctx context.Context, _ []byte, rows [][]any) error {
			_, err := conn.CopyFrom(ctx, pgx.Identifier{"events"}, columns, pgx.CopyFromRows(rows))
			return err
		}},
		{"loader", invoke},
		{"batch", func(ctx context.Context, _ []byte, rows [][]any) error {
			var batch pgx.Batch
			for _, row := range rows {
				batch.Queue(insertOne, row...)
			}
			return conn.SendBatch(ctx, &batch).Close()
		}},
		{"row-by-row", func(ctx context.Context, _ []byte, rows [][]any) error {
			for _, row := range rows {
				if _, err := conn.Exec(ctx, insertOne, row...); err != nil {
					return err
				}
			}
			return nil
		}},
	}

	for b.Loop() {
		took := map[string][]time.Duration{}
		wal, allocations, bytesAllocated := uint64(0), uint64(0), uint64(0)
		rounds := max(leastRounds, benchRows/size)
		first := 0
		for round := -1; round < rounds; round++ { // the first is not counted
			_, err := admin.Exec(b.Context(), "TRUNCATE events")
			require.NoError(b, err)
			for i := range ways {
				w := ways[(i+round+1)%len(ways)]
				n := size
				if w.name == "row-by-row" {
					if n = min(size, rowByRowRows/rounds); n == 0 {
						continue
					}
				}
				payload, rows := benchBatch(b, first, n)
				first += n
				var before, after runtime.MemStats
				from := walPosition(b, admin)
				runtime.GC() // of what making the batch left, which no function has
				runtime.ReadMemStats(&before)
				start := time.Now()
				err := w.run(b.Context(), payload, rows)
				elapsed := time.Since(start)
				runtime.ReadMemStats(&after)
				require.NoError(b, err)
				if round < 0 {
					continue
				}
				took[w.name] = append(took[w.name], elapsed*time.Duration(size)/time.Duration(n))
				if w.name == "loader" {
					wal += walPosition(b, admin) - from
					allocations += after.Mallocs - before.Mallocs
					bytesAllocated += after.TotalAlloc - before.TotalAlloc
				}
			}
		}
		for _, peer := range []string{"copy", "batch", "row-by-row"} {
			b.ReportMetric(ratio(took[peer], took["loader"]), "x-"+peer)
		}
		for _, w := range ways {
			b.ReportMetric(math.Round(float64(size)/median(took[w.name]).Seconds()), w.name+"-rows/s")
		}
		stored := float64(rounds * size)
		b.ReportMetric(float64(wal)/stored, "WAL-B/row")
		b.ReportMetric(float64(allocations)/stored, "allocs/row")
		b.ReportMetric(float64(bytesAllocated)/stored, "B/row")
		b.ReportMetric(0, "ns/op")
	}
	require.Empty(b, log.String())
}

// ratio is how many times as fast ours is as its peer in the median round. What
// else runs on the machine slows both of one round.
func ratio(peer, ours []time.Duration) float64 {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = peer[i].Seconds() / ours[i].Seconds()
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}

func walPosition(b *testing.B, admin *pgx.Conn) (position uint64) {
	b.Helper()
	require.NoError(b, admin.QueryRow(b.Context(), "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&position))
	return position
}

// benchBatch makes a batch of new events, as Lambda's payload and as rows.
func benchBatch(b *testing.B, first, count int) (payload []byte, rows [][]any) {
	b.Helper()
	data := make([]string, count)
	for i := range data {
		n := first + i
		data[i] = fmt.Sprintf(`{"event_id":"bench-%016x-%d","event_type":"type-%d","occurred_at":%d,"device":{"id":"d-%d","site":"north","firmware":"4.2.1"},`+
			`"reading":{"temperature":%d.%02d,"humidity":0.%d,"ok":true,"alarm":null},"tags":["a","b","c"],"text":%q}`,
			uint64(n)*0x9E3779B97F4A7C15, n, n%7, 1_767_323_045_678+n, n%1000, n%40, n%100, n%1000, strings.Repeat("0123456789 abcdefghi ", 26))
	}
	records := batch(first, data...)
	payload, err := json.Marshal(records)
	require.NoError(b, err)
	for i, r := range records.Records {
		n := first + i
		rows = append(rows, []any{
			fmt.Sprintf("bench-%016x-%d", uint64(n)*0x9E3779B97F4A7C15, n), fmt.Sprintf("type-%d", n%7), time.UnixMilli(1_767_323_045_678 + int64(n)).UTC(),
			json.RawMessage(data[i]), "events", "shardId-000000000000", r.Kinesis.SequenceNumber, time.UnixMilli(1_767_323_045_678).UTC(),
		})
	}
	return payload, rows
}
