package check

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
)

// skew is by how much two clocks may differ.
const skew = time.Minute

// folders is where the environments' deliveries put the events of an hour, in UTC.
const folders = "events/year=2006/month=01/day=02/hour=15/"

// Bucket is the [Lake] that a bucket is. It reads what was written since it was made, and nothing older.
type Bucket struct {
	lake  *atrest.Lake
	since time.Time
}

// NewBucket returns the lake in the bucket.
func NewBucket(client *s3.Client, bucket string) *Bucket {
	b := &Bucket{lake: atrest.NewLake(client, bucket), since: time.Now().Add(-skew)}
	b.lake.Since = b.since
	return b
}

// Lines is the [Lake]'s.
func (b *Bucket) Lines(ctx context.Context, ids []string) (map[string][]byte, error) {
	b.lake.Prefixes = hours(b.since, time.Now().Add(skew))
	if err := b.lake.Refresh(ctx); err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	for _, id := range ids {
		for _, line := range b.lake.Lines {
			if line.ID == id {
				found[id] = line.Text
			}
		}
	}
	return found, nil
}

// hours are the folders of every hour that has a moment between the two.
func hours(from, to time.Time) []string {
	var all []string
	for hour := from.UTC().Truncate(time.Hour); !hour.After(to); hour = hour.Add(time.Hour) {
		all = append(all, hour.Format(folders))
	}
	return all
}

// Postgres is the [Table] that the loader fills.
type Postgres struct{ DB *pgx.Conn }

// Count is the [Table]'s.
func (p Postgres) Count(ctx context.Context, ids []string) (count int, err error) {
	if err := p.DB.QueryRow(ctx, "SELECT count(*) FROM events WHERE event_id = ANY($1)", ids).Scan(&count); err != nil {
		return 0, fmt.Errorf("counting the check's rows: %w", err)
	}
	return count, nil
}

// Delete is the [Table]'s.
func (p Postgres) Delete(ctx context.Context, ids []string) (int, error) {
	tag, err := p.DB.Exec(ctx, "DELETE FROM events WHERE event_id = ANY($1) AND event_type = $2", ids, EventType)
	if err != nil {
		return 0, fmt.Errorf("removing the check's rows: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
