package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/cmd/millrace/verify"
	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	local "github.com/millrace-cdk/millrace/local/cloud/postgres"
)

var server *local.Server

func TestMain(m *testing.M) { postgrestest.Main(m, &server) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// arrival is one event at one of the two places.
type arrival struct {
	id string
	at time.Duration // after noon
}

// lake passes lines of these arrivals.
type lake []arrival

func (l lake) Name() string { return "lake" }

func (l lake) Read(ctx context.Context, _ map[string]string, sink replay.Sink) error {
	for _, a := range l {
		if a.id == "broken" {
			sink.Broken("a line is broken")
			continue
		}
		if err := sink.Take(ctx, replay.Record{Identity: a.id, ArrivedAt: noon.Add(a.at)}); err != nil {
			return err
		}
	}
	return nil
}

// table is a database with rows of these arrivals.
func table(t *testing.T, rows ...arrival) *pgx.Conn {
	t.Helper()
	database := postgrestest.Database(t, server)
	_, err := migrator.Migrator{Log: slog.New(slog.DiscardHandler), Config: func(context.Context) (postgres.Config, error) {
		return postgres.Config{
			Database: database, User: postgrestest.Master,
			Authenticate: func(context.Context) (string, error) { return postgrestest.MasterPassword, nil },
		}, nil
	}}.Migrate(t.Context())
	require.NoError(t, err)
	db := postgrestest.Admin(t, server, database)
	for _, r := range rows {
		_, err := db.Exec(t.Context(), "INSERT INTO events (event_id, payload, arrived_at) VALUES ($1, '{}', $2)", r.id, noon.Add(r.at))
		require.NoError(t, err)
	}
	return db
}

// config compares the hours from noon to two.
func config(db *pgx.Conn, inWindow, behind lake) verify.Config {
	return verify.Config{
		DB: db, Since: noon, Before: noon.Add(2 * time.Hour),
		Lake: func(_ context.Context, from, _ time.Time) (replay.Source, error) {
			if from.Equal(noon) {
				return inWindow, nil
			}
			return behind, nil
		},
	}
}

func TestWhatBothHaveIsNoDifference(t *testing.T) {
	db := table(t, arrival{"a", 0}, arrival{"b", time.Hour}, arrival{"twice", 90 * time.Minute}, arrival{"early", -time.Second}, arrival{"late", 2 * time.Hour},
		arrival{"stored before", -time.Minute}, arrival{"sent again", time.Minute})
	_, err := db.Exec(t.Context(), `INSERT INTO quarantine (origin, reason, data) VALUES
		('orders/1/7', 'SQLSTATE 22P05', '{"t":"\\u0000"}'), ('orders/1/8', 'SQLSTATE 22003', '{"event_id":"poison","n":1e999999}'), ('orders/1/9', 'no JSON', 'Hello')`)
	require.NoError(t, err)
	report, err := verify.Run(t.Context(), config(db, lake{
		{"a", 0},
		{"b", time.Hour},
		{"b", time.Hour},
		{"twice", time.Minute},
		{"twice", 90 * time.Minute},
		{"early", -time.Second},
		{"late", 2 * time.Hour},
		{"stored before", time.Hour},
		{"orders/1/7", time.Minute},
		{"poison", time.Hour},
	}, lake{{"sent again", time.Minute}}))
	require.NoError(t, err)
	assert.Equal(t, 8, report.Lines)
	require.Len(t, report.Hours, 2)
	counts := func(h *verify.Hour) [4]int { return [4]int{h.Lake, h.Rows, h.Quarantined, h.Difference} }
	assert.Equal(t, noon, report.Hours[0].Hour)
	assert.Equal(t, [4]int{4, 3, 1, 0}, counts(report.Hours[0]))
	assert.Equal(t, [4]int{3, 2, 1, 0}, counts(report.Hours[1]))
	assert.Equal(t, [4]int{7, 5, 2, 0}, [4]int{report.Lake, report.Rows, report.Quarantined, report.Difference})
}

func TestWhatIsMissingIsListedBySideAndHour(t *testing.T) {
	rows := []arrival{{"both", 0}}
	for i := range 12 {
		rows = append(rows, arrival{fmt.Sprintf("row-%02d", i), time.Hour})
	}
	report, err := verify.Run(t.Context(), config(table(t, rows...), lake{{"both", 0}, {"line-b", 0}, {"line-a", 0}, {"", 0}, {"broken", 0}}, nil))
	require.ErrorIs(t, err, verify.ErrDifferent)
	require.Len(t, report.Hours, 2)
	assert.Equal(t, []string{"line-a", "line-b"}, report.Hours[0].NotInDatabase)
	assert.Len(t, report.Hours[1].NotInLake, 12)
	assert.Equal(t, 14, report.Difference)
	assert.Equal(t, map[string]int{"a line is broken": 1, "a line of the lake has no identity": 1}, report.Broken)

	var printed bytes.Buffer
	require.NoError(t, report.Print(&printed))
	assert.Equal(t, `  arrived in (UTC)  lake  rows  in quarantine  difference
    2026-01-02 12h     3     1              0           2
    2026-01-02 13h     0    12              0          12
               all     3    13              0          14
2026-01-02 12h  not in the database: line-a
2026-01-02 12h  not in the database: line-b
2026-01-02 13h  not in the lake: row-00
2026-01-02 13h  not in the lake: row-01
2026-01-02 13h  not in the lake: row-02
2026-01-02 13h  not in the lake: row-03
2026-01-02 13h  not in the lake: row-04
2026-01-02 13h  not in the lake: row-05
2026-01-02 13h  not in the lake: row-06
2026-01-02 13h  not in the lake: row-07
2026-01-02 13h  not in the lake: row-08
2026-01-02 13h  not in the lake: row-09
2026-01-02 13h  not in the lake: 2 more (--json lists all)
1  a line is broken
1  a line of the lake has no identity
`, printed.String())
}

func TestWithoutBoundsAllIsCompared(t *testing.T) {
	db := table(t, arrival{"a", -24 * time.Hour})
	_, err := db.Exec(t.Context(), "INSERT INTO events (event_id, payload) VALUES ('without an arrival', '{}')")
	require.NoError(t, err)
	c := config(db, nil, nil)
	c.Since, c.Before = time.Time{}, time.Time{}
	c.Lake = func(context.Context, time.Time, time.Time) (replay.Source, error) {
		return lake{{"a", -24 * time.Hour}, {"without an arrival", 0}}, nil
	}
	report, err := verify.Run(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, 2, report.Rows)
}
