package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
)

// report prints what is at rest after the first posting.
func (d *demo) report(ctx context.Context, posted int, took time.Duration) error {
	records, err := d.streamRecords(ctx)
	if err != nil {
		return err
	}
	rows, err := d.rows(ctx)
	if err != nil {
		return err
	}
	d.drawLine(posted, records, rows)
	d.whereToLook()
	if err := d.strongest(ctx); err != nil {
		return err
	}
	return d.latency(ctx, took)
}

// drawLine is the data's way, with what was counted at each stage.
func (d *demo) drawLine(posted, records, rows int) {
	fmt.Fprintf(d.Out, `
  client            API Gateway          Kinesis            Firehose + transformer      lake (S3)
  %-7s posted -> %-7s accepted -> %-7s records -+-> gzip objects ----------> %s lines in %s objects
                                                        |
                                                        +-> loader (Lambda) -------> %s rows in Postgres
`, count(posted), count(len(d.accepted)), count(records), count(len(d.lake.Lines)), count(len(d.lake.Objects)), count(rows))
}

func (d *demo) whereToLook() {
	fmt.Fprintf(d.Out, "\nWhere to look (KEEP=1 make demo leaves it up; then `source .millrace/local.env`)\n")
	for _, key := range d.lake.Objects[:min(3, len(d.lake.Objects))] {
		fmt.Fprintf(d.Out, "  s3://%s/%s\n", d.LakeBucket, key)
	}
	if len(d.lake.Lines) > 0 {
		fmt.Fprintf(d.Out, "  one line of it: %s\n", shorten(string(d.lake.Lines[0].Text), 60, 110))
	}
	if len(d.lake.Failed) > 0 {
		fmt.Fprintf(d.Out, "  %s objects of failed records below s3://%s/errors/\n", count(len(d.lake.Failed)), d.LakeBucket)
	}
	fmt.Fprintf(d.Out, "  psql \"$DATABASE_URL\" -c 'SELECT event_id, occurred_at, payload FROM events LIMIT 1'\n")
}

// strongest asks Postgres, as an analyst would.
func (d *demo) strongest(ctx context.Context) error {
	const query = `SELECT (payload->'feature'->'properties'->>'mag')::numeric::text AS magnitude,
       to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS utc,
       coalesce(payload->'feature'->'properties'->>'place', '') AS place
  FROM events
 WHERE event_type = 'earthquake' AND payload->'feature'->'properties'->>'mag' IS NOT NULL
 ORDER BY (payload->'feature'->'properties'->>'mag')::numeric DESC, occurred_at
 LIMIT 5`
	rows, err := d.db.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("querying the strongest quakes: %w", err)
	}
	type quake struct{ Magnitude, UTC, Place string }
	quakes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[quake])
	if err != nil {
		return fmt.Errorf("querying the strongest quakes: %w", err)
	}
	fmt.Fprintf(d.Out, "\nThe five strongest, by SQL on Postgres\n")
	table := tabwriter.NewWriter(d.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  magnitude\tUTC\tplace")
	for _, q := range quakes {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", q.Magnitude, q.UTC, q.Place)
	}
	return table.Flush()
}

// latency is from the API's answer to the row that can be queried, by this machine's one clock.
func (d *demo) latency(ctx context.Context, took time.Duration) error {
	rows, err := d.db.Query(ctx, "SELECT event_id, loaded_at FROM events")
	if err != nil {
		return fmt.Errorf("reading when events were loaded: %w", err)
	}
	var waits []time.Duration
	var id string
	var loaded time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &loaded}, func() error {
		if accepted, ok := d.accepted[id]; ok {
			waits = append(waits, max(0, loaded.Sub(accepted)))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading when events were loaded: %w", err)
	}
	if len(waits) == 0 {
		fmt.Fprintf(d.Out, "\nNothing can be queried: no latency to state.\n")
		return nil
	}
	slices.Sort(waits)
	fmt.Fprintf(d.Out, "\nFrom accepted to queryable: p50 %s, p99 %s. From the first post to all at rest: %s.\n",
		quantile(waits, 0.50).Round(time.Millisecond), quantile(waits, 0.99).Round(time.Millisecond), took.Round(100*time.Millisecond))
	return nil
}

// quantile returns the smallest value that a share q of sorted is not above.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// count writes n with a comma before each three digits.
func count(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// shorten keeps the head and the tail of a long text.
func shorten(text string, head, tail int) string {
	if len(text) <= head+tail {
		return text
	}
	return strings.ToValidUTF8(text[:head], "") + " … " + strings.ToValidUTF8(text[len(text)-tail:], "")
}
