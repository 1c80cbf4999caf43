package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// Quarantine is the [Source] of the records that the loader put aside.
type Quarantine struct {
	DB *pgx.Conn
}

// Name is the table's.
func (q *Quarantine) Name() string { return "table quarantine of " + q.DB.Config().Database }

// quarantinePage is how many rows are read at once: a query over all of them would stay open while they are sent.
const quarantinePage = 500

const selectQuarantine = `
SELECT origin, reason, data, coalesce(arrived_at, quarantined_at), quarantined_at
FROM quarantine
WHERE (quarantined_at, origin) > ($1, $2) AND quarantined_at <= $3
ORDER BY quarantined_at, origin
LIMIT $4`

// quarantinePosition is the last row that was read.
type quarantinePosition struct {
	At     time.Time `json:"at"`
	Origin string    `json:"origin"`
}

const quarantinePlace = "quarantine"

// Read passes the rows in the order in which they came. Those that come meanwhile are left:
// they may be the ones that this replay sent.
func (q *Quarantine) Read(ctx context.Context, done map[string]string, sink Sink) error {
	var last quarantinePosition
	if text := done[quarantinePlace]; text != "" {
		if err := json.Unmarshal([]byte(text), &last); err != nil {
			return fmt.Errorf("reading the checkpoint: %w", err)
		}
	}
	var until time.Time
	if err := q.DB.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&until); err != nil {
		return fmt.Errorf("reading the database's time: %w", err)
	}
	for {
		page, err := q.page(ctx, &last, until)
		if err != nil {
			return fmt.Errorf("reading the quarantine: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, record := range page {
			if err := sink.Take(ctx, record); err != nil {
				return err
			}
		}
		position, err := json.Marshal(last)
		if err != nil {
			return fmt.Errorf("encoding the checkpoint: %w", err)
		}
		sink.Reached(quarantinePlace, string(position))
	}
}

func (q *Quarantine) page(ctx context.Context, last *quarantinePosition, until time.Time) ([]Record, error) {
	rows, err := q.DB.Query(ctx, selectQuarantine, last.At, last.Origin, until, quarantinePage)
	if err != nil {
		return nil, err
	}
	var page []Record
	var origin, reason string
	var data []byte
	var arrived, at time.Time
	_, err = pgx.ForEachRow(rows, []any{&origin, &reason, &data, &arrived, &at}, func() error {
		page = append(page, Record{Data: data, Origin: parseOrigin(origin), ArrivedAt: arrived.UTC(), Reason: reason, Place: parseOrigin(origin)})
		data = nil // the next row gets bytes of its own
		*last = quarantinePosition{at, origin}
		return nil
	})
	return page, err
}

// parseOrigin reads stream/shard/sequence, and /sub-sequence, as [event.Origin.String] writes it.
func parseOrigin(text string) event.Origin {
	parts := strings.SplitN(text, "/", 4)
	parts = append(parts, make([]string, 4-len(parts))...)
	o := event.Origin{Stream: parts[0], Shard: parts[1], Sequence: parts[2]}
	if sub, err := strconv.ParseInt(parts[3], 10, 64); err == nil {
		o.SubSequence = sub
	}
	return o
}
